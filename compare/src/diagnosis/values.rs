//! The values that a computation predicts for the tensors of a target, without error bounds. They decide which variants are
//! worth a full comparison.

use mlp_parity::{Parameters, Result};
use mlp_parity_scratch::ReferenceMlp;
use mlp_parity_scratch::reference::{CarriedGradients, Passes, Specification};
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
    Simulation::new(computation, results)?.values(target)
}

/// A computation that starts every step from the recorded parameters before it.
struct Simulation<'a> {
    computation: &'a Computation,
    results: &'a Results,
    network: ReferenceMlp<f64>,
    /// The passes of the first batch.
    first_batch: Option<Passes<f64>>,
    /// The number of the next step.
    next: usize,
}

impl<'a> Simulation<'a> {
    fn new(computation: &'a Computation, results: &'a Results) -> Result<Self> {
        let network = ReferenceMlp::with_specification(computation.specification.clone(), computation.initial.clone())?;
        Ok(Self { computation, results, network, first_batch: None, next: 0 })
    }

    /// Returns the values of a target, which must not come before an earlier one.
    fn values(&mut self, target: &Target) -> Result<Vec<Named>> {
        let Some(step) = target.step else { return self.first_batch(target) };
        let Specification { update_rule, deviations, .. } = &self.computation.specification;
        if update_rule.state_size() == 0 && deviations.carried_gradients == CarriedGradients::None {
            // There is no state that earlier steps could have changed.
            self.next = step;
        }
        while self.next <= step {
            let number = self.next;
            self.next += 1;
            let Some(loss) = self.take_step(number)? else { return Ok(Vec::new()) };
            if number == step {
                let mut values = named(self.network.parameters());
                values.push(("loss".to_owned(), self.loss(step, loss)?));
                return Ok(selected(values, target));
            }
        }
        Ok(Vec::new())
    }

    /// Takes a step from the recorded parameters, and returns its loss; `None` if they were not recorded.
    fn take_step(&mut self, number: usize) -> Result<Option<f64>> {
        let before = match number.checked_sub(1) {
            Some(previous) => parameters_after(self.computation, self.results, previous),
            None => Some(self.computation.initial.clone()),
        };
        let (Some(before), Some(batch)) = (before, self.computation.batches.get(number)) else { return Ok(None) };
        self.network.set_parameters(&before)?;
        let passes = match self.first_batch.take().filter(|_| number == 0) {
            Some(passes) => passes,
            None => self.passes(&before, number)?,
        };
        let rate = self.computation.learning_rates.get(number).copied().unwrap_or_default();
        self.network.apply_gradients(&passes.gradients, rate, batch.images.nrows())?;
        Ok(Some(passes.loss))
    }

    /// Returns the loss of a step, given the one with the parameters before it.
    fn loss(&self, step: usize, before: f64) -> Result<ArrayD<f64>> {
        let after = parameters_after(self.computation, self.results, step);
        let loss = match after.filter(|_| self.computation.after_update.loss) {
            Some(after) => self.passes(&after, step)?.loss,
            None => before,
        };
        Ok(arr0(loss).into_dyn())
    }

    /// Returns the passes of a step from these parameters.
    fn passes(&self, before: &Parameters<f64>, step: usize) -> Result<Passes<f64>> {
        let specification = self.computation.specification_of_step(self.results, step).into_owned();
        ReferenceMlp::with_specification(specification, before.clone())?.passes(&self.computation.batches[step])
    }

    fn first_batch(&mut self, target: &Target) -> Result<Vec<Named>> {
        let passes = self.passes(&self.computation.initial, 0)?;
        let mut values = named(&self.recorded_gradients(&passes.gradients)?);
        let logits = passes.sums.last().cloned().unwrap_or_default();
        values.push(("logits".to_owned(), logits.into_dyn()));
        values.push(("outputs".to_owned(), passes.outputs.clone().into_dyn()));
        values.push(("loss".to_owned(), self.loss(0, passes.loss)?));
        self.first_batch = Some(passes);
        Ok(selected(values, target))
    }

    /// Returns the gradients of the first batch in the form in which they are recorded.
    fn recorded_gradients(&self, gradients: &Parameters<f64>) -> Result<Parameters<f64>> {
        let Computation { gradient_form, initial, learning_rates, batches, .. } = self.computation;
        let images = batches[0].images.nrows();
        Ok(match gradient_form {
            GradientForm::Raw => gradients.clone(),
            GradientForm::Summed => gradients.map(|value| value * images as f64),
            form @ (GradientForm::WithWeightDecay | GradientForm::Clipped) => {
                let specification = form.specification(self.network.specification());
                let network = ReferenceMlp::with_specification(specification, initial.clone())?;
                network.processed_gradients(gradients, images)
            }
            GradientForm::FromStep => {
                let rate = learning_rates.first().copied().unwrap_or(1.0);
                let mut network = self.network.clone();
                network.apply_gradients(gradients, rate, images)?;
                let mut difference = initial.clone();
                for (difference, after) in difference.layers_mut().iter_mut().zip(network.parameters().layers()) {
                    difference.weight = (&difference.weight - &after.weight) / rate;
                    difference.bias = (&difference.bias - &after.bias) / rate;
                }
                difference
            }
        })
    }
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
        let mut simulation = Simulation::new(computation, results)?;
        let values = units.iter().map(|unit| simulation.values(unit)).collect::<Result<_>>()?;
        Ok(Self { units, values })
    }

    /// Returns true if another computation predicts the same values.
    pub(super) fn are_those_of(&self, computation: &Computation, results: &Results) -> bool {
        let Ok(mut simulation) = Simulation::new(computation, results) else { return false };
        self.units
            .iter()
            .zip(&self.values)
            .all(|(unit, declared)| are_all_same(&simulation.values(unit).unwrap_or_default(), declared))
    }

    /// Returns true if the other predictions have the same values.
    pub(super) fn are_same(&self, other: &Self) -> bool {
        self.values.len() == other.values.len()
            && self.values.iter().zip(&other.values).all(|(values, others)| are_all_same(values, others))
    }
}

/// Returns true if two lists have the same values.
pub(super) fn are_all_same(values: &[Named], others: &[Named]) -> bool {
    values.len() == others.len() && values.iter().zip(others).all(|((_, value), (_, other))| are_same(value, other))
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
