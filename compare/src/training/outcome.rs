//! What a comparison came to.

use super::run::Run;
use super::trained::{Agreement, Degenerate, Equivalence};
use crate::check::{Check, Ladder};
use crate::{Error, Verdict};

/// What a comparison came to, and all that led there.
#[derive(Debug)]
pub struct Outcome {
    /// The answer.
    pub verdict: Verdict,
    /// Why.
    pub reason: String,
    /// How far everyone came on the ladder.
    pub ladder: Ladder,
    /// Every run of a participant, by plan and seed, without the twins.
    pub runs: Vec<Run>,
    /// Trained networks side by side, by plan and seed.
    pub agreements: Vec<Agreement>,
    /// What several seeds say about them, by plan.
    pub equivalences: Vec<Equivalence>,
    /// Trained networks that have learned nothing.
    pub degenerate: Vec<Degenerate>,
    /// What made the verdict *failed*.
    pub error: Option<Error>,
}

impl Outcome {
    /// The first check that failed.
    pub fn first_failure(&self) -> Option<&Check> {
        self.ladder.first_failure()
    }

    pub(super) fn conclude(mut self, verdict: Verdict, reason: impl Into<String>) -> Self {
        self.verdict = verdict;
        self.reason = reason.into();
        self
    }
}
