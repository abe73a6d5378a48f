//! Differences that no variant explains: explanations that follow from their pattern alone, and descriptions of the others.

use mlp_parity::Arithmetic;
use mlp_parity_scratch::ReferenceMlp;
use ndarray::{ArrayD, Axis};

use super::target::{Outcome, Target};
use crate::check::{Comparison, Computation, Explanation, Kind, OtherExplanation, Results, Stage, parameters_after};

/// Largest relative difference between the ratios or differences of elements that count as constant, in units of the bound.
const CONSTANT: f64 = 4.0;

/// An explanation that follows from a pattern.
pub(super) struct Pattern {
    pub(super) id: &'static str,
    pub(super) kind: Kind,
    pub(super) sentence: &'static str,
    pub(super) advice: &'static str,
}

const COPY: &str =
    "copy the arrays when they are recorded, such as `weight.copy()` in NumPy: training changes them in place";

const INITIAL_NOT_COPIED: Pattern = Pattern {
    id: "arrays-not-copied",
    kind: Kind::Data,
    sentence: "has recorded the parameters after the last step as the initial ones",
    advice: COPY,
};

const STEPS_NOT_COPIED: Pattern = Pattern {
    id: "arrays-not-copied",
    kind: Kind::Data,
    sentence: "has recorded the parameters after the last step for every step, so that no other step was checked",
    advice: COPY,
};

const EXPONENTIAL_OVERFLOW: Pattern = Pattern {
    id: "exponential-overflow",
    kind: Kind::Fault,
    sentence: "computes exp of sums that are so large that it overflows",
    advice: "subtract the largest sum of the image before exp",
};

const LOGARITHM_OF_ZERO: Pattern = Pattern {
    id: "logarithm-of-zero",
    kind: Kind::Fault,
    sentence: "takes the logarithm of a probability that rounding has made 0",
    advice: "compute the logarithm of softmax from the sums, as z − ln Σ exp z, or protect it by a small ε and declare that",
};

const LABELS_IN_ANOTHER_ORDER: Pattern = Pattern {
    id: "labels-in-another-order",
    kind: Kind::Data,
    sentence: "gives the labels to other images of the batch: the bias gradient of the output layer, which does not depend on their \
               order, is right",
    advice: "check that images and labels are shuffled alike, and recorded in the order of the step",
};

/// The patterns, with the stage at which each shows first.
pub(super) const PATTERNS: [(Stage, Pattern); 4] = [
    (Stage::Logits, INITIAL_NOT_COPIED),
    (Stage::Loss, EXPONENTIAL_OVERFLOW),
    (Stage::Loss, LOGARITHM_OF_ZERO),
    (Stage::Loss, LABELS_IN_ANOTHER_ORDER),
];

impl Pattern {
    fn explanation(&self, target: &Target) -> Explanation {
        Explanation {
            id: self.id,
            kind: self.kind,
            stage: target.stage,
            sentence: self.sentence.to_owned(),
            advice: self.advice.to_owned(),
            explains: target.tensors.clone(),
            evidence_bits: 0.0,
            equivalent: Vec::new(),
        }
    }
}

/// The largest numbers of a target, and those of the precision.
pub(super) struct Extremes {
    largest_logit: f64,
    /// The largest cross-entropy of an image.
    largest_loss: f64,
    overflow: f64,
    unit_roundoff: f64,
}

impl Extremes {
    pub(super) fn new(computation: &Computation, results: &Results, target: &Target) -> Self {
        let Arithmetic { overflow, unit_roundoff, .. } = computation.arithmetic;
        let mut extremes = Self { largest_logit: 0.0, largest_loss: 0.0, overflow, unit_roundoff };
        let step = target.step.unwrap_or(0);
        let before = match step.checked_sub(1) {
            Some(previous) => parameters_after(computation, results, previous),
            None => Some(computation.initial.clone()),
        };
        let (Some(before), Some(batch)) = (before, computation.batches.get(step)) else { return extremes };
        let logits = ReferenceMlp::with_specification(computation.specification.clone(), before)
            .and_then(|network| network.logits(batch.images.view()));
        for (row, targets) in logits.iter().flat_map(|logits| logits.rows()).zip(batch.targets.rows()) {
            let largest = row.fold(f64::NEG_INFINITY, |largest, &z| largest.max(z));
            let of_class: f64 = row.iter().zip(targets).map(|(z, target)| z * target).sum();
            extremes.largest_logit = extremes.largest_logit.max(largest);
            extremes.largest_loss = extremes.largest_loss.max(largest - of_class);
        }
        extremes
    }
}

/// Returns the explanation of arrays that were recorded without a copy, so that training has changed them; `None` if they were
/// not.
pub(super) fn not_copied(
    computation: &Computation,
    results: &Results,
    declared: &[Outcome],
    target: &Target,
) -> Option<Explanation> {
    let steps: Vec<_> = results.steps.iter().map(|step| &step.parameters).filter(|step| !step.is_empty()).collect();
    let (last, others) = steps.split_last()?;
    let are_equal = others.iter().all(|step| step == last);
    let is_initial = computation.initial.tensors().all(|(name, values)| match last.get(&name) {
        Some(after) => after.view() == values,
        None => true,
    });
    // If anything before the update is right, so are the initial parameters, and nothing has moved.
    let is_any_right = declared.iter().take_while(|outcome| !target.contains(outcome)).any(|outcome| outcome.passed);
    let is_of_first_update = target.step == Some(0) && target.tensors != ["loss"];
    match (is_initial, are_equal) {
        (true, false) => Some(INITIAL_NOT_COPIED.explanation(target)),
        (true, true) if is_any_right => None,
        (true, true) => {
            let sentence = "never changes its parameters".to_owned();
            let equivalent = vec![OtherExplanation { id: "learning-rate-factor", sentence }];
            let equivalent = if is_of_first_update { equivalent } else { Vec::new() };
            Some(Explanation { equivalent, ..INITIAL_NOT_COPIED.explanation(target) })
        }
        (false, true) if is_of_first_update && !others.is_empty() => Some(STEPS_NOT_COPIED.explanation(target)),
        (false, _) => None,
    }
}

/// Returns an explanation that follows from which results agree and which do not; `None` if there is none. It predicts no
/// values, so that nothing that follows from the mistake can be explained.
pub(super) fn explained(declared: &[Outcome], target: &Target, extremes: &Extremes) -> Option<Explanation> {
    let of_target = || declared.iter().filter(|outcome| target.contains(outcome));
    let is_non_finite = of_target().any(|outcome| outcome.comparison.actual.iter().any(|value| !value.is_finite()));
    if is_non_finite && extremes.largest_logit > extremes.overflow.ln() {
        return Some(EXPONENTIAL_OVERFLOW.explanation(target));
    }
    let is_infinite_loss = target.tensors == ["loss"]
        && of_target().any(|outcome| outcome.comparison.actual.iter().all(|&value| value == f64::INFINITY));
    if is_infinite_loss && extremes.largest_loss > -extremes.unit_roundoff.ln() {
        return Some(LOGARITHM_OF_ZERO.explanation(target));
    }
    let of_gradient = |tensor: &str| {
        let is_it = |outcome: &&Outcome| {
            outcome.comparison.stage == Stage::Gradients
                && outcome.comparison.tensor == format!("output_layer.{tensor}")
        };
        declared.iter().find(is_it)
    };
    // The sum of δ over the images does not depend on which label belongs to which image. Nor does its sum over the outputs.
    let (Some(bias), Some(weight)) = (of_gradient("bias"), of_gradient("weight")) else { return None };
    let is_of_order = target.stage == Stage::Loss && bias.passed && !weight.passed && is_sum_right(&weight.comparison);
    is_of_order.then(|| LABELS_IN_ANOTHER_ORDER.explanation(target))
}

/// Returns true if the sum over the outputs of every row of a gradient is right, and no constant factor explains the difference.
fn is_sum_right(comparison: &Comparison) -> bool {
    let Comparison { expected, actual, bound, .. } = comparison;
    if expected.shape() != actual.shape() || constant(&ratios(expected, actual, bound)).is_some() {
        return false;
    }
    let differences = (actual - expected).sum_axis(Axis(1));
    differences.iter().zip(&bound.sum_axis(Axis(1))).all(|(difference, bound)| difference.abs() <= *bound)
}

/// Describes the differences of the target.
pub(super) fn description(declared: &[Outcome], target: &Target) -> String {
    let is_of_target = |outcome: &&Outcome| target.contains(outcome) && !outcome.passed;
    let failed: Vec<String> = declared
        .iter()
        .filter(is_of_target)
        .map(|outcome| {
            let pattern = pattern(outcome).map_or_else(String::new, |pattern| format!(" ({pattern})"));
            format!("{}{pattern}", outcome.comparison.tensor)
        })
        .collect();
    let is_later = |outcome: &&Outcome| {
        (outcome.step, outcome.comparison.stage) == (target.step, target.stage)
            && !outcome.passed
            && !target.contains(outcome)
    };
    let others = match declared.iter().filter(is_later).count() {
        0 => String::new(),
        1 => ", and another tensor after it".to_owned(),
        count => format!(", and {count} tensors after it"),
    };
    let names = format!("{}{others}", failed.join(", "));
    if target.tensors.contains(&target.stage.to_string()) { names } else { format!("{} of {names}", target.stage) }
}

/// Describes the difference of one tensor.
fn pattern(outcome: &Outcome) -> Option<String> {
    let comparison = &outcome.comparison;
    let (expected, actual, bound) = (&comparison.expected, &comparison.actual, &comparison.bound);
    if expected.shape() != actual.shape() || actual.iter().any(|value| !value.is_finite()) {
        return None;
    }
    if actual.iter().all(|&value| value == 0.0) {
        return Some("all elements are 0".to_owned());
    }
    let wrong = || {
        let elements = expected.iter().zip(actual).zip(bound);
        elements.filter(|((expected, actual), bound)| (**actual - **expected).abs() > **bound)
    };
    let count = wrong().count();
    if count <= 3 && count < expected.len() {
        return Some(format!("{count} of {} elements", expected.len()));
    }
    // A constant difference, then a constant ratio.
    let differences: Vec<[f64; 2]> =
        expected.iter().zip(actual).zip(bound).map(|((expected, actual), bound)| [actual - expected, *bound]).collect();
    if let Some(constant) = constant(&differences) {
        return Some(format!("{constant:.6e} is added to every element"));
    }
    let multiplied = |what: &str, [expected, actual]: [&ArrayD<f64>; 2]| {
        constant(&ratios(expected, actual, bound))
            .map(|constant| format!("every {what} is multiplied by {constant:.6}"))
    };
    let [expected_change, change] = &comparison.changes();
    let of_changes = (comparison.stage == Stage::Trajectory).then(|| multiplied("change", [expected_change, change]));
    of_changes.flatten().or_else(|| multiplied("element", [expected, actual]))
}

/// Returns the ratios of the elements that are known to three digits or better, with their errors.
fn ratios(expected: &ArrayD<f64>, actual: &ArrayD<f64>, bound: &ArrayD<f64>) -> Vec<[f64; 2]> {
    let elements = expected.iter().zip(actual).zip(bound);
    let known = elements.filter(|((expected, _), bound)| **bound < 1e-3 * expected.abs());
    known.map(|((expected, actual), bound)| [actual / expected, bound / expected.abs()]).collect()
}

/// Returns the value that all numbers have within their errors; `None` if they differ, or are fewer than three.
fn constant(values: &[[f64; 2]]) -> Option<f64> {
    let &[first, _] = values.iter().min_by(|left, right| left[1].total_cmp(&right[1]))?;
    let is_constant =
        values.iter().all(|[value, error]| (value - first).abs() <= CONSTANT * error.max(f64::EPSILON * first.abs()));
    (is_constant && values.len() >= 3).then_some(first)
}
