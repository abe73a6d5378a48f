//! Stored results: training runs, checks and predictions, with the data and the environment that they depend on.
//!
//! Everything is measured once and stored as a [`Record`], one line of JSON in `records.jsonl`. Tables, figures and
//! reports are computed from the records and can be regenerated at any time. [`Journal`] appends records to the file,
//! and [`RecordFile`] reads it.

mod check;
mod environment;
mod journal;
mod line;
mod prediction;
mod run;
mod shard;

pub use check::{CheckRecord, CheckSummary, Failure};
pub use environment::{DatasetRecord, Environment};
pub use journal::{Journal, RecordFile};
pub use line::{RECORD_FORMAT, RECORDS, Record, RecordContent, RunContext};
pub use prediction::{Answer, Prediction};
pub(crate) use run::check_epochs;
pub use run::{EpochRecord, RunRecord};
pub use shard::{Shard, ShardRecord};
