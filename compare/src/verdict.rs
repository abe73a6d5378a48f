//! The answer in one word, and why.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a comparison came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Every check held, and the trained networks differ no more than chance explains, or less than the margin.
    Agree,
    /// A check failed, or the trained networks differ by more than the margin.
    Disagree,
    /// Every check held, but the trained networks differ more than the control, or there are too few seeds to tell.
    Inconclusive,
    /// Every check held, but a trained network has learned nothing, so that agreement proves nothing.
    Degenerate,
    /// A run failed.
    Failed,
    /// The user ended it.
    Interrupted,
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Agree => "agree",
            Self::Disagree => "disagree",
            Self::Inconclusive => "inconclusive",
            Self::Degenerate => "degenerate",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        })
    }
}
