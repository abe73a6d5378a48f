//! Progress of a whole grid: one bar on a terminal, one line for each finished job elsewhere.

use std::io::IsTerminal;
use std::ops::ControlFlow;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, ProgressBar, ProgressStyle};
use mlp_parity::metrics::Epoch;
use mlp_parity::{BatchReport, Classifier, Observer};
use mlp_parity_compare::record::RecordContent;
use mlp_parity_compare::reproduction::{Job, JobKind, RemainingTime};

use super::interrupt;
use crate::output::print::tell;

/// Shows the jobs of a grid, and how long they still take.
pub(crate) struct GridProgress {
    bar: ProgressBar,
    quiet: bool,
    state: Mutex<State>,
}

struct State {
    estimate: RemainingTime,
    began: Vec<Option<Instant>>,
    done: usize,
}

impl GridProgress {
    /// Ready to show these jobs.
    pub(crate) fn new(jobs: &[Job], threads: usize, quiet: bool) -> Self {
        interrupt::hear_interrupts();
        let bar = match !quiet && std::io::stderr().is_terminal() {
            true => ProgressBar::new(jobs.len() as u64).with_style(style()),
            false => ProgressBar::hidden(),
        };
        let estimate = RemainingTime::new(jobs, threads);
        Self { bar, quiet, state: Mutex::new(State { estimate, began: vec![None; jobs.len()], done: 0 }) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A job begins.
    pub(crate) fn job_begins(&self, index: usize, job: &Job) -> Box<dyn Observer + '_> {
        if let Some(began) = self.state().began.get_mut(index) {
            *began = Some(Instant::now());
        }
        let epochs = match &job.kind {
            JobKind::Run(training) => training.config.epochs(),
            JobKind::Check { .. } => 1,
        };
        Box::new(JobProgress { progress: self, index, epochs })
    }

    /// It is done, and written down.
    pub(crate) fn job_ended(&self, index: usize, job: &Job, content: &RecordContent) {
        let time = self.advance(index, 1.0);
        let (done, all, left) = {
            let mut state = self.state();
            state.done += 1;
            (state.done, state.began.len(), state.estimate.left())
        };
        self.bar.set_position(done as u64);
        if self.quiet {
            return;
        }
        let result = match content {
            RecordContent::Check { check } => match &check.failure {
                None => format!("{} checks pass", check.checks),
                Some(failure) => format!("fails at the {} of {}", failure.stage, failure.tensor),
            },
            RecordContent::Run { run, .. } => run.epochs.last().map_or_else(String::new, |epoch| {
                format!("test accuracy {:.2} %, training loss {:.4}", epoch.test_accuracy * 100.0, epoch.train_loss)
            }),
        };
        let left = left.map_or_else(String::new, |left| format!("; {left:#} left", left = HumanDuration(left)));
        let line = format!("{done:>4} of {all}  {}: {result}, in {:.0} s{left}", job.name(), time.as_secs_f64());
        if self.bar.is_hidden() { tell(line) } else { self.bar.println(line) }
    }

    /// Of a job this share is done, after this time.
    fn advance(&self, index: usize, share: f64) -> Duration {
        let mut state = self.state();
        let time = state.began.get(index).copied().flatten().map_or(Duration::ZERO, |began| began.elapsed());
        state.estimate.advance(index, share, time);
        if !self.bar.is_hidden()
            && let Some(left) = state.estimate.left()
        {
            self.bar.set_message(format!("{:#} left", HumanDuration(left)));
        }
        time
    }

    /// Everything is done, or nothing more will be.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }

    /// Returns whether Ctrl-C was pressed.
    pub(crate) fn interrupted(&self) -> bool {
        interrupt::is_interrupted()
    }
}

fn style() -> ProgressStyle {
    let style = ProgressStyle::with_template("{pos} of {len} {bar:40} {msg}");
    style.unwrap_or_else(|_| ProgressStyle::default_bar())
}

struct JobProgress<'a> {
    progress: &'a GridProgress,
    index: usize,
    epochs: usize,
}

impl Observer for JobProgress<'_> {
    fn batch_ended(&mut self, report: &BatchReport) -> ControlFlow<()> {
        let BatchReport { epoch, batch, batches, .. } = report;
        let share = ((epoch - 1) as f64 + *batch as f64 / *batches as f64) / self.epochs as f64;
        // The last batch is not yet the end: the test images come after it.
        self.progress.advance(self.index, share.min(0.999));
        interrupt::flow()
    }

    fn epoch_ended(&mut self, _: &Epoch, _: &dyn Classifier) -> mlp_parity::Result<ControlFlow<()>> {
        Ok(interrupt::flow())
    }
}
