//! The summary of one candidate's checks.

use serde::{Deserialize, Serialize};

use crate::Identity;
use crate::check::{CheckReport, Stage};
use crate::number::{any_number, number};

/// The summary of one candidate's checks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckRecord {
    /// The name of the checked network in its grid: its activation.
    pub name: String,
    /// The candidate.
    #[serde(flatten)]
    pub identity: Identity,
    /// Number of checks, up to the first stage that failed.
    pub checks: usize,
    /// The first failed check.
    pub failure: Option<Failure>,
}

/// A failed check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// Its stage.
    pub stage: Stage,
    /// Its tensor.
    pub tensor: String,
    /// The error of the element with the largest error ratio.
    #[serde(serialize_with = "number", deserialize_with = "any_number")]
    pub error: f64,
    /// The error bound of that element.
    #[serde(serialize_with = "number", deserialize_with = "any_number")]
    pub bound: f64,
    /// `error` / `bound`
    #[serde(serialize_with = "number", deserialize_with = "any_number")]
    pub error_ratio: f64,
}

impl CheckRecord {
    /// Summarizes a report.
    pub fn new(name: &str, identity: &Identity, report: &CheckReport) -> Self {
        let failure = report.first_failure().map(|check| Failure {
            stage: check.stage,
            tensor: check.tensor.clone(),
            error: check.error,
            bound: check.bound,
            error_ratio: check.error_ratio,
        });
        Self { name: name.to_owned(), identity: identity.clone(), checks: report.checks.len(), failure }
    }
}
