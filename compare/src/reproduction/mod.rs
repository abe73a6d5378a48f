//! A published report, measured again: every row of its tables, by every implementation, over several seeds.
//!
//! What the report states is data ([`Grid`], a TOML file). Its rows become [`Job`]s: rows that differ in nothing but their
//! epochs are one run. Each finished job is one record, and everything that is said of the report ([`Results`]) is a function
//! of the grid and the records.

mod assessment;
mod consistency;
mod document;
mod findings;
mod grid;
mod hyperparameters;
mod job;
mod remaining_time;
mod results;
mod run;
pub mod show;

pub use assessment::{MetricAssessment, RowAssessment, RowVerdict};
pub use consistency::{check_consistency, check_origin};
pub use findings::Finding;
pub use grid::{Claim, Explanation, FigureTitle, GRID_FILE, Grid, Row, RowName, Table};
pub use hyperparameters::Hyperparameters;
pub use job::{Job, JobKind, Selection, jobs, missing, of_shard};
pub use remaining_time::RemainingTime;
pub use results::{Provenance, Results, RowResult, TableResult};
pub use run::{JobMonitor, Reproduction};
