//! What is to be done for a grid.

use mlp_parity::mnist::ORIGINAL_SIZES;
use mlp_parity::{Activation, Dataset, MlpConfig, Optimizer};

use super::grid::{Grid, Row, Table};
use super::hyperparameters::Hyperparameters;
use crate::record::{Record, RecordContent, Shard};
use crate::{Candidate, Error, Identity, NamedTraining, Result};

/// Which part of a grid is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// Names of tables and figures; all, if there is none.
    pub only: Vec<String>,
    /// How many seeds, from 0 on.
    pub seeds: u64,
}

/// Something that takes a while and ends in one record.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// Index into the candidates.
    pub candidate: usize,
    /// Who that is.
    pub identity: Identity,
    /// The network.
    pub config: MlpConfig,
    /// Hyperparameters images.
    pub images: usize,
    /// What is done with it.
    pub kind: JobKind,
}

/// What a job does.
#[derive(Clone, Debug, PartialEq)]
pub enum JobKind {
    /// Trains it.
    Run(NamedTraining),
    /// Checks every step of its computation.
    Check {
        /// The activation, if it is right.
        name: String,
        /// What is right: the network that the reference computes.
        right: MlpConfig,
        /// The rules whose steps are checked.
        trainings: Vec<NamedTraining>,
    },
}

impl Job {
    /// `relu-sgd-0.01-batch-64, framework/flex, seed 3`
    pub fn name(&self) -> String {
        match &self.kind {
            JobKind::Run(training) => format!("{}, {}, seed {}", training.name, self.identity, training.config.seed()),
            JobKind::Check { name, .. } => format!("check of {name}, {}", self.identity),
        }
    }

    /// Whether this record is the one of this job, or of a job like it with other data, epochs or programs.
    pub fn is_of(&self, record: &Record) -> bool {
        match (&self.kind, &record.content) {
            (JobKind::Run(training), RecordContent::Run { run, .. }) => {
                training.name == run.training && training.config.seed() == run.seed && self.is_by(&run.identity)
            }
            (JobKind::Check { name, .. }, RecordContent::Check { check }) => {
                *name == check.name && self.is_by(&check.identity)
            }
            _ => false,
        }
    }

    fn is_by(&self, other: &Identity) -> bool {
        (&self.identity.implementation, &self.identity.backend) == (&other.implementation, &other.backend)
    }

    /// Whether a record of this job has all that it would measure: the same network and training, and as many epochs.
    pub fn is_done_by(&self, record: &Record) -> bool {
        let same_plan = match (&self.kind, &record.content) {
            (JobKind::Run(wanted), RecordContent::Run { training, run }) => {
                let shorter = training.config.with_epochs(wanted.config.epochs());
                run.complete && shorter == wanted.config && training.config.epochs() >= wanted.config.epochs()
            }
            _ => true,
        };
        same_plan && self.config == record.config
    }

    /// About how long it takes, in epochs of the first candidate on 60,000 images, with ReLU and SGD in batches of 64. It
    /// was measured on a CPU; it decides the order of jobs and the size of shares, and never a result.
    pub fn cost(&self) -> f64 {
        let JobKind::Run(training) = &self.kind else { return 5.0 };
        let of = |[first, others]: [f64; 2]| if self.candidate == 0 { first } else { others };
        let per_image = of(match self.config.activation() {
            Activation::Relu => [0.9, 2.6],
            Activation::Sigmoid => [0.95, 3.5],
            Activation::Tanh => [0.95, 4.6],
            Activation::TanhAsPrinted => [1.15, 5.0],
        });
        let per_step = of(match training.config.optimizer() {
            Optimizer::Sgd { .. } => [0.1, 0.3],
            Optimizer::Momentum { .. } => [0.3, 1.0],
            Optimizer::Adam { .. } | Optimizer::AdamW { .. } => [0.7, 3.7],
        });
        let steps = 64.0 / training.config.batch_size() as f64;
        let images = self.images as f64 / ORIGINAL_SIZES.0 as f64;
        training.config.epochs() as f64 * images * (per_image + per_step * steps)
    }
}

/// All jobs of the selected part of a grid: checks, then runs by seed, in the grid's order.
///
/// # Errors
///
/// [`Error::Grid`] if the grid names an implementation that does not take part; as [`Hyperparameters::config`] and
/// [`Hyperparameters::training`].
pub fn jobs(grid: &Grid, selection: &Selection, candidates: &[Candidate], train: &Dataset) -> Result<Vec<Job>> {
    check_names(grid, candidates)?;
    let is_selected = |table: &&Table| {
        let figure = table.figure.as_ref().map(|figure| &figure.name);
        selection.only.is_empty() || selection.only.iter().any(|name| *name == table.name || Some(name) == figure)
    };
    let all: Vec<Wanted<'_>> = grid.tables.iter().flat_map(|table| &table.rows).flat_map(Wanted::of_row).collect();
    let tables = grid.tables.iter().filter(is_selected);
    let selected: Vec<Wanted<'_>> = tables.flat_map(|table| &table.rows).flat_map(Wanted::of_row).collect();
    let mut jobs = Vec::new();
    for wanted in &selected {
        add_checks(&mut jobs, wanted, &all, candidates, train)?;
    }
    for seed in 0..selection.seeds {
        for wanted in &selected {
            add_runs(&mut jobs, wanted, seed, candidates, train)?;
        }
    }
    Ok(jobs)
}

fn check_names(grid: &Grid, candidates: &[Candidate]) -> Result<()> {
    let known: Vec<&str> = candidates.iter().map(|candidate| candidate.identity().implementation.as_str()).collect();
    for table in &grid.tables {
        let causes = table.rows.iter().filter_map(|row| row.explained_by.as_ref()?.only.as_ref());
        if let Some(name) = [&table.by].into_iter().chain(causes).find(|name| !known.contains(&name.as_str())) {
            let reason = format!("there is no implementation '{name}' here; there are {}", known.join(", "));
            return Err(Error::Grid { origin: format!("table '{}'", table.name), reason });
        }
    }
    Ok(())
}

/// Adds the checks of a network, with the rules of all rows that have it.
fn add_checks(
    jobs: &mut Vec<Job>,
    wanted: &Wanted<'_>,
    all: &[Wanted<'_>],
    candidates: &[Candidate],
    train: &Dataset,
) -> Result<()> {
    let network = |training: &Hyperparameters| training.config(train.inputs(), train.classes());
    let (config, right) = (network(wanted.hyperparameters)?, network(wanted.right)?);
    let mut trainings: Vec<NamedTraining> = Vec::new();
    for other in all.iter().filter(|other| wanted.right.has_network_of(other.right)) {
        let training = other.right.training(1, 0)?;
        let rule = |training: &NamedTraining| (*training.config.optimizer(), training.config.learning_rate());
        if trainings.iter().all(|known| rule(known) != rule(&training)) {
            trainings.push(training);
        }
    }
    let name = config.activation().to_string();
    for (candidate, identity) in wanted.candidates(candidates) {
        let (right, trainings) = (right.clone(), trainings.clone());
        let kind = JobKind::Check { name: name.clone(), right, trainings };
        let job = Job { candidate, identity, config: config.clone(), images: train.len(), kind };
        if !jobs.contains(&job) {
            jobs.push(job);
        }
    }
    Ok(())
}

/// Adds the runs with this seed, or makes one that is there already long enough.
fn add_runs(
    jobs: &mut Vec<Job>,
    wanted: &Wanted<'_>,
    seed: u64,
    candidates: &[Candidate],
    train: &Dataset,
) -> Result<()> {
    for (candidate, identity) in wanted.candidates(candidates) {
        let training = wanted.hyperparameters.training(wanted.epochs, seed)?;
        let is_alike = |job: &&mut Job| match &job.kind {
            JobKind::Run(known) => {
                job.candidate == candidate
                    && (&known.name, known.config.seed()) == (&training.name, training.config.seed())
            }
            JobKind::Check { .. } => false,
        };
        match jobs.iter_mut().find(is_alike).map(|job| &mut job.kind) {
            Some(JobKind::Run(known)) => {
                known.config = known.config.with_epochs(known.config.epochs().max(training.config.epochs()));
            }
            _ => {
                let config = wanted.hyperparameters.config(train.inputs(), train.classes())?;
                jobs.push(Job { candidate, identity, config, images: train.len(), kind: JobKind::Run(training) });
            }
        }
    }
    Ok(())
}

/// A training that a row asks for.
struct Wanted<'a> {
    hyperparameters: &'a Hyperparameters,
    epochs: usize,
    only: Option<&'a str>,
    /// The row's own training, by whose derivatives this one is judged.
    right: &'a Hyperparameters,
}

impl<'a> Wanted<'a> {
    fn of_row(row: &'a Row) -> Vec<Self> {
        let right = &row.hyperparameters;
        let mut wanted = vec![Self { hyperparameters: right, epochs: row.epochs, only: row.only.as_deref(), right }];
        if let Some(cause) = &row.explained_by {
            let only = cause.only.as_deref();
            wanted.push(Self { hyperparameters: &cause.hyperparameters, epochs: cause.epochs, only, right });
        }
        wanted
    }

    fn candidates(&self, all: &[Candidate]) -> Vec<(usize, Identity)> {
        let named = all.iter().enumerate().map(|(index, candidate)| (index, candidate.identity().clone()));
        named.filter(|(_, identity)| self.only.is_none_or(|only| identity.implementation == only)).collect()
    }
}

/// The jobs of which there is no record.
pub fn missing(jobs: &[Job], records: &[Record]) -> Vec<Job> {
    let is_missing = |job: &&Job| !records.iter().any(|record| job.is_of(record) && job.is_done_by(record));
    jobs.iter().filter(is_missing).cloned().collect()
}

/// The jobs of one share. Shares take about the same time, and together are all jobs, each once.
pub fn of_shard(jobs: &[Job], shard: Shard) -> Vec<Job> {
    // The longest first, each to the share that has least so far (Graham 1969).
    let mut order: Vec<usize> = (0..jobs.len()).collect();
    order.sort_by(|&left, &right| jobs[right].cost().total_cmp(&jobs[left].cost()));
    let mut loads = vec![0.0; shard.count];
    let mut own = vec![false; jobs.len()];
    for index in order {
        let least = (0..loads.len()).min_by(|&left, &right| f64::total_cmp(&loads[left], &loads[right])).unwrap_or(0);
        loads[least] += jobs[index].cost();
        own[index] = least + 1 == shard.index;
    }
    jobs.iter().zip(own).filter(|(_, own)| *own).map(|(job, _)| job.clone()).collect()
}
