//! The values that a computation predicts for the tensors of a target, without error bounds. They decide which variants are
//! worth a full comparison.

use mlp_parity::{Parameters, Result};
use mlp_parity_scratch::ReferenceMlp;
use ndarray::{ArrayD, arr0};

use super::target::Target;
use crate::check::{Computation, GradientForm, Results, parameters_after};

/// A tensor with its name.
type Named = (String, ArrayD<f64>);

/// Returns the predicted values of the tensors that the target names; an empty list if a step before it is incomplete.
///
/// # Errors
///
/// [`mlp_parity::Error::Shape`] if the computation is inconsistent.
pub(super) fn predicted(computation: &Computation, results: &Results, target: &Target) -> Result<Vec<Named>> {
    let mut network = ReferenceMlp::with_specification(computation.specification.clone(), computation.initial.clone())?;
    let Some(step) = target.step else { return first_batch(computation, &mut network, target) };
    let mut before = computation.initial.clone();
    for (number, batch) in computation.batches.iter().enumerate().take(step + 1) {
        network.set_parameters(&before)?;
        let passes = network.passes(batch)?;
        let rate = computation.learning_rates.get(number).copied().unwrap_or_default();
        network.apply_gradients(&passes.gradients, rate, batch.images.nrows())?;
        if number == step {
            let mut values = named(network.parameters());
            values.push(("loss".to_owned(), arr0(passes.loss).into_dyn()));
            return Ok(selected(values, target));
        }
        let Some(after) = parameters_after(computation, results, number) else { break };
        before = after;
    }
    Ok(Vec::new())
}

fn first_batch(computation: &Computation, network: &mut ReferenceMlp<f64>, target: &Target) -> Result<Vec<Named>> {
    let batch = &computation.batches[0];
    let images = batch.images.nrows();
    let passes = network.passes(batch)?;
    let gradients = match computation.gradient_form {
        GradientForm::Raw => passes.gradients.clone(),
        GradientForm::Summed => passes.gradients.map(|value| value * images as f64),
        form @ (GradientForm::WithWeightDecay | GradientForm::Clipped) => {
            let specification = form.specification(network.specification());
            let network = ReferenceMlp::with_specification(specification, computation.initial.clone())?;
            network.processed_gradients(&passes.gradients, images)
        }
        GradientForm::FromStep => {
            let rate = computation.learning_rates.first().copied().unwrap_or(1.0);
            network.apply_gradients(&passes.gradients, rate, images)?;
            let mut difference = computation.initial.clone();
            for (difference, after) in difference.layers_mut().iter_mut().zip(network.parameters().layers()) {
                difference.weight = (&difference.weight - &after.weight) / rate;
                difference.bias = (&difference.bias - &after.bias) / rate;
            }
            difference
        }
    };
    let mut values = named(&gradients);
    let logits = passes.sums.last().cloned().unwrap_or_default();
    values.push(("logits".to_owned(), logits.into_dyn()));
    values.push(("outputs".to_owned(), passes.outputs.into_dyn()));
    values.push(("loss".to_owned(), arr0(passes.loss).into_dyn()));
    Ok(selected(values, target))
}

fn named(parameters: &Parameters<f64>) -> Vec<Named> {
    parameters.tensors().map(|(name, values)| (name, values.to_owned())).collect()
}

fn selected(values: Vec<Named>, target: &Target) -> Vec<Named> {
    values.into_iter().filter(|(name, _)| target.tensors.contains(name)).collect()
}
