//! Execution of the jobs of a grid.

use std::collections::BTreeMap;

use mlp_parity::{Dataset, MlpConfig, Observer, Parameters};

use super::job::{Job, JobKind};
use crate::check::{Case, NamedOptimizer, check_candidate};
use crate::record::{CheckRecord, RecordContent};
use crate::training::{Monitor, Run, Trial, parallel};
use crate::{Candidate, Error, NamedTraining, Result};

/// Number of images per batch in the check suite.
const CHECK_BATCH_SIZE: usize = 64;

/// The seed whose trained networks are checked.
const FIRST_SEED: u64 = 0;

/// The candidates, data and number of threads with which the jobs of a reproduction are executed.
#[derive(Clone, Copy, Debug)]
pub struct Reproduction<'a> {
    /// The candidates, to which [`Job::candidate`] is an index.
    pub candidates: &'a [Candidate],
    /// The training images.
    pub train: &'a Dataset,
    /// The test images.
    pub test: &'a Dataset,
    /// Number of jobs that run in parallel, each on one thread.
    pub threads: usize,
}

/// Callbacks of [`Reproduction::run`]. Several jobs may call them at the same time.
#[derive(Clone, Copy)]
pub struct JobMonitor<'a> {
    /// Called when a job starts, with its index and the job. Returns the observer of its training run.
    pub job_started: &'a (dyn Fn(usize, &Job) -> Box<dyn Observer + 'a> + Sync),
    /// Called when a job is done, with its index, the job and its result. An error prevents further jobs from starting.
    pub job_finished: &'a (dyn Fn(usize, &Job, RecordContent) -> Result<()> + Sync),
    /// Returns true to prevent further jobs from starting.
    pub interrupted: &'a (dyn Fn() -> bool + Sync),
}

impl Reproduction<'_> {
    /// Executes the jobs in parallel, and returns true if all are done, false if they were interrupted. If the training
    /// run of a candidate fails, the remaining jobs are still executed before its error is returned.
    ///
    /// # Errors
    ///
    /// The first error in the order of the jobs: [`Error::Run`] if a training run fails, any error of the check suite,
    /// or an error of [`JobMonitor::job_finished`].
    pub fn run(&self, jobs: &[Job], monitor: JobMonitor<'_>) -> Result<bool> {
        let order = start_order(jobs);
        let work = |&index: &usize| self.run_job(index, &jobs[index], monitor);
        let continues = |done: &Result<bool>| matches!(done, Ok(true) | Err(Error::Run { .. }));
        let done = parallel::run_parallel(&order, self.threads, work, continues);
        let mut complete = done.len() == jobs.len();
        let by_job: BTreeMap<usize, Result<bool>> =
            done.into_iter().map(|(position, done)| (order[position], done)).collect();
        for done in by_job.into_values() {
            complete &= done?;
        }
        Ok(complete)
    }

    /// Executes one job. Returns false if it was interrupted, or if no further job is to start.
    fn run_job(&self, index: usize, job: &Job, monitor: JobMonitor<'_>) -> Result<bool> {
        if (monitor.interrupted)() {
            return Ok(false);
        }
        let content = match &job.kind {
            JobKind::Check { name, reference, trainings } => {
                let _running = (monitor.job_started)(index, job);
                self.check(job, name, reference, trainings)?
            }
            JobKind::Run(training) => {
                let observer = Monitor::default().with_observer(|_| (monitor.job_started)(index, job));
                let candidate = &self.candidates[job.candidate];
                let parameters = Parameters::glorot_uniform(&job.config, training.config.seed());
                let mut model = candidate.create_deviating(job.deviation.as_deref(), &job.config, &parameters)?;
                // A network with a deviation fails the checks on purpose.
                let check_after_training = job.deviation.is_none() && training.config.seed() == FIRST_SEED;
                let (train, test) = (self.train, self.test);
                let trial = Trial { training, train, test, test_each_epoch: true, check_after_training };
                let Run { record: run, stopped, .. } =
                    trial.run(model.as_mut(), candidate.identity(), &job.identity.to_string(), &observer)?;
                if stopped {
                    return Ok(false);
                }
                RecordContent::Run { training: training.clone(), run }
            }
        };
        (monitor.job_finished)(index, job, content)?;
        Ok(!(monitor.interrupted)())
    }

    /// Runs the check suite on one candidate, against a reference of the given shape.
    fn check(
        &self,
        job: &Job,
        name: &str,
        reference: &MlpConfig,
        trainings: &[NamedTraining],
    ) -> Result<RecordContent> {
        let candidate = &self.candidates[job.candidate];
        let parameters = Parameters::glorot_uniform(reference, 0);
        let trainings = trainings.iter().map(NamedOptimizer::from).collect();
        let case = Case::new(reference.clone(), parameters, self.train, CHECK_BATCH_SIZE, 0, trainings)?;
        let mut model = candidate.create_deviating(job.deviation.as_deref(), &job.config, &case.parameters)?;
        let report = check_candidate(&case, &candidate.identity().to_string(), model.as_mut())?;
        Ok(RecordContent::Check { check: CheckRecord::new(name, candidate.identity(), &report) })
    }
}

/// Returns the indices of the jobs in the order in which they start. Longer jobs start first, which shortens the total
/// time; but the longest job of each candidate precedes all others, so that the pace of every candidate is soon known.
fn start_order(jobs: &[Job]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..jobs.len()).collect();
    order.sort_by(|&left, &right| jobs[right].cost().total_cmp(&jobs[left].cost()));
    let mut seen = Vec::new();
    let is_first = |&index: &usize| {
        let candidate = jobs[index].candidate;
        let is_first = !seen.contains(&candidate);
        seen.push(candidate);
        is_first
    };
    let (first, rest): (Vec<usize>, Vec<usize>) = order.into_iter().partition(is_first);
    [first, rest].concat()
}
