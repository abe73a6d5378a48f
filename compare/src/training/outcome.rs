//! The outcome of a comparison, its verdict and reason.

use super::control;
use super::run::Run;
use super::trained::{Agreement, Degenerate, Equivalence, Finding, Names};
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

/// What trained networks, of which all runs are complete, come to.
pub(super) fn of_trained(outcome: &Outcome) -> (Verdict, String) {
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
         {:+.2} points of accuracy, where the control allows {:.0} images and {:.2} points; more seeds would tell",
        accuracy_difference * 100.0,
        control.allowed_disagreements,
        control.allowed_accuracy_difference * 100.0,
    ))
}
