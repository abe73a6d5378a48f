//! Progress of runs: bars on a terminal, one line for each finished run elsewhere.

use std::io::IsTerminal;
use std::ops::ControlFlow;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use mlp_parity::metrics::{Epoch, Evaluation};
use mlp_parity::{BatchReport, Classifier, Observer};
use mlp_parity_compare::Monitor;
use mlp_parity_compare::training::{CheckpointStore, RunTitle};

use super::interrupt;
use crate::output::print::tell;

/// Shows runs.
pub(crate) struct Progress {
    bars: Option<MultiProgress>,
    quiet: bool,
}

impl Progress {
    /// Ready to show runs.
    pub(crate) fn new(quiet: bool) -> Self {
        interrupt::hear_interrupts();
        let bars = (!quiet && std::io::stderr().is_terminal()).then(MultiProgress::new);
        Self { bars, quiet }
    }

    /// Prints a line, unless nothing is to be said.
    pub(crate) fn say(&self, line: &str) {
        match &self.bars {
            _ if self.quiet => {}
            // A bar that cannot be drawn is no reason to stop.
            Some(bars) => bars.println(line).unwrap_or_default(),
            None => tell(line),
        }
    }
}

impl Progress {
    /// Returns whether the user has pressed Ctrl-C.
    pub(crate) fn interrupted(&self) -> bool {
        interrupt::is_interrupted()
    }

    /// Creates the observer that shows a run, and ends it on Ctrl-C.
    pub(crate) fn observer(&self, title: &RunTitle<'_>) -> Box<dyn Observer + '_> {
        let RunTitle { training, name, images, .. } = title;
        let epochs = training.config.epochs();
        let bar = match &self.bars {
            Some(bars) => {
                bars.add(ProgressBar::new((epochs as u64).saturating_mul(*images as u64)).with_style(style()))
            }
            None => ProgressBar::hidden(),
        };
        let title = format!("{:<12} {name}", training.name);
        bar.set_prefix(format!("{title:<32}"));
        Box::new(RunProgress { progress: self, bar, title, epochs, last: None })
    }

    /// Prints after which epoch a run resumes.
    pub(crate) fn say_resumed(&self, title: &RunTitle<'_>, checkpoints: &CheckpointStore<'_>) {
        let RunTitle { training, name, complete: Some(complete), .. } = title else { return };
        let run = format!("{:<12} {name}", training.name);
        match complete {
            _ if !checkpoints.resumes => {}
            0 => self.say(&format!("{run:<32} no checkpoint {}: beginning", elsewhere(checkpoints, name))),
            epochs => self.say(&format!("{run:<32} going on after epoch {epochs} of {}", training.config.epochs())),
        }
    }
}

/// Creates a monitor that shows runs, and stores them if there is a checkpoint store.
pub(crate) fn monitor<'a>(progress: &'a Progress, checkpoints: Option<CheckpointStore<'a>>) -> Monitor<'a> {
    let observe = move |title: &RunTitle<'_>| {
        if let Some(checkpoints) = &checkpoints {
            progress.say_resumed(title, checkpoints);
        }
        progress.observer(title)
    };
    Monitor::default().observe(observe).store(checkpoints)
}

/// Describes which checkpoint is missing: any of this candidate, or only the one of this training.
fn elsewhere(checkpoints: &CheckpointStore<'_>, name: &str) -> String {
    match checkpoints.trainings_of(name).join(", ").as_str() {
        "" => "here".to_owned(),
        trainings => format!("of this training here, but of {trainings}"),
    }
}

fn style() -> ProgressStyle {
    let template = "{prefix} {bar:20} {msg}  {per_sec} images  {eta} left";
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    style.with_key("per_sec", |state: &indicatif::ProgressState, out: &mut dyn std::fmt::Write| {
        // A bar that cannot be drawn is no reason to stop.
        write!(out, "{:.0}/s", state.per_sec()).unwrap_or_default();
    })
}

struct RunProgress<'a> {
    progress: &'a Progress,
    bar: ProgressBar,
    title: String,
    epochs: usize,
    /// The epoch that was tested last, and its accuracy.
    last: Option<(Epoch, f64)>,
}

impl Observer for RunProgress<'_> {
    fn batch_ended(&mut self, report: &BatchReport) -> ControlFlow<()> {
        let BatchReport { epoch, batch, batches, images, loss } = report;
        self.bar.inc(*images as u64);
        self.bar.set_message(format!("epoch {epoch}/{} batch {batch}/{batches} loss {loss:.4}", self.epochs));
        interrupt::flow()
    }

    fn epoch_ended(&mut self, _: &Epoch, _: &dyn Classifier) -> mlp_parity::Result<ControlFlow<()>> {
        Ok(interrupt::flow())
    }

    fn epoch_tested(&mut self, epoch: &Epoch, evaluation: &Evaluation) {
        self.last = Some((*epoch, evaluation.accuracy));
    }
}

impl Drop for RunProgress<'_> {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
        if let Some((Epoch { epoch, train_loss, seconds }, accuracy)) = self.last {
            let percent = accuracy * 100.0;
            self.progress.say(&format!(
                "{:<32} {epoch} of {} epochs, test accuracy {percent:.2} %, training loss {train_loss:.4}, \
                 last epoch in {seconds:.2} s",
                self.title, self.epochs
            ));
        }
    }
}
