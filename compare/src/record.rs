//! What is measured, once, and stored: everything printed is a function of these.

mod journal;

use std::fmt;
use std::str::FromStr;

use mlp_parity::MlpConfig;
use mlp_parity::metrics::{Epoch, Evaluation};
use ndarray::Array2;
use serde::{Deserialize, Deserializer, Serialize};

pub use journal::{Journal, read};

use crate::agreement::{Check, Climb, number};
use crate::trained::{Agreement, Degenerate, Equivalence};
use crate::{Identity, NamedPlan, Outcome};

/// The version of the lines in `records.jsonl`.
pub const RECORD_FORMAT: &str = "mlp-parity-record/1";

/// The file of records in a folder of results.
pub const RECORDS: &str = "records.jsonl";

/// The version of the document that `--json` prints.
pub const RESULT_FORMAT: &str = "mlp-parity-result/1";

/// One epoch of a run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// Counted from 1.
    pub epoch: usize,
    /// Running mean of the loss over the epoch.
    #[serde(serialize_with = "number", deserialize_with = "any_number")]
    pub train_loss: f64,
    /// Mean loss of the test images after the epoch.
    #[serde(serialize_with = "number", deserialize_with = "any_number")]
    pub test_loss: f64,
    /// Share of the test images that are classified right after the epoch.
    #[serde(serialize_with = "number", deserialize_with = "any_number")]
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// The plan's name.
    pub plan: String,
    /// Who ran.
    #[serde(flatten)]
    pub identity: Identity,
    /// The optimizer's name.
    pub optimizer: String,
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
            optimizer: plan.plan.optimizer().name().to_owned(),
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
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Environment {
    /// The program's version.
    pub version: String,
    /// The commit that it was built from.
    pub revision: String,
    /// The operating system.
    pub os: String,
    /// The processor's architecture.
    pub arch: String,
    /// Threads that the program may use.
    pub threads: usize,
}

impl Environment {
    /// This program, here.
    pub fn here(threads: usize) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            revision: env!("MLP_PARITY_REVISION").to_owned(),
            os: std::env::consts::OS.to_owned(),
            arch: std::env::consts::ARCH.to_owned(),
            threads,
        }
    }
}

/// A share of the jobs of a grid: the `index`-th of `count`, from 1 on. Written `2/4`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Shard {
    /// Which one.
    pub index: usize,
    /// Of how many.
    pub count: usize,
}

impl fmt::Display for Shard {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.index, self.count)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/').and_then(|(index, count)| Some((index.parse().ok()?, count.parse().ok()?)));
        match parts {
            Some((index, count)) if (1..=count).contains(&index) => Ok(Self { index, count }),
            _ => Err(format!("'{text}' is no share; write '1/4' to '4/4' for the four quarters")),
        }
    }
}

/// A share, and how many records it has when it is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardRecord {
    /// Which share.
    #[serde(flatten)]
    pub shard: Shard,
    /// How many jobs it has.
    pub jobs: usize,
}

/// What one participant's climb has shown, in short.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckRecord {
    /// What was checked, as the grid names it.
    pub name: String,
    /// Who climbed.
    #[serde(flatten)]
    pub identity: Identity,
    /// How many comparisons there were, up to the first rung that broke.
    pub comparisons: usize,
    /// The first that failed.
    pub failure: Option<Failure>,
}

/// A comparison that failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// The rung.
    pub rung: String,
    /// The tensor.
    pub tensor: String,
    /// By how much it differs from the oracle, in the element that is furthest beyond what is allowed.
    #[serde(serialize_with = "number", deserialize_with = "any_number")]
    pub max_abs: f64,
    /// By how much it may differ there.
    #[serde(serialize_with = "number", deserialize_with = "any_number")]
    pub allowed: f64,
}

impl CheckRecord {
    /// Of this climb.
    pub fn new(name: &str, identity: &Identity, climb: &Climb) -> Self {
        let failure = climb.first_failure().map(|check| Failure {
            rung: check.rung.to_string(),
            tensor: check.tensor.clone(),
            max_abs: check.max_abs,
            allowed: check.allowed,
        });
        Self { name: name.to_owned(), identity: identity.clone(), comparisons: climb.checks.len(), failure }
    }
}

/// One line of `records.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// [`RECORD_FORMAT`].
    pub format: String,
    /// The shape of the network.
    pub config: MlpConfig,
    /// What was measured.
    #[serde(flatten)]
    pub measurement: Measurement,
    /// The data.
    pub dataset: DatasetRecord,
    /// The program.
    pub environment: Environment,
    /// The share of a grid that it belongs to, where the grid was shared out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<ShardRecord>,
}

impl Record {
    /// The line, with its end.
    ///
    /// # Errors
    ///
    /// What serialisation reports.
    pub fn line(&self) -> serde_json::Result<Vec<u8>> {
        let mut line = serde_json::to_vec(self)?;
        line.push(b'\n');
        Ok(line)
    }
}

/// What a line tells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Measurement {
    /// A run.
    Run {
        /// Its plan.
        training: NamedPlan,
        /// What came of it.
        run: RunRecord,
    },
    /// A check of every step of the computation.
    Check {
        /// What came of it.
        check: CheckRecord,
    },
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
    /// The line of a run.
    pub fn record(&self, run: &RunRecord) -> Option<Record> {
        let plan = self.plans.iter().find(|plan| plan.name == run.plan)?;
        let training = NamedPlan { name: plan.name.clone(), plan: plan.plan.with_seed(run.seed) };
        Some(Record {
            format: RECORD_FORMAT.to_owned(),
            config: self.config.clone(),
            measurement: Measurement::Run { training, run: run.clone() },
            dataset: self.dataset.clone(),
            environment: self.environment.clone(),
            shard: None,
        })
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
            plans: &'a [NamedPlan],
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
            plans: self.plans,
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

/// What [`number`] writes.
fn any_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Number {
        Finite(f64),
        Other(Other),
    }
    #[derive(Deserialize)]
    enum Other {
        NaN,
        Infinity,
        #[serde(rename = "-Infinity")]
        NegativeInfinity,
    }
    Ok(match Number::deserialize(deserializer)? {
        Number::Finite(value) => value,
        Number::Other(Other::NaN) => f64::NAN,
        Number::Other(Other::Infinity) => f64::INFINITY,
        Number::Other(Other::NegativeInfinity) => f64::NEG_INFINITY,
    })
}
