//! What is measured, once, and stored: everything printed is a function of these.

use std::path::Path;

use mlp_parity::file::write_atomically;
use mlp_parity::metrics::{Epoch, Evaluation};
use mlp_parity::{MlpConfig, TrainingConfig};
use ndarray::Array2;
use serde::Serialize;

use crate::agreement::{Check, number};
use crate::trained::{Agreement, Degenerate, Equivalence};
use crate::{Identity, NamedPlan, Outcome};

/// The version of the lines in `records.jsonl`.
pub const RECORD_FORMAT: &str = "mlp-parity-record/1";

/// The version of the document that `--json` prints.
pub const RESULT_FORMAT: &str = "mlp-parity-result/1";

/// One epoch of a run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct EpochRecord {
    /// Counted from 1.
    pub epoch: usize,
    /// Running mean of the loss over the epoch.
    #[serde(serialize_with = "number")]
    pub train_loss: f64,
    /// Mean loss of the test images after the epoch.
    #[serde(serialize_with = "number")]
    pub test_loss: f64,
    /// Share of the test images that are classified right after the epoch.
    #[serde(serialize_with = "number")]
    pub test_accuracy: f64,
    /// Training time, without evaluation.
    pub seconds: f64,
}

impl EpochRecord {
    pub(crate) fn new(epoch: &Epoch, evaluation: &Evaluation) -> Self {
        Self {
            epoch: epoch.epoch,
            train_loss: epoch.train_loss,
            test_loss: evaluation.loss,
            test_accuracy: evaluation.accuracy,
            seconds: epoch.seconds,
        }
    }
}

/// One run of one participant.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunRecord {
    /// The plan's name.
    pub plan: String,
    /// Who ran.
    #[serde(flatten)]
    pub identity: Identity,
    /// The optimizer's name.
    pub optimizer: &'static str,
    /// The seed of the order of images.
    pub seed: u64,
    /// The complete epochs.
    pub epochs: Vec<EpochRecord>,
    /// Test images by label (rows) and predicted class after the last of them; empty without any.
    pub confusion: Vec<Vec<usize>>,
    /// Whether all epochs of the plan are.
    pub complete: bool,
}

impl RunRecord {
    pub(crate) fn new(
        plan: &NamedPlan,
        identity: &Identity,
        epochs: Vec<EpochRecord>,
        confusion: Option<&Array2<usize>>,
        complete: bool,
    ) -> Self {
        let rows = confusion.map(|matrix| matrix.rows().into_iter().map(|row| row.to_vec()).collect());
        Self {
            plan: plan.name.clone(),
            identity: identity.clone(),
            optimizer: plan.plan.optimizer().name(),
            seed: plan.plan.seed(),
            epochs,
            confusion: rows.unwrap_or_default(),
            complete,
        }
    }

    /// Mean training time of an epoch.
    pub fn seconds_per_epoch(&self) -> Option<f64> {
        let total: f64 = self.epochs.iter().map(|epoch| epoch.seconds).sum();
        (!self.epochs.is_empty()).then(|| total / self.epochs.len() as f64)
    }
}

/// The data of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DatasetRecord {
    /// `embedded`, or the folder.
    pub source: String,
    /// Of the four files.
    pub digest: String,
    /// Number of training images used.
    pub train: usize,
    /// Number of test images used.
    pub test: usize,
}

/// Which program ran where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Environment {
    /// The program's version.
    pub version: &'static str,
    /// The commit that it was built from.
    pub revision: &'static str,
    /// The operating system.
    pub os: &'static str,
    /// The processor's architecture.
    pub arch: &'static str,
    /// Threads that the program may use.
    pub threads: usize,
}

impl Environment {
    /// This program, here.
    pub fn here(threads: usize) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            revision: env!("MLP_PARITY_REVISION"),
            os: std::env::consts::OS,
            arch: std::env::consts::ARCH,
            threads,
        }
    }
}

/// A plan with its name.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlanRecord<'a> {
    name: &'a str,
    #[serde(flatten)]
    plan: &'a TrainingConfig,
}

impl<'a> From<&'a NamedPlan> for PlanRecord<'a> {
    fn from(plan: &'a NamedPlan) -> Self {
        Self { name: &plan.name, plan: &plan.plan }
    }
}

/// One line of `records.jsonl`.
#[derive(Clone, Debug, Serialize)]
struct Line<'a> {
    format: &'static str,
    config: &'a MlpConfig,
    #[serde(rename = "training")]
    plan: PlanRecord<'a>,
    dataset: &'a DatasetRecord,
    environment: &'a Environment,
    run: &'a RunRecord,
}

/// Everything that the runs of one call have in common.
#[derive(Clone, Debug)]
pub struct Setting<'a> {
    /// The shape of the network.
    pub config: &'a MlpConfig,
    /// The plans.
    pub plans: &'a [NamedPlan],
    /// The data.
    pub dataset: &'a DatasetRecord,
    /// The program.
    pub environment: &'a Environment,
}

impl Setting<'_> {
    /// Appends one line for each run to the file; lines that are there stay.
    ///
    /// # Errors
    ///
    /// [`mlp_parity::Error::Io`] if the file cannot be read or written; it is then unchanged.
    pub fn append(&self, path: &Path, runs: &[&RunRecord]) -> mlp_parity::Result<()> {
        let mut lines = match std::fs::read(path) {
            Ok(lines) => lines,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(mlp_parity::Error::io("read", path)(error)),
        };
        for run in runs {
            let Some(plan) = self.plans.iter().find(|plan| plan.name == run.plan) else { continue };
            let plan = NamedPlan { name: plan.name.clone(), plan: plan.plan.with_seed(run.seed) };
            let (config, dataset, environment) = (self.config, self.dataset, self.environment);
            let line = Line { format: RECORD_FORMAT, config, plan: (&plan).into(), dataset, environment, run };
            let failed = |error| mlp_parity::Error::io("write", path)(std::io::Error::from(error));
            serde_json::to_writer(&mut lines, &line).map_err(failed)?;
            lines.push(b'\n');
        }
        write_atomically(path, &lines)
    }

    /// The document that `--json` prints: of a comparison, or of one run, which has no verdict.
    pub fn document(&self, runs: &[&RunRecord], outcome: Option<&Outcome>) -> serde_json::Result<String> {
        #[derive(Serialize)]
        struct Document<'a> {
            format: &'static str,
            #[serde(flatten)]
            verdict: Option<VerdictRecord<'a>>,
            config: &'a MlpConfig,
            dataset: &'a DatasetRecord,
            environment: &'a Environment,
            plans: Vec<PlanRecord<'a>>,
            #[serde(skip_serializing_if = "Option::is_none")]
            checks: Option<Vec<&'a Check>>,
            runs: &'a [&'a RunRecord],
            #[serde(flatten)]
            trained: Option<Trained<'a>>,
        }
        #[derive(Serialize)]
        struct Trained<'a> {
            agreements: &'a [Agreement],
            equivalences: &'a [Equivalence],
            degenerate: &'a [Degenerate],
        }
        #[derive(Serialize)]
        struct VerdictRecord<'a> {
            verdict: crate::Verdict,
            reason: &'a str,
        }
        serde_json::to_string_pretty(&Document {
            format: RESULT_FORMAT,
            verdict: outcome.map(|outcome| VerdictRecord { verdict: outcome.verdict, reason: &outcome.reason }),
            config: self.config,
            dataset: self.dataset,
            environment: self.environment,
            plans: self.plans.iter().map(PlanRecord::from).collect(),
            checks: outcome.map(|outcome| outcome.ladder.climbs.iter().flat_map(|climb| &climb.checks).collect()),
            runs,
            trained: outcome.map(|Outcome { agreements, equivalences, degenerate, .. }| Trained {
                agreements,
                equivalences,
                degenerate,
            }),
        })
    }
}
