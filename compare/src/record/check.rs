//! A summary of one participant's checks.

use serde::{Deserialize, Serialize};

use crate::Identity;
use crate::check::Climb;
use crate::number::{any_number, number};

/// A summary of one participant's checks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckRecord {
    /// What was checked, as the grid names it.
    pub name: String,
    /// Who climbed.
    #[serde(flatten)]
    pub identity: Identity,
    /// How many comparisons there were, up to the first rung that broke.
    pub comparisons: usize,
    /// The first that failed.
    pub failure: Option<Failure>,
}

/// A comparison that failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// The rung.
    pub rung: String,
    /// The tensor.
    pub tensor: String,
    /// By how much it differs from the oracle, in the element that is furthest beyond what is allowed.
    #[serde(serialize_with = "number", deserialize_with = "any_number")]
    pub max_abs: f64,
    /// By how much it may differ there.
    #[serde(serialize_with = "number", deserialize_with = "any_number")]
    pub allowed: f64,
}

impl CheckRecord {
    /// Of this climb.
    pub fn new(name: &str, identity: &Identity, climb: &Climb) -> Self {
        let failure = climb.first_failure().map(|check| Failure {
            rung: check.rung.to_string(),
            tensor: check.tensor.clone(),
            max_abs: check.max_abs,
            allowed: check.allowed,
        });
        Self { name: name.to_owned(), identity: identity.clone(), comparisons: climb.checks.len(), failure }
    }
}
