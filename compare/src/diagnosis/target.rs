//! The target of an explanation: the first results that differ from the declared computation.

use crate::check::{CheckContext, Comparison, Computation, Replay, Results, Stage, Unit};
use mlp_parity::{Arithmetic, Result};

/// A comparison with its outcome.
pub(super) struct Outcome {
    /// The step, or `None` for the first batch.
    pub(super) step: Option<usize>,
    pub(super) comparison: Comparison,
    pub(super) passed: bool,
}

/// The first tensors that differ: logits and outputs; the loss; a gradient; or the parameters after a step.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Target {
    /// The step, or `None` for the first batch.
    pub(super) step: Option<usize>,
    pub(super) stage: Stage,
    pub(super) tensors: Vec<String>,
}

/// Number of elements of a unit from which only one unit more is compared after the first failure or the target.
const LARGE_UNIT: usize = 100_000;

/// Compares all results. Units that may overflow end the list, and so does a failure at the target `until` or before it. Of a
/// large network, only one unit is compared after the target, or without a target, after the first failure.
///
/// # Errors
///
/// Any error of the comparison.
pub(super) fn outcomes(
    computation: &Computation,
    results: &Results,
    arithmetic: &Arithmetic,
    until: Option<&Target>,
) -> Result<Vec<Outcome>> {
    let mut outcomes: Vec<Outcome> = Vec::new();
    let mut elements = 0;
    let mut replay = Replay::new(computation, results, arithmetic)?;
    loop {
        let step = replay.step();
        let decisive = match until {
            Some(target) => Some(target.step),
            None => outcomes.iter().find(|outcome| !outcome.passed).map(|outcome| outcome.step),
        };
        if elements >= LARGE_UNIT && decisive.is_some_and(|decisive| unit_number(step) > unit_number(decisive) + 1) {
            break;
        }
        let Unit::Comparisons(comparisons) = replay.next_unit()? else { break };
        elements = comparisons.iter().map(|comparison| comparison.actual.len()).sum();
        for comparison in comparisons {
            let context = CheckContext::of_comparison(comparison.stage, arithmetic);
            let passed = comparison.checks(&context).iter().all(|check| check.passed);
            outcomes.push(Outcome { step, comparison, passed });
        }
        if until.is_some_and(|target| outcomes.iter().any(|outcome| !outcome.passed && target.follows(outcome))) {
            break;
        }
    }
    Ok(outcomes)
}

/// Returns the number of a unit, where 0 is the first batch.
fn unit_number(step: Option<usize>) -> usize {
    step.map_or(0, |step| step + 1)
}

impl Target {
    /// Returns the target of the first failure; `None` if there is none.
    pub(super) fn first(outcomes: &[Outcome]) -> Option<Self> {
        let failure = outcomes.iter().find(|outcome| !outcome.passed)?;
        let Outcome { step, comparison, .. } = failure;
        let is_in_group = |other: &&Outcome| {
            (other.step, other.comparison.stage) == (*step, comparison.stage)
                && group(&other.comparison) == group(comparison)
        };
        let tensors = outcomes.iter().filter(is_in_group).map(|outcome| outcome.comparison.tensor.clone()).collect();
        Some(Self { step: *step, stage: comparison.stage, tensors })
    }

    /// Returns true if the outcome belongs to the target. Logits and outputs belong together, whichever were recorded: one may have
    /// been recorded under the name of the other.
    pub(super) fn contains(&self, outcome: &Outcome) -> bool {
        (outcome.step, outcome.comparison.stage) == (self.step, self.stage)
            && (self.stage == Stage::Logits || self.tensors.contains(&outcome.comparison.tensor))
    }

    /// Returns true if the outcome belongs to the target, or comes before it.
    pub(super) fn follows(&self, outcome: &Outcome) -> bool {
        (outcome.step, outcome.comparison.stage) < (self.step, self.stage) || self.contains(outcome)
    }

    /// Returns true if this target, which is unexplained, refutes the explanation of an earlier one, because it is the same
    /// computation in a later step: the forward pass and the loss, the update, or the gradients in an update without a state.
    pub(super) fn refutes(&self, earlier: &Self, has_state: bool) -> bool {
        let is_loss = |target: &Self| target.tensors == ["loss"];
        let is_update = |target: &Self| target.stage == Stage::Trajectory && !is_loss(target);
        let are_gradients = earlier.stage == Stage::Gradients && !has_state && self.step > Some(0);
        let is_forward = is_loss(earlier) || earlier.stage == Stage::Logits;
        let is_same = is_loss(self) && is_forward || is_update(self) && (is_update(earlier) || are_gradients);
        is_same && self.step > earlier.step
    }

    /// Returns the layer of a gradient; `None` for another target.
    pub(super) fn layer(&self) -> Option<&str> {
        let tensor = self.tensors.first().filter(|_| self.stage == Stage::Gradients)?;
        tensor.rsplit_once('.').map(|(layer, _)| layer)
    }
}

/// Returns the part of a tensor's name that all tensors of a target share.
fn group(comparison: &Comparison) -> &str {
    match (comparison.stage, comparison.tensor.rsplit_once('.')) {
        (Stage::Trajectory, Some(_)) => "parameters",
        (Stage::Logits, _) => "logits",
        _ => &comparison.tensor,
    }
}
