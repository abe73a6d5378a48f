//! Stored summaries of check suite results.

use serde::{Deserialize, Serialize};

use crate::Identity;
use crate::check::{CheckReport, Stage};
use crate::statistics::text::{deserialize_number, serialize_number};

/// Summary of the check suite's result for one candidate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckRecord {
    /// Name of the checked network in the reproduced report: its activation function.
    pub name: String,
    /// The candidate that was checked.
    #[serde(flatten)]
    pub identity: Identity,
    /// The result.
    #[serde(flatten)]
    pub summary: CheckSummary,
}

/// Summary of a run of the check suite on one network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckSummary {
    /// Number of checks that were run; the check suite ends with the first stage that fails.
    pub checks: usize,
    /// The first failed check; `None` if all checks passed.
    pub failure: Option<Failure>,
}

/// Summary of a failed check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// Stage of the check suite.
    pub stage: Stage,
    /// Name of the compared tensor, such as `layer1.weight`.
    pub tensor: String,
    /// Absolute error of the tensor's element with the largest error ratio.
    #[serde(serialize_with = "serialize_number", deserialize_with = "deserialize_number")]
    pub error: f64,
    /// Error bound of the element with the largest error ratio.
    #[serde(serialize_with = "serialize_number", deserialize_with = "deserialize_number")]
    pub bound: f64,
    /// Error ratio of that element: `error` divided by `bound`.
    #[serde(serialize_with = "serialize_number", deserialize_with = "deserialize_number")]
    pub error_ratio: f64,
}

impl CheckRecord {
    /// Summarizes the checks of the candidate `identity` on the network `name`.
    pub fn new(name: &str, identity: &Identity, report: &CheckReport) -> Self {
        Self { name: name.to_owned(), identity: identity.clone(), summary: CheckSummary::new(report) }
    }
}

impl CheckSummary {
    /// Summarizes a report.
    pub fn new(report: &CheckReport) -> Self {
        let failure = report.first_failure().map(|check| Failure {
            stage: check.stage,
            tensor: check.tensor.clone(),
            error: check.error,
            bound: check.bound,
            error_ratio: check.error_ratio,
        });
        Self { checks: report.checks.len(), failure }
    }
}
