//! The values that a computation predicts for the tensors of a target, without error bounds. They decide which variants are
//! worth a full comparison.

use mlp_parity::{Parameters, Result};
use mlp_parity_scratch::ReferenceMlp;
use ndarray::{ArrayD, arr0};

use super::target::Target;
use crate::check::{Computation, GradientForm, Results, Stage, parameters_after};

/// Largest relative difference of values that count as the same. They are computed in double precision by other operations.
const SAME: f64 = 1e-12;

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

/// The values that a computation predicts for recorded results.
pub(super) struct Predictions {
    units: Vec<Target>,
    values: Vec<Vec<(String, ArrayD<f64>)>>,
}

impl Predictions {
    /// # Errors
    ///
    /// [`mlp_parity::Error::Shape`] if the computation is inconsistent.
    pub(super) fn new(computation: &Computation, results: &Results) -> Result<Self> {
        let units = units(results);
        let values = units.iter().map(|unit| predicted(computation, results, unit)).collect::<Result<_>>()?;
        Ok(Self { units, values })
    }

    /// Returns true if another computation predicts the same values.
    pub(super) fn are_those_of(&self, computation: &Computation, results: &Results) -> bool {
        self.units.iter().zip(&self.values).all(|(unit, declared)| {
            let values = predicted(computation, results, unit).unwrap_or_default();
            values.len() == declared.len()
                && values.iter().zip(declared).all(|((_, value), (_, declared))| are_same(value, declared))
        })
    }
}

/// Returns the recorded tensors of the first batch, and of every step.
fn units(results: &Results) -> Vec<Target> {
    let mut tensors: Vec<String> = results.gradients.keys().cloned().collect();
    tensors.extend(results.logits.is_some().then(|| "logits".to_owned()));
    tensors.extend(results.outputs.is_some().then(|| "outputs".to_owned()));
    tensors.extend(results.loss.is_some().then(|| "loss".to_owned()));
    let mut units = vec![Target { step: None, stage: Stage::Gradients, tensors }];
    for (number, step) in results.steps.iter().enumerate() {
        let mut tensors: Vec<String> = step.parameters.keys().cloned().collect();
        tensors.extend(step.loss.is_some().then(|| "loss".to_owned()));
        units.push(Target { step: Some(number), stage: Stage::Trajectory, tensors });
    }
    units.retain(|unit| !unit.tensors.is_empty());
    units
}

fn are_same(value: &ArrayD<f64>, declared: &ArrayD<f64>) -> bool {
    let largest = declared.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
    value.shape() == declared.shape()
        && value.iter().zip(declared).all(|(value, declared)| (value - declared).abs() <= SAME * largest)
}
