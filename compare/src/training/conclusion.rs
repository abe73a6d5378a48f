//! The verdict on trained networks, and its reason.

use super::control;
use super::outcome::Outcome;
use super::trained::{Agreement, Finding, Names};
use crate::Verdict;

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
         {:+.2} points of accuracy, where the control allows {:.0} images and {:.2} points; more seeds would tell",
        accuracy_difference * 100.0,
        control.allowed_disagreements,
        control.allowed_accuracy_difference * 100.0,
    ))
}
