//! Jobs: the runs and checks that a grid requires, their order and their division into shards.

use mlp_parity::mnist::ORIGINAL_SIZES;
use mlp_parity::{Activation, Dataset, MlpConfig, Optimizer};

use crate::record::{Record, RecordContent, Shard};
use crate::reproduction::grid::{Grid, Row, RowName};
use crate::reproduction::hyperparameters::Hyperparameters;
use crate::statistics::Seeds;
use crate::{Candidate, Error, Identity, NamedTraining, Result};

/// The part of a grid that is to be run: tables, figures and seeds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// Names of the tables and figures to run; all of them if empty.
    pub only: Vec<String>,
    /// Number of seeds; they are counted from 0.
    pub seeds: u64,
}

/// A unit of work that produces one record: a training run, or the check suite on one candidate.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// Index of the candidate in [`Reproduction::candidates`](super::Reproduction::candidates).
    pub candidate: usize,
    /// Identity of the candidate.
    pub identity: Identity,
    /// Shape of the candidate's network.
    pub config: MlpConfig,
    /// The identifier of the network's [deviation](crate::reproduction::Deviation); `None` if it has none.
    pub deviation: Option<String>,
    /// Number of training images.
    pub images: usize,
    /// Kind of work: a training run or the check suite.
    pub kind: JobKind,
}

/// The work of a job: a training run or a check.
#[derive(Clone, Debug, PartialEq)]
pub enum JobKind {
    /// Trains the candidate with this configuration.
    Run(NamedTraining),
    /// Runs the check suite on the candidate.
    Check {
        /// The name of the check in records: that of the candidate's network.
        name: String,
        /// Shape of the network that the reference computes. It differs from the candidate's if the row is an
        /// [explanation](crate::reproduction::Explanation) by another network. If the candidate's network has a deviation,
        /// the check must detect it.
        reference: MlpConfig,
        /// The training configurations whose optimizers are checked.
        trainings: Vec<NamedTraining>,
    },
}

impl Job {
    /// Returns a name for display: `relu-sgd-0.01-batch-64, framework/flex, seed 3`.
    pub fn name(&self) -> String {
        match &self.kind {
            JobKind::Run(training) => format!("{}, {}, seed {}", training.name, self.identity, training.config.seed()),
            JobKind::Check { name, .. } => format!("check of {name}, {}", self.identity),
        }
    }

    /// Returns true if the record belongs to this job: equal training or check, candidate and seed. The data, the
    /// number of epochs and the revision of the program may differ; [`is_completed_by`](Self::is_completed_by) compares
    /// epochs.
    pub fn matches(&self, record: &Record) -> bool {
        match (&self.kind, &record.content) {
            (JobKind::Run(training), RecordContent::Run { run, .. }) => {
                training.name == run.training && training.config.seed() == run.seed && self.has_candidate(&run.identity)
            }
            (JobKind::Check { name, .. }, RecordContent::Check { check }) => {
                *name == check.name && self.has_candidate(&check.identity)
            }
            _ => false,
        }
    }

    /// Returns true if `other` has the implementation and the backend of this job's candidate; device and kernels may
    /// differ.
    fn has_candidate(&self, other: &Identity) -> bool {
        (&self.identity.implementation, &self.identity.backend) == (&other.implementation, &other.backend)
    }

    /// Returns true if a record that [matches](Self::matches) contains everything that this job would measure: the same
    /// network and training configuration, and at least as many epochs.
    pub fn is_completed_by(&self, record: &Record) -> bool {
        let same_training = match (&self.kind, &record.content) {
            // The first epochs of a longer run equal those of a shorter one, so its configuration is compared with the
            // wanted number of epochs.
            (JobKind::Run(wanted), RecordContent::Run { training, run }) => {
                let truncated = training.config.with_epochs(wanted.config.epochs());
                run.complete && truncated == wanted.config && training.config.epochs() >= wanted.config.epochs()
            }
            _ => true,
        };
        same_training && (&self.config, &self.deviation) == (&record.config, &record.deviation)
    }

    /// Estimates the duration of the job, in epochs of the first candidate on 60,000 images with ReLU, SGD and batches
    /// of 64. The factors were measured on a CPU. They affect only the order of jobs and the size of shards, never a
    /// result.
    pub fn cost(&self) -> f64 {
        let JobKind::Run(training) = &self.kind else { return 5.0 };
        // The first candidate is the hand-written one; all others run on a framework.
        let of_candidate = |[first, others]: [f64; 2]| if self.candidate == 0 { first } else { others };
        let per_image = of_candidate(match self.config.activation() {
            Activation::Relu => [0.9, 2.6],
            Activation::Sigmoid => [0.95, 3.5],
            Activation::Tanh => [0.95, 4.6],
        });
        let per_step = of_candidate(match training.config.optimizer() {
            Optimizer::Sgd { .. } => [0.1, 0.3],
            Optimizer::Momentum { .. } => [0.3, 1.0],
            Optimizer::Adam { .. } | Optimizer::AdamW { .. } => [0.7, 3.7],
        });
        let steps = 64.0 / training.config.batch_size() as f64;
        let images = self.images as f64 / ORIGINAL_SIZES.0 as f64;
        training.config.epochs() as f64 * images * (per_image + per_step * steps)
    }
}

/// Returns all jobs of the selected part of a grid: first the checks, then the training runs seed by seed, each in the
/// order of the grid's rows.
///
/// # Errors
///
/// [`Error::Grid`] if the grid names an implementation that is not among the candidates; otherwise the errors of
/// [`Hyperparameters::config`] and [`Hyperparameters::training`].
pub fn jobs(grid: &Grid, selection: &Selection, candidates: &[Candidate], train: &Dataset) -> Result<Vec<Job>> {
    check_implementations(grid, candidates)?;
    let all: Vec<Request<'_>> = grid.tables.iter().flat_map(|table| &table.rows).flat_map(Request::of_row).collect();
    let tables = grid.tables.iter().filter(|table| table.is_among(&selection.only));
    let selected: Vec<Request<'_>> = tables.flat_map(|table| &table.rows).flat_map(Request::of_row).collect();
    let mut jobs = Vec::new();
    for request in &selected {
        add_checks(&mut jobs, request, &all, candidates, train)?;
    }
    for seed in 0..selection.seeds {
        // Only jobs with the same seed can be the same run.
        let mut runs = Vec::new();
        for request in &selected {
            add_runs(&mut runs, request, seed, candidates, train)?;
        }
        jobs.append(&mut runs);
    }
    Ok(jobs)
}

/// Checks that all implementations that the grid names are among the candidates.
fn check_implementations(grid: &Grid, candidates: &[Candidate]) -> Result<()> {
    let known: Vec<&str> = candidates.iter().map(|candidate| candidate.identity().implementation.as_str()).collect();
    for table in &grid.tables {
        let causes = table.rows.iter().filter_map(|row| row.explained_by.as_ref()?.only.as_ref());
        if let Some(name) = [&table.by].into_iter().chain(causes).find(|name| !known.contains(&name.as_str())) {
            let reason = format!("unknown implementation '{name}'; expected one of: {}", known.join(", "));
            return Err(Error::Grid { origin: format!("table '{}'", table.name), reason });
        }
    }
    Ok(())
}

/// Adds one check job per candidate for the network of `request`, unless the job exists already. Each job covers the
/// optimizers of all rows of the grid (`all`) that train this network.
fn add_checks(
    jobs: &mut Vec<Job>,
    request: &Request<'_>,
    all: &[Request<'_>],
    candidates: &[Candidate],
    train: &Dataset,
) -> Result<()> {
    let network = |training: &Hyperparameters| training.config(train.inputs(), train.classes());
    let (config, reference) = (network(request.hyperparameters)?, network(request.reference)?);
    let mut trainings: Vec<NamedTraining> = Vec::new();
    for other in all.iter().filter(|other| request.reference.has_same_network(other.reference)) {
        let training = other.reference.training(1, 0)?;
        let optimizer = |training: &NamedTraining| (*training.config.optimizer(), training.config.learning_rate());
        if trainings.iter().all(|known| optimizer(known) != optimizer(&training)) {
            trainings.push(training);
        }
    }
    let name = request.hyperparameters.network_name().to_owned();
    for (candidate, identity) in request.candidates(candidates) {
        let (reference, trainings) = (reference.clone(), trainings.clone());
        let kind = JobKind::Check { name: name.clone(), reference, trainings };
        let deviation = request.hyperparameters.deviation_id();
        let job = Job { candidate, identity, config: config.clone(), deviation, images: train.len(), kind };
        if !jobs.contains(&job) {
            jobs.push(job);
        }
    }
    Ok(())
}

/// Adds one training job per candidate for `request` with the given seed. If a job for the same run with another number
/// of epochs exists already, it is extended to the larger number instead.
fn add_runs(
    jobs: &mut Vec<Job>,
    request: &Request<'_>,
    seed: u64,
    candidates: &[Candidate],
    train: &Dataset,
) -> Result<()> {
    for (candidate, identity) in request.candidates(candidates) {
        let training = request.hyperparameters.training(request.epochs, seed)?;
        let is_same_run = |job: &&mut Job| match &job.kind {
            JobKind::Run(known) => {
                job.candidate == candidate
                    && (&known.name, known.config.seed()) == (&training.name, training.config.seed())
            }
            JobKind::Check { .. } => false,
        };
        match jobs.iter_mut().find(is_same_run).map(|job| &mut job.kind) {
            Some(JobKind::Run(known)) => {
                known.config = known.config.with_epochs(known.config.epochs().max(training.config.epochs()));
            }
            _ => {
                let config = request.hyperparameters.config(train.inputs(), train.classes())?;
                let (deviation, kind) = (request.hyperparameters.deviation_id(), JobKind::Run(training));
                jobs.push(Job { candidate, identity, config, deviation, images: train.len(), kind });
            }
        }
    }
    Ok(())
}

/// A training that a row of the grid requests: its own, or that of its explanation.
struct Request<'a> {
    hyperparameters: &'a Hyperparameters,
    epochs: usize,
    only: Option<&'a str>,
    /// The row's own hyper-parameters. The check suite compares the requested network with a reference of these.
    reference: &'a Hyperparameters,
}

impl<'a> Request<'a> {
    fn of_row(row: &'a Row) -> Vec<Self> {
        let reference = &row.hyperparameters;
        let only = row.only.as_deref();
        let mut requests = vec![Self { hyperparameters: reference, epochs: row.epochs, only, reference }];
        if let Some(cause) = &row.explained_by {
            let only = cause.only.as_deref();
            requests.push(Self { hyperparameters: &cause.hyperparameters, epochs: cause.epochs, only, reference });
        }
        requests
    }

    /// Returns the index and identity of each candidate that can run this training.
    fn candidates(&self, all: &[Candidate]) -> Vec<(usize, Identity)> {
        let named = all.iter().enumerate().map(|(index, candidate)| (index, candidate.identity().clone()));
        named.filter(|(_, identity)| self.only.is_none_or(|only| identity.implementation == only)).collect()
    }
}

/// Returns the jobs for which none of the records contains a complete result.
pub fn missing_jobs(jobs: &[Job], records: &[Record]) -> Vec<Job> {
    let is_missing = |job: &&Job| !records.iter().any(|record| job.matches(record) && job.is_completed_by(record));
    jobs.iter().filter(is_missing).cloned().collect()
}

/// Returns the parts of a reproduction that different shards can run: single jobs or, if seeds are added until a pair is
/// decided, all runs with the same training configuration, because a shard does not know the results of the others. The two
/// configurations that the report's claim compares are one part.
pub fn divisible_parts(jobs: &[Job], grid: &Grid, seeds: Seeds) -> Vec<Vec<Job>> {
    if seeds.plan().is_none() {
        return jobs.iter().map(|job| vec![job.clone()]).collect();
    }
    let claimed = |row: &RowName| grid.find(row).map(|(_, row)| row.hyperparameters.name());
    let claim = grid.claim.as_ref().map(|claim| [claimed(&claim.left), claimed(&claim.right)]);
    let name = |job: &Job| match (&job.kind, &claim) {
        (JobKind::Run(training), Some([left, Some(right)])) if training.name == *right => left.clone(),
        (JobKind::Run(training), _) => Some(training.name.clone()),
        (JobKind::Check { .. }, _) => None,
    };
    let mut parts: Vec<(Option<String>, Vec<Job>)> = Vec::new();
    for job in jobs {
        let name = name(job);
        match parts.iter_mut().find(|(other, _)| name.is_some() && *other == name) {
            Some((_, part)) => part.push(job.clone()),
            None => parts.push((name, vec![job.clone()])),
        }
    }
    parts.into_iter().map(|(_, part)| part).collect()
}

/// Returns the jobs of one shard of the given parts. The shards are disjoint, together contain all jobs, and take about the
/// same time, if every training configuration needs the same number of seeds.
pub fn jobs_of_shard(parts: &[Vec<Job>], shard: Shard) -> Vec<Job> {
    // Longest processing time first: each part goes to the shard with the smallest load so far (Graham 1969).
    let costs: Vec<f64> = parts.iter().map(|part| part.iter().map(Job::cost).sum()).collect();
    let mut order: Vec<usize> = (0..parts.len()).collect();
    order.sort_by(|&left, &right| costs[right].total_cmp(&costs[left]));
    let mut loads = vec![0.0; shard.count];
    let mut is_selected = vec![false; parts.len()];
    for index in order {
        let least = (0..loads.len()).min_by(|&left, &right| f64::total_cmp(&loads[left], &loads[right])).unwrap_or(0);
        loads[least] += costs[index];
        is_selected[index] = least + 1 == shard.index;
    }
    parts.iter().zip(is_selected).filter(|(_, selected)| *selected).flat_map(|(part, _)| part.clone()).collect()
}
