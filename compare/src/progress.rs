//! Progress on standard error: bars on a terminal, one line for each finished run elsewhere.

mod grid;

use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use mlp_parity::BatchReport;
use mlp_parity::Differentiable;
use mlp_parity_compare::checkpoint::Keeper;
use mlp_parity_compare::record::EpochRecord;
use mlp_parity_compare::{NamedPlan, Result, RunWatcher, SoFar, Watcher};

pub(crate) use grid::GridProgress;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Says it on standard error, whether anybody reads there or not.
pub(crate) fn tell(line: impl Display) {
    writeln!(std::io::stderr(), "{line}").unwrap_or_default();
}

/// Hears Ctrl-C: the first ends training after the batch, the second the program.
fn hear_interrupts() {
    let heard = ctrlc::set_handler(|| {
        if INTERRUPTED.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        tell("interrupted: ending after this batch, writing what is complete; once more to leave at once");
    });
    if let Err(error) = heard {
        tell(format_args!("warning: Ctrl-C will end the program at once: {error}"));
    }
}

/// Whether the user wants the program to end.
fn is_interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// Shows runs.
pub(crate) struct Progress {
    bars: Option<MultiProgress>,
    quiet: bool,
}

impl Progress {
    /// Ready to show runs.
    pub(crate) fn new(quiet: bool) -> Self {
        hear_interrupts();
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

impl Watcher for Progress {
    fn run_begins(&self, plan: &NamedPlan, name: &str, images: usize) -> Box<dyn RunWatcher + '_> {
        let epochs = plan.plan.epochs();
        let bar = match &self.bars {
            Some(bars) => bars.add(ProgressBar::new((epochs as u64).saturating_mul(images as u64)).with_style(style())),
            None => ProgressBar::hidden(),
        };
        let title = format!("{:<12} {name}", plan.name);
        bar.set_prefix(format!("{title:<32}"));
        Box::new(RunProgress { progress: self, bar, title, epochs, last: None })
    }

    fn interrupted(&self) -> bool {
        is_interrupted()
    }
}

/// Shows runs, and keeps them where that was asked for.
pub(crate) struct Kept<'a> {
    pub(crate) progress: &'a Progress,
    pub(crate) keeper: Option<Keeper<'a>>,
}

impl Watcher for Kept<'_> {
    fn run_begins(&self, plan: &NamedPlan, name: &str, images: usize) -> Box<dyn RunWatcher + '_> {
        self.progress.run_begins(plan, name, images)
    }

    fn restore(&self, plan: &NamedPlan, name: &str, model: &mut dyn Differentiable) -> Result<Option<SoFar>> {
        let Some(keeper) = self.keeper else { return Ok(None) };
        let so_far = keeper.restore(plan, name, model)?;
        let run = format!("{:<12} {name}", plan.name);
        match so_far.epochs {
            _ if !keeper.resumes => {}
            0 => self.progress.say(&format!("{run:<32} no checkpoint {}: beginning", elsewhere(&keeper, name))),
            epochs => self.progress.say(&format!("{run:<32} going on after epoch {epochs} of {}", plan.plan.epochs())),
        }
        Ok(Some(so_far))
    }

    fn keep(&self, plan: &NamedPlan, name: &str, so_far: &SoFar, model: &dyn Differentiable) -> Result<()> {
        self.keeper.map_or(Ok(()), |keeper| keeper.keep(plan, name, so_far, model))
    }

    fn interrupted(&self) -> bool {
        self.progress.interrupted()
    }
}

/// Where there is no checkpoint of a participant's run: here, or under this plan alone.
fn elsewhere(keeper: &Keeper<'_>, name: &str) -> String {
    match keeper.plans_of(name).join(", ").as_str() {
        "" => "here".to_owned(),
        plans => format!("of this plan here, but of {plans}"),
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
    last: Option<EpochRecord>,
}

impl RunWatcher for RunProgress<'_> {
    fn batch_ended(&mut self, report: &BatchReport) {
        let BatchReport { epoch, batch, batches, images, loss } = report;
        self.bar.inc(*images as u64);
        self.bar.set_message(format!("epoch {epoch}/{} batch {batch}/{batches} loss {loss:.4}", self.epochs));
    }

    fn epoch_ended(&mut self, epoch: &EpochRecord) {
        self.last = Some(*epoch);
    }
}

impl Drop for RunProgress<'_> {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
        if let Some(EpochRecord { epoch, train_loss, test_accuracy, seconds, .. }) = self.last {
            let percent = test_accuracy * 100.0;
            self.progress.say(&format!(
                "{:<32} {epoch} of {} epochs, test accuracy {percent:.2} %, training loss {train_loss:.4}, \
                 last epoch in {seconds:.2} s",
                self.title, self.epochs
            ));
        }
    }
}
