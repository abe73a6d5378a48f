//! What is to be done for a grid.

use mlp_parity::mnist::ORIGINAL_SIZES;
use mlp_parity::{Activation, Dataset, MlpConfig, Optimizer};

use super::grid::{Grid, Row, Table};
use super::settings::Training;
use crate::record::{Measurement, Record, Shard};
use crate::{Error, Identity, NamedPlan, Participant, Result};

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
    /// Index into the participants.
    pub participant: usize,
    /// Who that is.
    pub identity: Identity,
    /// The network.
    pub config: MlpConfig,
    /// Training images.
    pub images: usize,
    /// What is done with it.
    pub kind: Kind,
}

/// What a job does.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// Trains it.
    Run(NamedPlan),
    /// Checks every step of its computation.
    Check {
        /// The activation, if it is right.
        name: String,
        /// What is right: the network that the oracle computes.
        right: MlpConfig,
        /// The rules whose steps are checked.
        plans: Vec<NamedPlan>,
    },
}

impl Job {
    /// `relu-sgd-0.01-batch-64, framework/flex, seed 3`
    pub fn name(&self) -> String {
        match &self.kind {
            Kind::Run(plan) => format!("{}, {}, seed {}", plan.name, self.identity, plan.plan.seed()),
            Kind::Check { name, .. } => format!("check of {name}, {}", self.identity),
        }
    }

    /// Whether this record is the one of this job, or of a job like it with other data, epochs or programs.
    pub fn is_of(&self, record: &Record) -> bool {
        match (&self.kind, &record.measurement) {
            (Kind::Run(plan), Measurement::Run { run, .. }) => {
                plan.name == run.plan && plan.plan.seed() == run.seed && self.is_by(&run.identity)
            }
            (Kind::Check { name, .. }, Measurement::Check { check }) => {
                *name == check.name && self.is_by(&check.identity)
            }
            _ => false,
        }
    }

    fn is_by(&self, other: &Identity) -> bool {
        (&self.identity.implementation, &self.identity.backend) == (&other.implementation, &other.backend)
    }

    /// Whether a record of this job has all that it would measure: the same network and plan, and as many epochs.
    pub fn is_done_by(&self, record: &Record) -> bool {
        let same_plan = match (&self.kind, &record.measurement) {
            (Kind::Run(plan), Measurement::Run { training, run }) => {
                let shorter = training.plan.with_epochs(plan.plan.epochs());
                run.complete && shorter == plan.plan && training.plan.epochs() >= plan.plan.epochs()
            }
            _ => true,
        };
        same_plan && self.config == record.config
    }

    /// About how long it takes, in epochs of the first participant on 60,000 images, with ReLU and SGD in batches of 64. It
    /// was measured on a CPU; it decides the order of jobs and the size of shares, and never a result.
    pub fn cost(&self) -> f64 {
        let Kind::Run(plan) = &self.kind else { return 5.0 };
        let of = |[first, others]: [f64; 2]| if self.participant == 0 { first } else { others };
        let per_image = of(match self.config.activation() {
            Activation::Relu => [0.9, 2.6],
            Activation::Sigmoid => [0.95, 3.5],
            Activation::Tanh => [0.95, 4.6],
            Activation::TanhAsPrinted => [1.15, 5.0],
        });
        let per_step = of(match plan.plan.optimizer() {
            Optimizer::Sgd { .. } => [0.1, 0.3],
            Optimizer::Momentum { .. } => [0.3, 1.0],
            Optimizer::Adam { .. } | Optimizer::AdamW { .. } => [0.7, 3.7],
        });
        let steps = 64.0 / plan.plan.batch_size() as f64;
        let images = self.images as f64 / ORIGINAL_SIZES.0 as f64;
        plan.plan.epochs() as f64 * images * (per_image + per_step * steps)
    }
}

/// All jobs of the selected part of a grid: checks, then runs by seed, in the grid's order.
///
/// # Errors
///
/// [`Error::Grid`] if the grid names an implementation that does not take part; as [`Training::config`] and
/// [`Training::plan`].
pub fn jobs(grid: &Grid, selection: &Selection, participants: &[Participant], train: &Dataset) -> Result<Vec<Job>> {
    check_names(grid, participants)?;
    let is_selected = |table: &&Table| {
        let figure = table.figure.as_ref().map(|figure| &figure.name);
        selection.only.is_empty() || selection.only.iter().any(|name| *name == table.name || Some(name) == figure)
    };
    let all: Vec<Wanted<'_>> = grid.tables.iter().flat_map(|table| &table.rows).flat_map(Wanted::of_row).collect();
    let tables = grid.tables.iter().filter(is_selected);
    let selected: Vec<Wanted<'_>> = tables.flat_map(|table| &table.rows).flat_map(Wanted::of_row).collect();
    let mut jobs = Vec::new();
    for wanted in &selected {
        add_checks(&mut jobs, wanted, &all, participants, train)?;
    }
    for seed in 0..selection.seeds {
        for wanted in &selected {
            add_runs(&mut jobs, wanted, seed, participants, train)?;
        }
    }
    Ok(jobs)
}

fn check_names(grid: &Grid, participants: &[Participant]) -> Result<()> {
    let known: Vec<&str> =
        participants.iter().map(|participant| participant.identity().implementation.as_str()).collect();
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
    participants: &[Participant],
    train: &Dataset,
) -> Result<()> {
    let network = |training: &Training| training.config(train.inputs(), train.classes());
    let (config, right) = (network(wanted.training)?, network(wanted.right)?);
    let mut plans: Vec<NamedPlan> = Vec::new();
    for other in all.iter().filter(|other| wanted.right.has_network_of(other.right)) {
        let plan = other.right.plan(1, 0)?;
        let rule = |plan: &NamedPlan| (*plan.plan.optimizer(), plan.plan.learning_rate());
        if plans.iter().all(|known| rule(known) != rule(&plan)) {
            plans.push(plan);
        }
    }
    let name = config.activation().to_string();
    for (participant, identity) in wanted.participants(participants) {
        let (right, plans) = (right.clone(), plans.clone());
        let kind = Kind::Check { name: name.clone(), right, plans };
        let job = Job { participant, identity, config: config.clone(), images: train.len(), kind };
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
    participants: &[Participant],
    train: &Dataset,
) -> Result<()> {
    for (participant, identity) in wanted.participants(participants) {
        let plan = wanted.training.plan(wanted.epochs, seed)?;
        let is_alike = |job: &&mut Job| match &job.kind {
            Kind::Run(known) => {
                job.participant == participant && (&known.name, known.plan.seed()) == (&plan.name, plan.plan.seed())
            }
            Kind::Check { .. } => false,
        };
        match jobs.iter_mut().find(is_alike).map(|job| &mut job.kind) {
            Some(Kind::Run(known)) => {
                known.plan = known.plan.with_epochs(known.plan.epochs().max(plan.plan.epochs()));
            }
            _ => {
                let config = wanted.training.config(train.inputs(), train.classes())?;
                jobs.push(Job { participant, identity, config, images: train.len(), kind: Kind::Run(plan) });
            }
        }
    }
    Ok(())
}

/// A training that a row asks for.
struct Wanted<'a> {
    training: &'a Training,
    epochs: usize,
    only: Option<&'a str>,
    /// The row's own training, by whose derivatives this one is judged.
    right: &'a Training,
}

impl<'a> Wanted<'a> {
    fn of_row(row: &'a Row) -> Vec<Self> {
        let right = &row.training;
        let mut wanted = vec![Self { training: right, epochs: row.epochs, only: row.only.as_deref(), right }];
        if let Some(cause) = &row.explained_by {
            let only = cause.only.as_deref();
            wanted.push(Self { training: &cause.training, epochs: cause.epochs, only, right });
        }
        wanted
    }

    fn participants(&self, all: &[Participant]) -> Vec<(usize, Identity)> {
        let named = all.iter().enumerate().map(|(index, participant)| (index, participant.identity().clone()));
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
