//! What a candidate has, beside what is expected of it.

use std::collections::BTreeMap;

use mlp_parity::{Parameters, Scalar};
use ndarray::{Array2, ArrayD, ArrayView2, ArrayViewD};

use super::bounds::BoundedMatrix;
use super::bounds::Expected;
use super::tensor_check::{Check, CheckContext, Stage, TensorPair};

/// Tensors by name, as far as they are known.
pub(in crate::check) type Tensors = BTreeMap<String, ArrayD<f64>>;

pub(in crate::check) fn tensors<F: Scalar>(parameters: &Parameters<F>) -> Tensors {
    parameters.tensors().map(|(name, values)| (name, values.mapv(Into::into))).collect()
}

/// Logits, loss and gradients: what is missing is not compared.
pub(in crate::check) fn passes(
    context: &CheckContext<'_>,
    expected: &Expected,
    logits: Option<ArrayView2<'_, f64>>,
    loss: Option<f64>,
    gradients: &Tensors,
) -> Vec<Check> {
    let undecided = expected.undecided.len();
    let on = |stage| CheckContext { stage, ..*context };
    let mut checks = Vec::new();
    if let Some(logits) = logits {
        checks.push(matrix(&on(Stage::Logits), "logits", &expected.logits, logits.into_dyn(), 0));
    }
    checks.extend(loss.map(|loss| scalar(&on(Stage::Loss), &expected.loss, loss)));
    // From the output layer down, biases first: a wrong term shows first in the layer where it stands.
    let context = on(Stage::Gradients);
    for (name, estimate) in expected.gradients.iter().rev() {
        checks.extend(gradients.get(name).map(|has| matrix(&context, name, estimate, has.view(), undecided)));
    }
    checks
}

/// A loss.
pub(in crate::check) fn scalar(context: &CheckContext<'_>, expected: &BoundedMatrix, has: f64) -> Check {
    let (bound, worst) = match &expected.error {
        Some(error) => (error.bound()[[0, 0]], Some(error.worst[[0, 0]])),
        None => (0.0, None),
    };
    context.element("loss", Vec::new(), [expected.value[[0, 0]], has, bound], worst, 0)
}

/// A matrix, or a vector that is expected as a matrix of one row.
fn matrix(
    context: &CheckContext<'_>,
    name: &str,
    expected: &BoundedMatrix,
    has: ArrayViewD<'_, f64>,
    undecided: usize,
) -> Check {
    let Some(error) = &expected.error else {
        return context.element(name, Vec::new(), [f64::NAN; 3], None, 0);
    };
    let bound = error.bound();
    let [value, bound, worst] = [&expected.value, &bound, &error.worst].map(|side| like(side, has.ndim()));
    context.check(name, &TensorPair { expected: value, actual: has, bound, worst_case_bound: Some(worst), undecided })
}

/// The matrix, or its only row.
fn like(matrix: &Array2<f64>, dimensions: usize) -> ArrayViewD<'_, f64> {
    if dimensions == 1 && matrix.nrows() == 1 { matrix.row(0).into_dyn() } else { matrix.view().into_dyn() }
}

/// Given and read back. Positive and negative zero are not the same.
pub(in crate::check) fn equal_to_the_bit(
    context: &CheckContext<'_>,
    given: &Parameters<f64>,
    has: &Parameters<f64>,
) -> Vec<Check> {
    let one = |((name, given), (_, has)): ((String, ArrayViewD<'_, f64>), (String, ArrayViewD<'_, f64>))| {
        let bound = ArrayD::zeros(given.raw_dim());
        let mut has = has.to_owned();
        if has.shape() == given.shape() {
            has.zip_mut_with(&given, |has, given| {
                if *has == *given && has.to_bits() != given.to_bits() {
                    *has = f64::NAN;
                }
            });
        }
        let pair = TensorPair {
            expected: given,
            actual: has.view(),
            bound: bound.view(),
            worst_case_bound: None,
            undecided: 0,
        };
        context.check(&name, &pair)
    };
    given.tensors().zip(has.tensors()).map(one).collect()
}

#[cfg(test)]
mod tests {
    use mlp_parity::{Activation, MlpConfig};

    use super::*;

    fn parameters(classes: usize, first: f64) -> Parameters<f64> {
        let mut parameters = Parameters::zeros(&MlpConfig::new(1, &[], classes, Activation::Relu).unwrap());
        parameters.layers_mut()[0].weight[[0, 0]] = first;
        parameters
    }

    #[test]
    fn parameters_are_equal_in_every_bit_and_in_shape() {
        let (stage, unit_roundoff) = (Stage::Parameters, 0.5_f64.powi(24));
        let context = CheckContext {
            scenario: "",
            stage,
            expected_from: "reference",
            candidate: "candidate",
            step: None,
            unit_roundoff,
        };
        let passed = |given, has| {
            let checks = equal_to_the_bit(&context, &given, &has);
            checks.iter().map(|check| check.passed).collect::<Vec<_>>()
        };
        assert_eq!(passed(parameters(2, 0.5), parameters(2, 0.5)), [true, true]);
        assert_eq!(passed(parameters(2, 0.0), parameters(2, -0.0)), [false, true]);
        assert_eq!(passed(parameters(2, 0.5), parameters(2, 0.25)), [false, true]);
        assert_eq!(passed(parameters(2, 0.5), parameters(3, 0.5)), [false, false], "another shape");
    }
}
