//! The answer in one word, and why.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Outcome;
use crate::control;
use crate::trained::{Agreement, Finding, Names};

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

impl Verdict {
    /// The program's exit code.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Agree => 0,
            Self::Disagree => 1,
            Self::Inconclusive | Self::Degenerate => 4,
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
            Self::Degenerate => "degenerate",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        })
    }
}

/// What trained networks, of which all runs are complete, come to.
pub(crate) fn of_trained(outcome: &Outcome) -> (Verdict, String) {
    let Outcome { agreements, equivalences, degenerate, .. } = outcome;
    let found = |finding| equivalences.iter().find(move |equivalence| equivalence.finding == finding);
    if let Some(different) = found(Finding::Different) {
        let reason = format!("every check holds, but {different}: what is wrong shows in longer training alone");
        return (Verdict::Disagree, reason);
    }
    if let Some(first) = degenerate.first() {
        let more = match degenerate.len() {
            1 => String::new(),
            count => format!(", and {} more like it", count - 1),
        };
        return (Verdict::Degenerate, format!("{first}{more}: that such networks agree proves nothing"));
    }
    if let Some(open) = found(Finding::Open) {
        return (Verdict::Inconclusive, format!("every check holds, but {open}"));
    }
    if let Some(reason) = agreements.iter().find_map(beyond_control) {
        return (Verdict::Inconclusive, reason);
    }
    let reason = match equivalences.as_slice() {
        [] => format!(
            "every check holds, and the trained networks differ by no more than {} times what chance does to twins that \
             start √steps ulps apart",
            control::FACTOR
        ),
        [one] => format!("every check holds, and {one}"),
        [first, ..] => format!(
            "every check holds, and over {} seeds all accuracies are equivalent within {:.2} points",
            first.seeds,
            first.margin * 100.0
        ),
    };
    (Verdict::Agree, reason)
}

fn beyond_control(agreement: &Agreement) -> Option<String> {
    let Agreement { names: Names { plan, left, right }, disagreements, accuracy_difference, .. } = agreement;
    let control = agreement.control.as_ref().filter(|control| !control.passed)?;
    Some(format!(
        "every check holds, but under plan {plan} {right} differs from {left} on {disagreements} test images and by \
         {:+.2} points of accuracy, where the control allows {:.0} images and {:.2} points; more seeds would tell \
         (--seeds 5)",
        accuracy_difference * 100.0,
        control.allowed_disagreements,
        control.allowed_accuracy_difference * 100.0,
    ))
}
