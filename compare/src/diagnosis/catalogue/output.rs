//! Variants of δ of the output layer.

use mlp_parity_scratch::reference::{LogarithmGuard, LossFunction, OutputDelta, OutputFunction};

use super::Facts;
use crate::check::Kind;
use crate::diagnosis::variant::Variant;

pub(super) fn variants(facts: &Facts<'_>) -> Vec<Variant> {
    let output = facts.computation.specification.loss.function.output();
    let is_squared = matches!(facts.computation.specification.loss.function, LossFunction::SquaredError { .. });
    let canonical = LossFunction::BinaryCrossEntropy { guard: LogarithmGuard::None };
    let advice = "check δ of the output layer, the derivative of the loss by its sums";
    let deltas = [
        (
            "delta-without-output-derivative",
            OutputDelta::Of(canonical),
            "has the outputs minus the targets as δ of the output layer",
        ),
        (
            "delta-by-outputs",
            OutputDelta::ByOutputs,
            "leaves out the derivative of the output function in δ of the output layer",
        ),
        (
            "delta-times-output-derivative",
            OutputDelta::TimesLogisticDerivative,
            "multiplies δ of the output layer by a (1 − a)",
        ),
        (
            "delta-without-targets",
            OutputDelta::Outputs,
            "has the outputs as δ of the output layer, without the targets",
        ),
        (
            "delta-of-squared-error",
            OutputDelta::Of(LossFunction::SquaredError { output, factor: 1.0 }),
            "has the derivative of the squared error as δ of the output layer",
        ),
        (
            "delta-of-half-squared-error",
            OutputDelta::Of(LossFunction::SquaredError { output, factor: 0.5 }),
            "has the derivative of half the squared error as δ of the output layer",
        ),
        (
            "delta-of-sigmoid-squared-error",
            OutputDelta::Of(LossFunction::SquaredError { output: OutputFunction::Sigmoid, factor: 0.5 }),
            "has (a − t) a (1 − a) as δ of the output layer, as for sigmoid outputs and squared error",
        ),
        (
            "delta-of-sigmoid-squared-error",
            OutputDelta::Of(LossFunction::SquaredError { output: OutputFunction::Sigmoid, factor: 1.0 }),
            "has 2 (a − t) a (1 − a) as δ of the output layer, as for sigmoid outputs and squared error",
        ),
        (
            "delta-of-linear-squared-error",
            OutputDelta::Of(LossFunction::SquaredError { output: OutputFunction::Linear, factor: 1.0 }),
            "has 2 (a − t) as δ of the output layer",
        ),
    ];
    let deltas = deltas.into_iter().chain(derivatives_of_output(output));
    let variants = deltas.map(|(id, delta, sentence)| {
        let variant = Variant::of_specification((id, Kind::Fault), sentence, advice, move |specification| {
            specification.deviations.output_delta = Some(delta);
        });
        // Another factor of the squared error is rather another loss, unless the loss was recorded.
        variant.with_bits(if is_squared && id.contains("squared-error") { 1.0 } else { 0.0 })
    });
    variants.chain(smoothed_deltas(facts)).collect()
}

/// Other derivatives of a logistic or tanh output function.
fn derivatives_of_output(output: OutputFunction) -> Vec<(&'static str, OutputDelta, &'static str)> {
    if !matches!(output, OutputFunction::Sigmoid | OutputFunction::Tanh) {
        return Vec::new();
    }
    vec![
        (
            "output-derivative-at-outputs",
            OutputDelta::AtOutputs,
            "takes the derivative of the output function at the outputs a instead of the sums z",
        ),
        (
            "output-derivative-with-wrong-sign",
            OutputDelta::WrongSign,
            "has a plus for the minus in the derivative of the output function",
        ),
    ]
}

/// Labels that are smoothed in δ, but not in the reported loss.
fn smoothed_deltas(facts: &Facts<'_>) -> Vec<Variant> {
    let LossFunction::CrossEntropy { guard, .. } = facts.computation.specification.loss.function else {
        return Vec::new();
    };
    let variants = [0.001, 0.01, 0.05, 0.1, 0.2].into_iter().map(|label_smoothing| {
        Variant::of_specification(
            ("delta-with-smoothed-labels", Kind::Convention),
            format!("smooths the labels by {label_smoothing} in δ of the output layer, but not in the loss"),
            format!(
                "declare `label_smoothing` {label_smoothing} and leave out the loss, or use the same targets for both"
            ),
            move |specification| {
                specification.deviations.reported_loss = Some(specification.reported_loss());
                specification.loss.function = LossFunction::CrossEntropy { guard, label_smoothing };
            },
        )
    });
    variants.collect()
}
