//! One check: the comparison of a candidate's tensor with its expected value, and advice on where to look if it fails.

use std::fmt;

use mlp_parity::Arithmetic;
use ndarray::ArrayViewD;
use serde::{Deserialize, Serialize};

use super::difference::DifferenceMap;
use crate::statistics::text::{serialize_number, serialize_optional_number, significant};

/// A stage of the check suite, in the order in which the stages run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Parameters that are set and then read back, which must be bitwise equal.
    Parameters,
    /// The logits of the forward pass.
    Logits,
    /// The mean cross-entropy of the batch.
    Loss,
    /// The gradients of the backward pass, compared from the output layer down.
    Gradients,
    /// The parameters after `apply_gradients` with given parameters and given gradients.
    Update,
    /// The losses and parameters of consecutive calls of `step`. The reference takes each step from the candidate's own
    /// parameters before it.
    Trajectory,
    /// The parameters after `fit`, compared with those after the same steps taken one by one.
    TrainingLoop,
}

impl fmt::Display for Stage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Parameters => "parameters",
            Self::Logits => "logits",
            Self::Loss => "loss",
            Self::Gradients => "gradients",
            Self::Update => "update",
            Self::Trajectory => "trajectory",
            Self::TrainingLoop => "training loop",
        })
    }
}

/// The comparison of one tensor of a candidate with its expected value, summarized by its worst element.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Check {
    /// Variant of the stage: the name of an optimizer, of a training configuration, or of a special input such as
    /// `large logits`. Empty for the standard input.
    pub scenario: String,
    /// The stage of the check suite.
    pub stage: Stage,
    /// Source of the expected value: [`REFERENCE`](crate::check::REFERENCE), or, in the training-loop stage, `single
    /// steps`, the candidate's own steps taken one by one.
    pub expected_from: String,
    /// The name of the candidate.
    pub candidate: String,
    /// Number of the step, counted from 0, in the stages update and trajectory; `None` in the others.
    pub step: Option<usize>,
    /// Name of the compared tensor: `logits`, `loss`, or a parameter or its gradient, such as `layer1.weight`.
    pub tensor: String,
    /// Index of the element with the largest error ratio, to which the values below belong. Empty for a scalar, and for
    /// a number that summarizes a whole tensor.
    pub index: Vec<usize>,
    /// Expected value of that element.
    #[serde(serialize_with = "serialize_number")]
    pub expected: f64,
    /// The candidate's value of that element.
    #[serde(serialize_with = "serialize_number")]
    pub actual: f64,
    /// The absolute error, |actual − expected|.
    #[serde(serialize_with = "serialize_number")]
    pub error: f64,
    /// The relative error, |actual − expected| / |expected|.
    #[serde(serialize_with = "serialize_number")]
    pub relative_error: f64,
    /// The error in units in the last place (ulps) of the expected value, in the candidate's precision.
    #[serde(serialize_with = "serialize_number")]
    pub ulps: f64,
    /// The error bound: the largest absolute error that rounding can explain.
    #[serde(serialize_with = "serialize_number")]
    pub bound: f64,
    /// [`error`](Self::error) / [`bound`](Self::bound); the check passes if the ratio is at most 1. Infinite if a value
    /// is not finite; 0 for the infinity to which a value beyond the largest finite number is correctly rounded.
    #[serde(serialize_with = "serialize_number")]
    pub error_ratio: f64,
    /// The largest absolute error that would be possible, to first order, if no rounding errors cancelled each other.
    /// For information only; `None` if it was not computed.
    #[serde(serialize_with = "serialize_optional_number")]
    pub worst_case_bound: Option<f64>,
    /// Number of elements for which more than one result is correct. For gradients: ReLU units whose input may have
    /// either sign after rounding. After an optimizer step: elements whose update Adam divides by little more than
    /// rounding error, or that the comparison of the update's length leaves out.
    pub undecided: usize,
    /// True if every element is within its bound, or correctly rounded to infinity.
    pub passed: bool,
    /// True if undecided units make every bound larger than the largest expected value, so that the check could not fail.
    pub vacuous: bool,
    /// The parameter before the step, of which the values are those after it; `None` for other values.
    #[serde(skip)]
    pub before: Option<f64>,
    /// The differences of all elements; `None` if the check passed, the shapes differ, or the value is a single number.
    #[serde(skip)]
    pub difference: Option<Box<DifferenceMap>>,
}

/// The tensors of one comparison: expected values, the candidate's values and error bounds. All have the same shape,
/// except that `actual` may differ if the candidate is wrong.
pub(in crate::check) struct TensorPair<'a> {
    pub(in crate::check) expected: ArrayViewD<'a, f64>,
    pub(in crate::check) actual: ArrayViewD<'a, f64>,
    pub(in crate::check) bound: ArrayViewD<'a, f64>,
    pub(in crate::check) worst_case_bound: Option<ArrayViewD<'a, f64>>,
    /// Number of elements for which more than one result is correct, copied to [`Check::undecided`].
    pub(in crate::check) undecided: usize,
}

/// The fields of a [`Check`] that are the same for all tensors of one comparison.
#[derive(Clone, Copy)]
pub(crate) struct CheckContext<'a> {
    pub(in crate::check) scenario: &'a str,
    pub(in crate::check) stage: Stage,
    pub(in crate::check) expected_from: &'a str,
    pub(in crate::check) candidate: &'a str,
    pub(in crate::check) step: Option<usize>,
    /// The unit roundoff of the candidate's precision, from which [`Check::ulps`] is computed.
    pub(in crate::check) unit_roundoff: f64,
    /// The largest finite number of the candidate's precision.
    pub(in crate::check) overflow: f64,
}

#[cfg(test)]
impl CheckContext<'static> {
    /// Returns the context of a comparison of logits in single precision.
    pub(in crate::check) fn example() -> Self {
        Self {
            scenario: "",
            stage: Stage::Logits,
            expected_from: "reference",
            candidate: "candidate",
            step: None,
            unit_roundoff: 0.5_f64.powi(24),
            overflow: f64::from(f32::MAX),
        }
    }
}

impl CheckContext<'static> {
    /// Returns the context of a comparison whose checks are not reported.
    pub(crate) fn of_comparison(stage: Stage, arithmetic: &Arithmetic) -> Self {
        let (unit_roundoff, overflow) = (arithmetic.unit_roundoff, arithmetic.overflow);
        Self { scenario: "", stage, expected_from: "", candidate: "", step: None, unit_roundoff, overflow }
    }
}

impl CheckContext<'_> {
    /// Compares a tensor with its expected value, and returns the check of the element with the largest error ratio,
    /// the first if several are equal. If the shapes differ, the check fails.
    pub(in crate::check) fn check(&self, tensor: &str, pair: &TensorPair<'_>) -> Check {
        if pair.expected.shape() != pair.actual.shape() {
            return self.element(tensor, Vec::new(), [f64::NAN, f64::NAN, 0.0], None, 0);
        }
        let (mut worst, mut exceeding) = ((-1.0, 0, [0.0; 3]), 0);
        let elements = pair.expected.iter().zip(&pair.actual).zip(&pair.bound);
        for (position, ((&expected, &actual), &bound)) in elements.enumerate() {
            let error_ratio = self.error_ratio(expected, actual, bound);
            exceeding += usize::from(error_ratio > 1.0);
            if error_ratio > worst.0 {
                worst = (error_ratio, position, [expected, actual, bound]);
            }
        }
        let index = index_of(worst.1, pair.expected.shape());
        let worst_case_bound = pair.worst_case_bound.as_ref().and_then(|bound| bound.get(index.as_slice()).copied());
        let check = self.element(tensor, index, worst.2, worst_case_bound, pair.undecided);
        if check.passed {
            return check;
        }
        let difference = DifferenceMap::new(&pair.expected, &pair.actual, exceeding).map(Box::new);
        Check { difference, ..check }
    }

    /// Creates the check of one element, or of a number that represents a whole tensor (with an empty `index`).
    pub(in crate::check) fn element(
        &self,
        tensor: &str,
        index: Vec<usize>,
        [expected, actual, bound]: [f64; 3],
        worst_case_bound: Option<f64>,
        undecided: usize,
    ) -> Check {
        let error = (expected - actual).abs();
        let error_ratio = self.error_ratio(expected, actual, bound);
        let in_units_of = |unit: f64| if error == 0.0 { 0.0 } else { error / unit };
        Check {
            scenario: self.scenario.to_owned(),
            stage: self.stage,
            expected_from: self.expected_from.to_owned(),
            candidate: self.candidate.to_owned(),
            step: self.step,
            tensor: tensor.to_owned(),
            index,
            expected,
            actual,
            error,
            relative_error: in_units_of(expected.abs()),
            // One unit in the last place of x is 2u times the power of two at or below |x|.
            ulps: in_units_of(2.0 * self.unit_roundoff * expected.abs().log2().floor().exp2()),
            bound,
            error_ratio,
            worst_case_bound,
            undecided,
            passed: error_ratio <= 1.0,
            vacuous: false,
            before: None,
            difference: None,
        }
    }

    /// Returns |expected − actual| / bound, or infinity if any of the three is not finite. An infinity is right, and the
    /// ratio 0, if the expected value may exceed the largest finite number of the candidate's precision.
    fn error_ratio(&self, expected: f64, actual: f64, bound: f64) -> f64 {
        let difference = (expected - actual).abs();
        let overflows = expected.is_finite() && bound.is_finite() && expected.abs() + bound > self.overflow;
        let is_rounded_to_infinity = overflows && actual.is_infinite() && actual.signum() == expected.signum();
        if is_rounded_to_infinity || difference == 0.0 && bound.is_finite() {
            0.0
        } else if !(difference.is_finite() && bound.is_finite()) {
            f64::INFINITY
        } else {
            difference / bound
        }
    }
}

/// Returns the index of the element at this position, in row-major order.
fn index_of(mut position: usize, shape: &[usize]) -> Vec<usize> {
    let mut index = vec![0; shape.len()];
    for (index, &length) in index.iter_mut().zip(shape).rev() {
        (*index, position) = (position % length.max(1), position / length.max(1));
    }
    index
}

impl Check {
    /// Returns the element's index for display, such as `[5]`. A weight is shown as `[input→unit]`, because file
    /// formats disagree about the order of its two axes.
    pub fn location(&self) -> String {
        match self.index[..] {
            [] => String::new(),
            [input, unit] if self.tensor.ends_with(".weight") => format!("[{input}→{unit}]"),
            ref index => format!("{index:?}"),
        }
    }

    /// Returns the ratio of the two values, or of their changes in a step, for display; empty if it says nothing, because a value
    /// is not finite, or nothing is expected.
    fn ratio(&self) -> String {
        let (before, name) = self.before.map_or((0.0, ""), |before| (before, " change"));
        // Positive zero, and what would be displayed as zero.
        let ratio = (self.actual - before) / (self.expected - before);
        let ratio = if ratio.abs() < 5e-7 { 0.0 } else { ratio };
        if ratio.is_finite() { format!("actual/expected{name} {ratio:.6}, ") } else { String::new() }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scenario, stage, expected_from, candidate, tensor, expected, actual, error, bound, .. } = self;
        let tensor = if tensor == &stage.to_string() { String::new() } else { format!(" of {tensor}") };
        let scenario = if scenario.is_empty() { String::new() } else { format!(" ({scenario})") };
        let location = self.location();
        let location = if location.is_empty() { String::new() } else { format!(" at {location}") };
        let step = self.step.map_or_else(String::new, |step| format!(" after step {step}"));
        write!(
            formatter,
            "{stage}{tensor}{scenario}{step}{location}: {candidate} has {}, but {} is expected \
             ({expected_from}); {}error {error:.1e}, bound {bound:.1e}",
            significant(*actual, 8),
            significant(*expected, 8),
            self.ratio()
        )
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{ArrayD, arr1};

    use super::*;

    fn check(expected: &[f64], actual: &[f64], bound: &[f64]) -> Check {
        let [expected, actual, bound]: [ArrayD<f64>; 3] = [expected, actual, bound].map(|side| arr1(side).into_dyn());
        let context = CheckContext::example();
        let pair = TensorPair {
            expected: expected.view(),
            actual: actual.view(),
            bound: bound.view(),
            worst_case_bound: None,
            undecided: 0,
        };
        context.check("logits", &pair)
    }

    #[test]
    fn check_reports_element_with_largest_error_ratio() {
        let found = check(&[1.0, 8.0, 3.0], &[1.5, 8.25, 3.0], &[1.0, 0.3, 1.0]);
        assert_eq!((found.index.as_slice(), found.error, found.passed), (&[1][..], 0.25, true));
        assert_eq!((found.relative_error, found.ulps), (0.25 / 8.0, 0.25 / (8.0 * 2.0_f64.powi(-23))));
        let failed = check(&[1.0, 3.0], &[1.5, 3.0], &[0.4, 1.0]);
        assert_eq!(
            (failed.passed, failed.difference.map(|map| (map.exceeding, map.largest()))),
            (false, Some((1, 0.5)))
        );
        assert_eq!((found.difference, check(&[1.0, 2.0], &[1.0], &[1.0, 1.0]).difference), (None, None));
        assert!(check(&[1.0], &[1.0], &[0.0]).passed && !check(&[1.0], &[1.0 + 1e-9], &[0.0]).passed);
    }

    #[test]
    fn check_reports_index_in_every_dimension() {
        let expected = ArrayD::from_shape_vec(vec![2, 3, 4], vec![0.0; 24]).unwrap();
        let (mut actual, bound) = (expected.clone(), expected.mapv(|_| 1.0));
        actual[[1, 0, 2]] = 5.0;
        let (expected, actual, bound) = (expected.view(), actual.view(), bound.view());
        let found = CheckContext::example()
            .check("tensor", &TensorPair { expected, actual, bound, worst_case_bound: None, undecided: 0 });
        assert_eq!((found.index, found.error), (vec![1, 0, 2], 5.0));
    }

    #[test]
    fn check_accepts_infinity_where_single_precision_overflows() {
        let passes = |expected: f64, actual: f64, bound: f64| check(&[expected], &[actual], &[bound]).passed;
        assert!(passes(1e40, f64::INFINITY, 1e33) && passes(-1e40, f64::NEG_INFINITY, 1e33));
        assert!(passes(f64::from(f32::MAX), f64::INFINITY, 1e32) && passes(3.4e38, 3.4e38, 1e32));
        assert!(!passes(1e40, f64::NEG_INFINITY, 1e33) && !passes(1e40, f64::NAN, 1e33));
        assert!(!passes(1e40, f64::from(f32::MAX), 1e33), "not rounded to nearest");
        assert!(!passes(3.3e38, f64::INFINITY, 1e32) && !passes(1.0, f64::INFINITY, 1.0));
        assert!(!passes(f64::INFINITY, f64::INFINITY, 1.0) && !passes(1e40, f64::INFINITY, f64::INFINITY));
    }

    #[test]
    fn location_of_weight_shows_input_and_unit() {
        let location = |tensor: &str, index: &[usize]| {
            let found = check(&[1.0], &[1.0], &[1.0]);
            Check { tensor: tensor.to_owned(), index: index.to_vec(), ..found }.location()
        };
        assert_eq!(location("layer1.weight", &[483, 13]), "[483→13]");
        assert_eq!(location("logits", &[63, 9]), "[63, 9]");
        assert_eq!(location("layer1.bias", &[5]), "[5]");
        assert_eq!(location("loss", &[]), "");
    }

    #[test]
    fn check_display_names_element_and_both_values() {
        let mut found = check(&[1.0, 8.0], &[1.0, 9.0], &[1.0, 0.5]);
        let end = "[1]: candidate has 9.0000000, but 8.0000000 is expected (reference); actual/expected 1.125000, \
                   error 1.0e0, bound 5.0e-1";
        assert_eq!(found.to_string(), format!("logits at {end}"));
        (found.stage, found.scenario, found.step) = (Stage::Trajectory, "adam".to_owned(), Some(3));
        found.tensor = "layer1.bias".to_owned();
        assert_eq!(
            Check { before: Some(6.0), ..found.clone() }.to_string(),
            format!("trajectory of layer1.bias (adam) after step 3 at {end}").replace(" 1.125", " change 1.500")
        );
        assert!(
            !Check { before: Some(8.0), ..found.clone() }.to_string().contains("actual/expected"),
            "no change is expected"
        );
        assert_eq!(found.to_string(), format!("trajectory of layer1.bias (adam) after step 3 at {end}"));
        found.index.clear();
        assert!(found.to_string().starts_with("trajectory of layer1.bias (adam) after step 3: candidate"), "{found}");
    }

    #[test]
    fn check_json_has_non_finite_numbers_as_strings() {
        let value = |value: f64| serde_json::to_value(check(&[1.0], &[value], &[1.0])).unwrap()["actual"].clone();
        assert_eq!([f64::NAN, f64::INFINITY, f64::NEG_INFINITY].map(value), ["NaN", "Infinity", "-Infinity"]);
        assert_eq!(value(-0.5), -0.5);
    }

    #[test]
    fn check_fails_for_non_finite_values() {
        for value in [f64::NAN, f64::INFINITY] {
            assert!(!check(&[1.0, value], &[1.0, value], &[1.0, 1.0]).passed);
            assert!(!check(&[1.0], &[2.0], &[value]).passed);
        }
        assert!(!check(&[1.0, 2.0], &[1.0], &[1.0, 1.0]).passed, "another shape");
    }
}
