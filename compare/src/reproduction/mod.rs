//! Reproduction of a published report: every row of its tables is repeated with every candidate and several seeds.
//!
//! The report's tables and the hyper-parameters of their rows are data: a [`Grid`], read from a TOML file. [`jobs`]
//! turns the rows into [`Job`]s; rows that differ only in their number of epochs share one run. [`Reproduction`]
//! executes the jobs, and each finished job becomes one record. The [`Results`], which assess every row of the report,
//! are a pure function of the grid and the records, so they can be recomputed at any time.

mod agreement;
mod assessment;
mod consistency;
pub mod display;
mod document;
mod findings;
mod grid;
mod hyperparameters;
mod jobs;
mod results;

pub use agreement::{PAIRS_CAPTION, Pair, compared_candidates};
pub use assessment::{MetricAssessment, RowAssessment, RowVerdict};
pub use consistency::{check_consistency, check_origin};
pub use grid::{Claim, Explanation, FigureTitle, GRID_FILE, Grid, PAIRS, RUNS, Row, RowName, Table};
pub use hyperparameters::{Deviation, Hyperparameters};
pub use jobs::{
    Job, JobKind, JobMonitor, RemainingTime, Reproduction, Selection, divisible_parts, jobs, jobs_of_shard,
    missing_jobs, needed_jobs,
};
pub use results::{Finding, Provenance, Results, RowResult, TableResult};
