//! A line of a file of records.

use mlp_parity::MlpConfig;
use serde::{Deserialize, Serialize};

use super::check::CheckRecord;
use super::environment::{DatasetRecord, Environment};
use super::run::RunRecord;
use super::shard::ShardRecord;
use crate::NamedPlan;

/// The version of the lines in `records.jsonl`.
pub const RECORD_FORMAT: &str = "mlp-parity-record/1";

/// The file of records in a folder of results.
pub const RECORDS: &str = "records.jsonl";

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
}
