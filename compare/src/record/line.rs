//! Records: the lines of `records.jsonl`.

use mlp_parity::MlpConfig;
use serde::{Deserialize, Serialize};

use super::check::CheckRecord;
use super::environment::{DatasetRecord, Environment};
use super::run::RunRecord;
use super::shard::ShardRecord;
use crate::NamedTraining;
use crate::statistics::SequentialPlan;

/// Format and version of the lines in `records.jsonl`.
pub const RECORD_FORMAT: &str = "mlp-parity-record/2";

/// Name of the record file in an output folder.
pub const RECORDS: &str = "records.jsonl";

/// One line of `records.jsonl`: a training run or a check, with everything that is needed to interpret it.
///
/// `compare/schemas/record.schema.json` describes the JSON object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Format and version of the line, [`RECORD_FORMAT`].
    pub format: String,
    /// The shape of the network.
    pub config: MlpConfig,
    /// The identifier of the network's [deviation](crate::reproduction::Deviation); `None` if it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deviation: Option<String>,
    /// The result: a training run or a check.
    #[serde(flatten)]
    pub content: RecordContent,
    /// The data set.
    pub dataset: DatasetRecord,
    /// The program version and the machine.
    pub environment: Environment,
    /// The shard that the result belongs to, if the jobs of a [reproduction](crate::reproduction) were divided among
    /// several machines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<ShardRecord>,
    /// The plan by which seeds were added until every pair was decided, as its largest number of seeds; `None` if their
    /// number was fixed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_seeds: Option<SequentialPlan>,
}

impl Record {
    /// Serializes the record as one line of JSON that ends with a newline.
    ///
    /// # Errors
    ///
    /// Any error that the serializer returns.
    pub fn to_line(&self) -> serde_json::Result<Vec<u8>> {
        let mut line = serde_json::to_vec(self)?;
        line.push(b'\n');
        Ok(line)
    }
}

impl Record {
    /// Checks that the values are possible: programs other than this one can edit a record file, and tables and figures
    /// are computed from its numbers.
    ///
    /// # Errors
    ///
    /// A message that names the field, its value and the values that are allowed.
    pub(super) fn validate(&self) -> Result<(), String> {
        let DatasetRecord { train, test, .. } = self.dataset;
        if train == 0 || test == 0 {
            return Err(format!("dataset: {train} training and {test} test images; expected at least 1 of each"));
        }
        if let Some(ShardRecord { shard, jobs }) = self.shard
            && (jobs == 0 || !(1..=shard.count).contains(&shard.index))
        {
            return Err(format!("shard: index {} of {} with {jobs} jobs is impossible", shard.index, shard.count));
        }
        if let Some(max_seeds) = self.max_seeds.map(SequentialPlan::max_seeds)
            && max_seeds < SequentialPlan::FEWEST
        {
            return Err(format!("max_seeds is {max_seeds}; expected at least {}", SequentialPlan::FEWEST));
        }
        match &self.content {
            RecordContent::Run { training, run } => {
                run.validate(training, self.config.classes(), test).map_err(|reason| format!("run.{reason}"))
            }
            RecordContent::Check { .. } => Ok(()),
        }
    }
}

/// The result that a record contains.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum RecordContent {
    /// A training run.
    Run {
        /// The training configuration, with the seed of the run.
        training: NamedTraining,
        /// The results of the run.
        run: RunRecord,
    },
    /// The results of the check suite for one candidate.
    Check {
        /// The summary of the checks.
        check: CheckRecord,
    },
}

/// The properties that all training runs of one command have in common.
#[derive(Clone, Debug)]
pub struct RunContext<'a> {
    /// The shape of the network.
    pub config: &'a MlpConfig,
    /// The training configurations.
    pub trainings: &'a [NamedTraining],
    /// The data set.
    pub dataset: &'a DatasetRecord,
    /// The program version and the machine.
    pub environment: &'a Environment,
}

impl RunContext<'_> {
    /// Creates the record of a run; `None` if none of the training configurations has the name in `run.training`.
    pub fn record(&self, run: &RunRecord) -> Option<Record> {
        let training = self.trainings.iter().find(|training| training.name == run.training)?;
        let training = NamedTraining { name: training.name.clone(), config: training.config.with_seed(run.seed) };
        Some(Record {
            format: RECORD_FORMAT.to_owned(),
            config: self.config.clone(),
            deviation: None,
            content: RecordContent::Run { training, run: run.clone() },
            dataset: self.dataset.clone(),
            environment: self.environment.clone(),
            shard: None,
            max_seeds: None,
        })
    }
}
