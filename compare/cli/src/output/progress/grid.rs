//! Progress of a reproduction: one bar for all jobs on a terminal, otherwise one line per finished job.

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
use crate::output::print::{eprint_line, printable};
use crate::output::terminal::loss;

/// Time between two updates of the bar, which shows the elapsed time.
const FRAME: Duration = Duration::from_secs(1);

/// Progress display of the jobs of a grid, with the estimated remaining time.
pub(crate) struct GridProgress {
    bar: ProgressBar,
    quiet: bool,
    state: Mutex<State>,
}

struct State {
    estimate: RemainingTime,
    started: Vec<Option<Instant>>,
    done: usize,
}

impl GridProgress {
    /// Creates the display for these jobs. A quiet display shows nothing. Until [`finish`](Self::finish) is called, the
    /// first Ctrl-C only stops the jobs, unless a check is running.
    pub(crate) fn new(jobs: &[Job], threads: usize, quiet: bool) -> Self {
        interrupt::set_training(true);
        let bar = match !quiet && std::io::stderr().is_terminal() {
            true => ProgressBar::new(jobs.len() as u64).with_style(style()),
            false => ProgressBar::hidden(),
        };
        if !bar.is_hidden() {
            bar.enable_steady_tick(FRAME);
        } else if !quiet {
            eprint_line(format_args!("{} jobs, threads: {threads}", jobs.len()));
        }
        let estimate = RemainingTime::new(jobs, threads);
        Self { bar, quiet, state: Mutex::new(State { estimate, started: vec![None; jobs.len()], done: 0 }) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records the start of a job, and returns the observer of its run.
    pub(crate) fn job_started(&self, index: usize, job: &Job) -> Box<dyn Observer + '_> {
        if let Some(started) = self.state().started.get_mut(index) {
            *started = Some(Instant::now());
        }
        let (epochs, check) = match &job.kind {
            JobKind::Run(training) => (training.config.epochs(), None),
            JobKind::Check { .. } => (1, Some(interrupt::UnstoppableJob::start())),
        };
        Box::new(JobProgress { progress: self, index, epochs, _check: check })
    }

    /// Displays the result of a finished job. Must be called after the job's record has been written.
    pub(crate) fn job_finished(&self, index: usize, job: &Job, content: &RecordContent) {
        let elapsed = self.advance(index, 1.0);
        let (done, total, remaining) = {
            let mut state = self.state();
            state.done += 1;
            (state.done, state.started.len(), state.estimate.remaining())
        };
        self.bar.set_position(done as u64);
        if self.quiet {
            return;
        }
        let result = match content {
            RecordContent::Check { check } => match &check.summary.failure {
                None => format!("{} checks pass", check.summary.checks),
                Some(failure) => format!("fails at {}, {}", failure.stage, failure.tensor),
            },
            RecordContent::Run { run, .. } => run.epochs.last().map_or_else(String::new, |epoch| {
                format!("{:.2} %  loss {}", epoch.test_accuracy * 100.0, loss(epoch.train_loss))
            }),
        };
        let remaining = remaining.map_or_else(String::new, |time| format!("; {:#} left", HumanDuration(time)));
        let line = format!("{done:>4} of {total}  {}: {result}  {:.0} s{remaining}", job.name(), elapsed.as_secs_f64());
        if self.bar.is_hidden() { eprint_line(line) } else { self.bar.println(printable(line)) }
    }

    /// Records that the given fraction of a job is done, and returns the time since its start.
    fn advance(&self, index: usize, fraction: f64) -> Duration {
        let mut state = self.state();
        let elapsed = state.started.get(index).copied().flatten().map_or(Duration::ZERO, |start| start.elapsed());
        state.estimate.advance(index, fraction, elapsed);
        if !self.bar.is_hidden()
            && let Some(remaining) = state.estimate.remaining()
        {
            self.bar.set_message(format!("{:#} left", HumanDuration(remaining)));
        }
        elapsed
    }

    /// Removes the bar. Must be called when no job is running any more.
    pub(crate) fn finish(&self) {
        interrupt::set_training(false);
        self.bar.finish_and_clear();
    }

    /// Returns true once the user has pressed Ctrl-C.
    pub(crate) fn interrupted(&self) -> bool {
        interrupt::is_interrupted()
    }
}

fn style() -> ProgressStyle {
    let style = ProgressStyle::with_template("{pos} of {len} {bar:30} {elapsed}  {msg}");
    style.unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// Observer of one job's run, which ends it on Ctrl-C.
struct JobProgress<'a> {
    progress: &'a GridProgress,
    index: usize,
    epochs: usize,
    /// Marks a job that is a check, which has no batches after which it could stop.
    _check: Option<interrupt::UnstoppableJob>,
}

impl Observer for JobProgress<'_> {
    fn batch_ended(&mut self, report: &BatchReport) -> ControlFlow<()> {
        let BatchReport { epoch, batch, batches, .. } = report;
        let fraction = ((epoch - 1) as f64 + *batch as f64 / *batches as f64) / self.epochs as f64;
        // After the last batch the job still has to evaluate the test images, so it is not done yet.
        self.progress.advance(self.index, fraction.min(0.999));
        interrupt::flow()
    }

    fn epoch_ended(&mut self, _: &Epoch, _: &dyn Classifier) -> mlp_parity::Result<ControlFlow<()>> {
        Ok(interrupt::flow())
    }
}
