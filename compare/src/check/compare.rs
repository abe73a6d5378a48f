//! Comparisons of a candidate's results with expected values: logits, loss and gradients within error bounds,
//! parameters bit by bit.

use std::collections::BTreeMap;

use mlp_parity::{OptimizerState, Parameters, Scalar};
use ndarray::{Array2, ArrayD, ArrayView2, ArrayViewD};

use super::bounds::BoundedMatrix;
use super::bounds::Expected;
use super::tensor_check::{Check, CheckContext, Stage, TensorPair};

/// Tensors by name. A trace may lack some of a network's tensors.
pub(in crate::check) type Tensors = BTreeMap<String, ArrayD<f64>>;

/// Returns the tensors of parameters or gradients by name, converted to double precision, which is exact.
pub(in crate::check) fn named_tensors<F: Scalar>(parameters: &Parameters<F>) -> Tensors {
    parameters.tensors().map(|(name, values)| (name, values.mapv(Into::into))).collect()
}

/// The results of a forward pass. Any of them may be missing.
#[derive(Default)]
pub(in crate::check) struct Passes<'a> {
    pub(in crate::check) logits: Option<ArrayView2<'a, f64>>,
    pub(in crate::check) outputs: Option<ArrayView2<'a, f64>>,
    pub(in crate::check) loss: Option<f64>,
}

/// Compares the results of a forward pass with those expected. Results that are missing are skipped.
pub(in crate::check) fn compare_passes(
    context: &CheckContext<'_>,
    expected: &Expected,
    passes: &Passes<'_>,
) -> Vec<Check> {
    let at_stage = |stage| CheckContext { stage, ..*context };
    let mut checks = Vec::new();
    for (name, expected, actual) in
        [("logits", &expected.logits, passes.logits), ("outputs", &expected.outputs, passes.outputs)]
    {
        if let Some(actual) = actual {
            checks.push(compare_matrix(&at_stage(Stage::Logits), name, expected, actual.into_dyn(), 0));
        }
    }
    checks.extend(passes.loss.map(|loss| compare_loss(&at_stage(Stage::Loss), &expected.loss, loss)));
    checks
}

/// Compares gradients with those expected, from the output layer down, and the bias before the weight, so that the first
/// failed check is in the layer that has the fault. Gradients that are missing are skipped.
pub(in crate::check) fn compare_gradients(
    context: &CheckContext<'_>,
    expected: &Expected,
    gradients: &Tensors,
) -> Vec<Check> {
    let undecided = expected.undecided.len();
    let compare = |(name, expected): &(String, BoundedMatrix)| {
        let actual = gradients.get(name)?;
        let check = compare_matrix(context, name, expected, actual.view(), undecided);
        Some(Check { vacuous: is_vacuous(expected), ..check })
    };
    expected.gradients.iter().rev().filter_map(compare).collect()
}

/// Returns true if undecided units make every bound larger than the largest expected value.
pub(in crate::check) fn is_vacuous(expected: &BoundedMatrix) -> bool {
    let Some(error) = expected.error.as_ref().filter(|error| error.undecided.is_some()) else { return false };
    let largest = expected.value.fold(0.0_f64, |largest, value| largest.max(value.abs()));
    error.bound().iter().all(|&bound| bound > largest)
}

/// Compares the candidate's loss with the expected loss, a 1 × 1 matrix.
pub(in crate::check) fn compare_loss(context: &CheckContext<'_>, expected: &BoundedMatrix, actual: f64) -> Check {
    let (bound, worst_case) = match &expected.error {
        Some(error) => (error.bound()[[0, 0]], Some(error.worst_case[[0, 0]])),
        None => (0.0, None),
    };
    context.element("loss", Vec::new(), [expected.value[[0, 0]], actual, bound], worst_case, 0)
}

/// Compares a matrix, or a vector whose expected value is a matrix of one row.
fn compare_matrix(
    context: &CheckContext<'_>,
    name: &str,
    expected: &BoundedMatrix,
    actual: ArrayViewD<'_, f64>,
    undecided: usize,
) -> Check {
    let Some(error) = &expected.error else {
        return context.element(name, Vec::new(), [f64::NAN; 3], None, 0);
    };
    let bound = error.bound();
    let [value, bound, worst_case] =
        [&expected.value, &bound, &error.worst_case].map(|matrix| with_dimensions(matrix, actual.ndim()));
    let pair = TensorPair { expected: value, actual, bound, worst_case_bound: Some(worst_case), undecided };
    context.check(name, &pair)
}

/// Returns a view of the matrix, or of its only row if `dimensions` is 1.
fn with_dimensions(matrix: &Array2<f64>, dimensions: usize) -> ArrayViewD<'_, f64> {
    if dimensions == 1 && matrix.nrows() == 1 { matrix.row(0).into_dyn() } else { matrix.view().into_dyn() }
}

/// Compares parameters that were read back with those that were set. Zeros of opposite sign count as different.
pub(in crate::check) fn compare_bitwise(
    context: &CheckContext<'_>,
    expected: &Parameters<f64>,
    actual: &Parameters<f64>,
) -> Vec<Check> {
    let compare = |((name, expected), (_, actual)): ((String, ArrayViewD<'_, f64>), (_, ArrayViewD<'_, f64>))| {
        let bound = ArrayD::zeros(expected.raw_dim());
        let mut actual = actual.to_owned();
        if actual.shape() == expected.shape() {
            actual.zip_mut_with(&expected, |actual, expected| {
                // −0 equals 0 as a number; NaN in its place makes the check fail.
                if *actual == *expected && actual.to_bits() != expected.to_bits() {
                    *actual = f64::NAN;
                }
            });
        }
        let pair =
            TensorPair { expected, actual: actual.view(), bound: bound.view(), worst_case_bound: None, undecided: 0 };
        context.check(&name, &pair)
    };
    expected.tensors().zip(actual.tensors()).map(compare).collect()
}

/// Compares an optimizer state that was read back with the one that was set. Zeros of opposite sign count as different.
pub(in crate::check) fn compare_states(
    context: &CheckContext<'_>,
    expected: &OptimizerState,
    actual: &OptimizerState,
) -> Vec<Check> {
    let counts = [expected.steps, actual.steps].map(|steps| steps as f64);
    let mut checks = vec![context.element("updates", Vec::new(), [counts[0], counts[1], 0.0], None, 0)];
    for (number, (expected, actual)) in (1..).zip(expected.moments.iter().zip(&actual.moments)) {
        let moments = compare_bitwise(context, &expected.cast(), &actual.cast());
        checks.extend(
            moments.into_iter().map(|check| Check { tensor: format!("moment{number}.{}", check.tensor), ..check }),
        );
    }
    checks
}

#[cfg(test)]
mod tests {
    use mlp_parity::{Activation, MlpConfig};

    use super::*;

    fn parameters(classes: usize, first_weight: f64) -> Parameters<f64> {
        let mut parameters = Parameters::zeros(&MlpConfig::new(1, &[], classes, Activation::Relu).unwrap());
        parameters.layers_mut()[0].weight[[0, 0]] = first_weight;
        parameters
    }

    #[test]
    fn compare_bitwise_detects_sign_of_zero_and_shape() {
        let context = CheckContext { stage: Stage::Parameters, ..CheckContext::example() };
        let passed = |expected, actual| {
            let checks = compare_bitwise(&context, &expected, &actual);
            checks.iter().map(|check| check.passed).collect::<Vec<_>>()
        };
        assert_eq!(passed(parameters(2, 0.5), parameters(2, 0.5)), [true, true]);
        assert_eq!(passed(parameters(2, 0.0), parameters(2, -0.0)), [false, true]);
        assert_eq!(passed(parameters(2, 0.5), parameters(2, 0.25)), [false, true]);
        assert_eq!(passed(parameters(2, 0.5), parameters(3, 0.5)), [false, false], "another shape");
    }
}
