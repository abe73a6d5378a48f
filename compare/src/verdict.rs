//! The answer in one word.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a comparison came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Every check held, and the trained networks differ no more than chance explains.
    Agree,
    /// A check failed.
    Disagree,
    /// Every check held, but the trained networks differ more than the control.
    Inconclusive,
    /// A run failed.
    Failed,
    /// The user ended it.
    Interrupted,
}

impl Verdict {
    /// The program's exit code.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Agree => 0,
            Self::Disagree => 1,
            Self::Inconclusive => 4,
            Self::Failed => 5,
            Self::Interrupted => 130,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Agree => "agree",
            Self::Disagree => "disagree",
            Self::Inconclusive => "inconclusive",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        })
    }
}
