//! Doing the jobs of a grid.

use std::collections::BTreeMap;

use mlp_parity::{Dataset, MlpConfig, Observer, Parameters};

use super::job::{Job, JobKind};
use crate::check::{Case, NamedOptimizer, check_candidate};
use crate::record::{CheckRecord, RecordContent};
use crate::training::{Monitor, Run, Trial, parallel};
use crate::{Candidate, Error, NamedTraining, Result};

/// Images in a batch of a check.
const CHECK_BATCH_SIZE: usize = 64;

/// Who does the jobs, on what.
#[derive(Clone, Copy, Debug)]
pub struct Reproduction<'a> {
    /// To whom jobs refer.
    pub candidates: &'a [Candidate],
    /// The images to train with.
    pub train: &'a Dataset,
    /// The images to test with.
    pub test: &'a Dataset,
    /// How many jobs go on side by side, each on one thread.
    pub threads: usize,
}

/// Callbacks of jobs, several of which go on at the same time.
#[derive(Clone, Copy)]
pub struct JobMonitor<'a> {
    /// Called when the job of this index begins; gives its run an observer.
    pub job_begins: &'a (dyn Fn(usize, &Job) -> Box<dyn Observer + 'a> + Sync),
    /// Called when a job is done. An error ends all jobs.
    pub job_ended: &'a (dyn Fn(usize, &Job, RecordContent) -> Result<()> + Sync),
    /// Returns whether no further job is to begin.
    pub interrupted: &'a (dyn Fn() -> bool + Sync),
}

impl Reproduction<'_> {
    /// Does these jobs; false if interrupted. A run that fails does not keep the others from being done.
    ///
    /// # Errors
    ///
    /// The first in the order of the jobs.
    pub fn run(&self, jobs: &[Job], monitor: JobMonitor<'_>) -> Result<bool> {
        let order = begin_with_each(jobs);
        let work = |&index: &usize| self.one(index, &jobs[index], monitor);
        let goes_on = |done: &Result<bool>| matches!(done, Ok(true) | Err(Error::Run { .. }));
        let done = parallel::side_by_side(&order, self.threads, work, goes_on);
        let mut complete = done.len() == jobs.len();
        let by_job: BTreeMap<usize, Result<bool>> =
            done.into_iter().map(|(position, done)| (order[position], done)).collect();
        for done in by_job.into_values() {
            complete &= done?;
        }
        Ok(complete)
    }

    fn one(&self, index: usize, job: &Job, monitor: JobMonitor<'_>) -> Result<bool> {
        let content = match &job.kind {
            JobKind::Check { name, right, trainings } => {
                let _running = (monitor.job_begins)(index, job);
                self.check(job, name, right, trainings)?
            }
            JobKind::Run(training) => {
                let own = Monitor::default().observe(|_| (monitor.job_begins)(index, job));
                let candidate = &self.candidates[job.candidate];
                let parameters = Parameters::glorot_uniform(&job.config, training.config.seed());
                let mut model = candidate.create(&job.config, &parameters)?;
                let trial = Trial { training, train: self.train, test: self.test, test_each_epoch: true };
                let Run { record: run, stopped, .. } =
                    trial.run(model.as_mut(), candidate.identity(), &job.identity.to_string(), &own)?;
                if stopped {
                    return Ok(false);
                }
                RecordContent::Run { training: training.clone(), run }
            }
        };
        (monitor.job_ended)(index, job, content)?;
        Ok(!(monitor.interrupted)())
    }

    fn check(&self, job: &Job, name: &str, right: &MlpConfig, trainings: &[NamedTraining]) -> Result<RecordContent> {
        let candidate = &self.candidates[job.candidate];
        let parameters = Parameters::glorot_uniform(right, 0);
        let trainings = trainings.iter().map(NamedOptimizer::from).collect();
        let case = Case::new(right.clone(), parameters, self.train, CHECK_BATCH_SIZE, 0, trainings)?;
        let mut model = candidate.create(&job.config, &case.parameters)?;
        let report = check_candidate(&case, &candidate.identity().to_string(), model.as_mut())?;
        Ok(RecordContent::Check { check: CheckRecord::new(name, candidate.identity(), &report) })
    }
}

/// The order in which jobs begin: the longest first, as the last to begin decides when all is done; but before that one
/// run of each candidate, so that soon something is known of the pace of each.
fn begin_with_each(jobs: &[Job]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..jobs.len()).collect();
    order.sort_by(|&left, &right| jobs[right].cost().total_cmp(&jobs[left].cost()));
    let mut known = Vec::new();
    let is_first = |&index: &usize| {
        let candidate = jobs[index].candidate;
        let is_first = !known.contains(&candidate);
        known.push(candidate);
        is_first
    };
    let (first, rest): (Vec<usize>, Vec<usize>) = order.into_iter().partition(is_first);
    [first, rest].concat()
}
