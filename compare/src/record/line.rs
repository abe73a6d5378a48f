//! A line of a file of records.

use mlp_parity::MlpConfig;
use serde::{Deserialize, Serialize};

use super::check::CheckRecord;
use super::environment::{DatasetRecord, Environment};
use super::run::RunRecord;
use super::shard::ShardRecord;
use crate::NamedTraining;

/// The version of the lines in `records.jsonl`.
pub const RECORD_FORMAT: &str = "mlp-parity-record/2";

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
    pub content: RecordContent,
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
pub enum RecordContent {
    /// A run.
    Run {
        /// Its training.
        training: NamedTraining,
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
pub struct RunContext<'a> {
    /// The shape of the network.
    pub config: &'a MlpConfig,
    /// The trainings.
    pub trainings: &'a [NamedTraining],
    /// The data.
    pub dataset: &'a DatasetRecord,
    /// The program.
    pub environment: &'a Environment,
}

impl RunContext<'_> {
    /// The line of a run.
    pub fn record(&self, run: &RunRecord) -> Option<Record> {
        let training = self.trainings.iter().find(|training| training.name == run.training)?;
        let training = NamedTraining { name: training.name.clone(), config: training.config.with_seed(run.seed) };
        Some(Record {
            format: RECORD_FORMAT.to_owned(),
            config: self.config.clone(),
            content: RecordContent::Run { training, run: run.clone() },
            dataset: self.dataset.clone(),
            environment: self.environment.clone(),
            shard: None,
        })
    }
}
