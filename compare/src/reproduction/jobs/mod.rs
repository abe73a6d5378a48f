//! Jobs of a reproduction: what a grid requires, in which rounds and shards it is executed, and how long that takes.

mod job;
mod remaining_time;
mod rounds;
mod run;

pub use job::{Job, JobKind, Selection, divisible_parts, jobs, jobs_of_shard, missing_jobs};
pub use remaining_time::RemainingTime;
pub use rounds::needed_jobs;
pub use run::{JobMonitor, Reproduction};
