//! Divergence of parameters during training, step by step. It shows why single steps are compared by their parameters,
//! and trained networks by their predictions.

use mlp_parity::{Batch, Batches, Dataset, Differentiable, Parameters, TrainingConfig};
use serde::Serialize;

use super::comparison::Comparison;
use super::control;
use crate::{NamedTraining, Result};

/// Distance of a network's parameters from those of the first candidate, after the same training steps.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Divergence {
    /// Name of the training configuration.
    pub training: String,
    /// Name of the candidate or control replica.
    pub name: String,
    /// True for a control replica of the first candidate, false for a candidate.
    pub is_replica: bool,
    /// Number of training steps taken.
    pub step: usize,
    /// ‖θ − θ₁‖₂ / ‖θ₁‖₂ over all parameters θ, where θ₁ are those of the first candidate.
    pub distance: f64,
}

/// Trains all candidates and the control replicas for `steps` steps with each training configuration, and measures
/// their distance from the first candidate at steps 1, 2, 3, 4, 6, 8, 11, 16, … (powers of √2, rounded).
///
/// Once `interrupted` returns true, training ends, and the measurements so far are returned.
///
/// # Errors
///
/// The first error that a candidate returns.
pub fn measure(comparison: &Comparison<'_>, steps: usize, interrupted: &dyn Fn() -> bool) -> Result<Vec<Divergence>> {
    let mut divergences = Vec::new();
    for training in comparison.trainings {
        measure_training(comparison, training, steps, interrupted, &mut divergences)?;
    }
    Ok(divergences)
}

fn measure_training(
    comparison: &Comparison<'_>,
    NamedTraining { name: training_name, config: training }: &NamedTraining,
    steps: usize,
    interrupted: &dyn Fn() -> bool,
    divergences: &mut Vec<Divergence>,
) -> Result<()> {
    let Comparison { candidates, config, train, replicas, .. } = *comparison;
    let Some((first, others)) = candidates.split_first() else { return Ok(()) };
    let start = Parameters::glorot_uniform(config, training.seed());
    let ulps = control::perturbation_ulps(training.steps(train.len()));
    let mut first_model = first.create(config, &start)?;
    let mut models: Vec<(String, bool, Box<dyn Differentiable>)> = Vec::new();
    for other in others {
        models.push((other.identity().to_string(), false, other.create(config, &start)?));
    }
    for number in 1..=replicas {
        let replica = first.create(config, &start.perturbed(ulps, number as u64))?;
        models.push((format!("{} replica {number}", first.identity()), true, replica));
    }
    first_model.set_optimizer(training.optimizer())?;
    models.iter_mut().try_for_each(|(.., model)| model.set_optimizer(training.optimizer()))?;

    let mut mark = 0;
    for (index, (batch, rate)) in batches(train, training).take(steps).enumerate() {
        if interrupted() {
            break;
        }
        first_model.step(&batch, rate)?;
        models.iter_mut().try_for_each(|(.., model)| model.step(&batch, rate).map(drop))?;
        let step = index + 1;
        if step >= step_of_mark(mark) {
            // Marks 0 and 1 both round to step 1.
            mark += 1 + usize::from(step == step_of_mark(mark + 1));
            let first_parameters = first_model.parameters()?;
            for (name, is_replica, model) in &models {
                divergences.push(Divergence {
                    training: training_name.clone(),
                    name: name.clone(),
                    is_replica: *is_replica,
                    step,
                    distance: distance(&first_parameters, &model.parameters()?),
                });
            }
        }
    }
    Ok(())
}

/// Returns the step after which the `mark`-th measurement is taken: √2 to the power of `mark`, rounded.
fn step_of_mark(mark: usize) -> usize {
    (mark as f64 / 2.0).exp2().round() as usize
}

/// Returns the batches of a training run and their learning rates, in order.
fn batches<'a>(train: &'a Dataset, training: &'a TrainingConfig) -> impl Iterator<Item = (Batch<f32>, f64)> + 'a {
    (1..=training.epochs()).flat_map(move |epoch| {
        let order = Dataset::epoch_order(training.seed(), epoch, train.len());
        let batches = Batches::of_epoch(training, epoch, &order).map(|(indices, rate)| (indices.to_vec(), rate));
        let batches: Vec<(Vec<usize>, f64)> = batches.collect();
        batches.into_iter().map(move |(indices, rate)| (train.batch(&indices), rate))
    })
}

/// Returns the relative distance ‖other − first‖₂ / ‖first‖₂ over all parameters.
fn distance(first: &Parameters<f32>, other: &Parameters<f32>) -> f64 {
    let (mut difference, mut norm) = (0.0, 0.0);
    for ((_, first), (_, other)) in first.tensors().zip(other.tensors()) {
        for (&first, &other) in first.iter().zip(&other) {
            difference += (f64::from(first) - f64::from(other)).powi(2);
            norm += f64::from(first).powi(2);
        }
    }
    (difference / norm).sqrt()
}
