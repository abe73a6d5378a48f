//! Progress of training runs: one bar per run on a terminal, otherwise one line per finished run.

use std::io::IsTerminal;
use std::ops::ControlFlow;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use mlp_parity::metrics::{Epoch, Evaluation};
use mlp_parity::{BatchReport, Classifier, Observer};
use mlp_parity_compare::Monitor;
use mlp_parity_compare::training::{CheckpointStore, RunTitle};

use super::interrupt;
use crate::output::escape;
use crate::output::print::{eprint_line, printable};
use crate::output::terminal::loss;

/// Progress display of training runs on standard error.
pub(crate) struct Progress {
    bars: Option<MultiProgress>,
    quiet: bool,
}

impl Progress {
    /// Creates the display. A quiet display shows nothing.
    pub(crate) fn new(quiet: bool) -> Self {
        let bars = (!quiet && std::io::stderr().is_terminal()).then(MultiProgress::new);
        Self { bars, quiet }
    }

    /// Returns the bars; `None` unless standard error is a terminal that shows progress.
    pub(super) fn bars(&self) -> Option<&MultiProgress> {
        self.bars.as_ref()
    }

    /// Returns true if nothing is displayed.
    pub(super) fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Prints a line above the bars, unless the display is quiet.
    pub(crate) fn print_line(&self, line: &str) {
        match &self.bars {
            _ if self.quiet => {}
            // A failure to draw a bar must not end the training.
            Some(bars) => bars.println(printable(line)).unwrap_or_default(),
            None => eprint_line(line),
        }
    }

    /// Returns true once the user has pressed Ctrl-C.
    pub(crate) fn interrupted(&self) -> bool {
        interrupt::is_interrupted()
    }

    /// Creates the observer that displays the progress of a run, and ends the run on Ctrl-C.
    pub(crate) fn observer(&self, title: &RunTitle<'_>) -> Box<dyn Observer + '_> {
        let RunTitle { training, name, images, .. } = title;
        let epochs = training.config.epochs();
        let bar = match &self.bars {
            Some(bars) => {
                bars.add(ProgressBar::new((epochs as u64).saturating_mul(*images as u64)).with_style(style()))
            }
            None => ProgressBar::hidden(),
        };
        let title = format!("{:<6} {name}", training.name);
        bar.set_prefix(format!("{:<28}", escape::line(&title)));
        Box::new(RunProgress { progress: self, bar, title, epochs, last_evaluated: None })
    }

    /// Prints the epoch after which a run resumes, if resuming was requested.
    pub(crate) fn print_resumed(&self, title: &RunTitle<'_>, checkpoints: &CheckpointStore<'_>) {
        let RunTitle { training, name, restored_epochs: Some(restored), .. } = title else { return };
        let run = format!("{:<6} {name}", training.name);
        match restored {
            _ if !checkpoints.resume => {}
            0 => self.print_line(&format!(
                "{run:<28} no checkpoint {}, starting at epoch 1",
                missing_checkpoint(checkpoints, name)
            )),
            epochs => {
                self.print_line(&format!("{run:<28} resuming after epoch {epochs} of {}", training.config.epochs()))
            }
        }
    }
}

/// Creates a monitor that displays runs, writes their checkpoints if there is a checkpoint store, and stops all runs on
/// Ctrl-C.
pub(crate) fn monitor<'a>(progress: &'a Progress, checkpoints: Option<CheckpointStore<'a>>) -> Monitor<'a> {
    let observe = move |title: &RunTitle<'_>| {
        if let Some(checkpoints) = &checkpoints {
            progress.print_resumed(title, checkpoints);
        }
        progress.observer(title)
    };
    Monitor::default()
        .with_observer(observe)
        .with_checkpoints(checkpoints)
        .with_interrupt(move || progress.interrupted())
        .on_training(interrupt::set_training)
}

/// Completes the message `no checkpoint …`: `found` if the candidate has no checkpoint at all; otherwise, that it has
/// only checkpoints of other training configurations, with their names.
fn missing_checkpoint(checkpoints: &CheckpointStore<'_>, name: &str) -> String {
    match checkpoints.trainings_with_checkpoint(name).join(", ").as_str() {
        "" => "found".to_owned(),
        trainings => format!("of this training configuration found (only of {trainings})"),
    }
}

fn style() -> ProgressStyle {
    let style = ProgressStyle::with_template("{prefix} {bar:10} {eta:>4} left  {wide_msg}");
    style.unwrap_or_else(|_| ProgressStyle::default_bar())
}

struct RunProgress<'a> {
    progress: &'a Progress,
    bar: ProgressBar,
    title: String,
    epochs: usize,
    /// The last evaluated epoch, and its test accuracy.
    last_evaluated: Option<(Epoch, f64)>,
}

impl Observer for RunProgress<'_> {
    fn batch_ended(&mut self, report: &BatchReport) -> ControlFlow<()> {
        let BatchReport { epoch, batch, batches, images, loss: mean } = report;
        self.bar.inc(*images as u64);
        self.bar.set_message(format!(
            "epoch {epoch}/{} batch {batch}/{batches} loss {}",
            self.epochs,
            loss((*mean).into())
        ));
        interrupt::flow()
    }

    fn epoch_ended(&mut self, _: &Epoch, _: &dyn Classifier) -> mlp_parity::Result<ControlFlow<()>> {
        Ok(interrupt::flow())
    }

    fn epoch_tested(&mut self, epoch: &Epoch, evaluation: &Evaluation) {
        self.last_evaluated = Some((*epoch, evaluation.accuracy));
    }
}

/// Removes the bar and, if the run got that far, prints the result of the last evaluated epoch.
impl Drop for RunProgress<'_> {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
        if let Some((Epoch { epoch, train_loss, seconds }, accuracy)) = self.last_evaluated {
            let percent = accuracy * 100.0;
            self.progress.print_line(&format!(
                "{:<28} {epoch:>2} of {} epochs  {percent:.2} %  loss {}  {seconds:.2} s/epoch",
                self.title,
                self.epochs,
                loss(train_loss)
            ));
        }
    }
}
