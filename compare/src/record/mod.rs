//! What is measured, once, and stored: everything printed is a function of these.

mod check;
mod environment;
mod journal;
mod line;
mod prediction;
mod run;
mod shard;

pub use check::{CheckRecord, Failure};
pub use environment::{DatasetRecord, Environment};
pub use journal::{Journal, read};
pub use line::{RECORD_FORMAT, RECORDS, Record, RecordContent, RunContext};
pub use prediction::{Answer, Prediction};
pub use run::{EpochRecord, RunRecord};
pub use shard::{Shard, ShardRecord};
