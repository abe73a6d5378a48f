//! The verdict of a comparison.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The result of comparing candidates, in one word.
///
/// [`Comparison::run`](crate::Comparison::run) applies these rules in order; the first one that matches decides:
///
/// 1. A check of the [check suite](crate::check) fails: [`Disagree`](Self::Disagree), and nothing is trained.
/// 2. A training run, or storing its result, returns an error: [`Failed`](Self::Failed).
/// 3. An observer stops a training run, or the monitor reports an interrupt: [`Interrupted`](Self::Interrupted).
/// 4. A check [from the state after training](crate::check::Case::after_training) fails: [`Disagree`](Self::Disagree).
/// 5. Over several seeds, the difference between the accuracies of two candidates significantly exceeds the margin:
///    [`Disagree`](Self::Disagree).
/// 6. A trained network [learned nothing](crate::statistics::Degeneracy): [`Degenerate`](Self::Degenerate).
/// 7. Over several seeds, the accuracies of two candidates are not shown to be equivalent:
///    [`Inconclusive`](Self::Inconclusive).
/// 8. With one seed, a candidate exceeds the limits of the [control](crate::training::control):
///    [`Inconclusive`](Self::Inconclusive).
/// 9. Otherwise: [`Agree`](Self::Agree).
///
/// With a single seed, trained networks that differ by more than the control are a reason to train with more seeds, not
/// a proof of an error. Only a failed check, or a significant difference over several seeds, leads to *disagree*.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// All checks pass, and so does the comparison of the trained networks: with one seed, every candidate stays within
    /// the limits of the control; with several seeds, all accuracies are equivalent within the margin.
    Agree,
    /// A check failed, before or after training, or over several seeds the accuracies of two candidates differ significantly by more than the
    /// margin.
    Disagree,
    /// All checks pass, but the comparison of the trained networks does not decide: with one seed, a candidate exceeds
    /// the limits of the control; with several seeds, there are too few of them, or the differences of the accuracies
    /// vary too much.
    Inconclusive,
    /// All checks pass, but at least one trained network learned nothing: it predicts one class for every image, or is
    /// not significantly more accurate than that. The agreement of such networks is no evidence.
    Degenerate,
    /// A training run, or storing its result, returned an error.
    Failed,
    /// An observer stopped a training run before its last epoch, or the [monitor](crate::Monitor) prevented further runs
    /// from starting, for example because the user pressed Ctrl-C.
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
