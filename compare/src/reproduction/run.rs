//! Doing the jobs of a grid.

use std::collections::BTreeMap;

use mlp_parity::{Dataset, MlpConfig, Observer, Parameters};

use super::job::{Job, Kind};
use crate::check::{Case, Plan, climb};
use crate::record::{CheckRecord, Measurement};
use crate::training::{Monitor, Run, Trial, parallel};
use crate::{Error, NamedPlan, Participant, Result};

/// Images in a batch of a check.
const CHECK_BATCH_SIZE: usize = 64;

/// Who does the jobs, on what.
#[derive(Clone, Copy, Debug)]
pub struct Reproduction<'a> {
    /// To whom jobs refer.
    pub participants: &'a [Participant],
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
    pub job_ended: &'a (dyn Fn(usize, &Job, Measurement) -> Result<()> + Sync),
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
        let measurement = match &job.kind {
            Kind::Check { name, right, plans } => {
                let _running = (monitor.job_begins)(index, job);
                self.check(job, name, right, plans)?
            }
            Kind::Run(plan) => {
                let own = Monitor::default().observe(|_| (monitor.job_begins)(index, job));
                let participant = &self.participants[job.participant];
                let parameters = Parameters::glorot_uniform(&job.config, plan.plan.seed());
                let mut model = participant.create(&job.config, &parameters)?;
                let trial = Trial { plan, train: self.train, test: self.test, test_each_epoch: true };
                let Run { record: run, stopped, .. } =
                    trial.run(model.as_mut(), participant.identity(), &job.identity.to_string(), &own)?;
                if stopped {
                    return Ok(false);
                }
                Measurement::Run { training: plan.clone(), run }
            }
        };
        (monitor.job_ended)(index, job, measurement)?;
        Ok(!(monitor.interrupted)())
    }

    fn check(&self, job: &Job, name: &str, right: &MlpConfig, plans: &[NamedPlan]) -> Result<Measurement> {
        let participant = &self.participants[job.participant];
        let parameters = Parameters::glorot_uniform(right, 0);
        let plans = plans.iter().map(Plan::from).collect();
        let case = Case::new(right.clone(), parameters, self.train, CHECK_BATCH_SIZE, 0, plans)?;
        let mut model = participant.create(&job.config, &case.parameters)?;
        let climb = climb(&case, &participant.identity().to_string(), model.as_mut())?;
        Ok(Measurement::Check { check: CheckRecord::new(name, participant.identity(), &climb) })
    }
}

/// The order in which jobs begin: the longest first, as the last to begin decides when all is done; but before that one
/// run of each participant, so that soon something is known of the pace of each.
fn begin_with_each(jobs: &[Job]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..jobs.len()).collect();
    order.sort_by(|&left, &right| jobs[right].cost().total_cmp(&jobs[left].cost()));
    let mut known = Vec::new();
    let is_first = |&index: &usize| {
        let participant = jobs[index].participant;
        let is_first = !known.contains(&participant);
        known.push(participant);
        is_first
    };
    let (first, rest): (Vec<usize>, Vec<usize>) = order.into_iter().partition(is_first);
    [first, rest].concat()
}
