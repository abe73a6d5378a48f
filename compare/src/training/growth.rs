//! How far apart participants drift, step by step: why parameters are compared after each step, and trained networks by
//! their predictions.

use mlp_parity::{Batch, Batches, Dataset, Differentiable, Parameters, TrainingConfig};
use serde::Serialize;

use super::comparison::Comparison;
use super::control;
use crate::{NamedPlan, Result};

/// One network beside that of the first participant, at one moment of the same training.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Drift {
    /// The plan.
    pub plan: String,
    /// Whose network.
    pub name: String,
    /// Whether it is a twin of the first participant.
    pub is_twin: bool,
    /// Updates made.
    pub step: usize,
    /// ‖θ − θ₁‖₂ / ‖θ₁‖₂ over all parameters θ, θ₁ being those of the first participant.
    pub distance: f64,
}

/// Trains everyone and the twins side by side for as many steps of each plan, with its own seed, and measures at steps a
/// factor √2 apart. What there is when
/// `interrupted` says so is returned.
///
/// # Errors
///
/// What a participant reports.
pub fn follow(comparison: &Comparison<'_>, steps: usize, interrupted: &dyn Fn() -> bool) -> Result<Vec<Drift>> {
    let mut drifts = Vec::new();
    for plan in comparison.plans {
        follow_plan(comparison, plan, steps, interrupted, &mut drifts)?;
    }
    Ok(drifts)
}

fn follow_plan(
    comparison: &Comparison<'_>,
    plan: &NamedPlan,
    steps: usize,
    interrupted: &dyn Fn() -> bool,
    drifts: &mut Vec<Drift>,
) -> Result<()> {
    let Comparison { participants, config, train, twins, .. } = *comparison;
    let NamedPlan { name: plan_name, plan } = plan;
    let Some((first, others)) = participants.split_first() else { return Ok(()) };
    let start = Parameters::glorot_uniform(config, plan.seed());
    let ulps = control::twin_ulps(plan.steps(train.len()));
    let mut reference = first.create(config, &start)?;
    let mut models: Vec<(String, bool, Box<dyn Differentiable>)> = Vec::new();
    for other in others {
        models.push((other.identity().to_string(), false, other.create(config, &start)?));
    }
    for number in 1..=twins {
        let twin = first.create(config, &start.ulps_away(ulps, number as u64))?;
        models.push((format!("{} twin {number}", first.identity()), true, twin));
    }
    reference.set_optimizer(plan.optimizer())?;
    models.iter_mut().try_for_each(|(.., model)| model.set_optimizer(plan.optimizer()))?;

    let mut mark = 0;
    for (index, (batch, rate)) in batches(train, plan).take(steps).enumerate() {
        if interrupted() {
            break;
        }
        reference.step(&batch, rate)?;
        models.iter_mut().try_for_each(|(.., model)| model.step(&batch, rate).map(drop))?;
        let step = index + 1;
        if step >= at(mark) {
            mark += 1 + usize::from(step == at(mark + 1));
            let right = reference.parameters()?;
            for (name, is_twin, model) in &models {
                let distance = distance(&right, &model.parameters()?);
                let (plan, name) = (plan_name.clone(), name.clone());
                drifts.push(Drift { plan, name, is_twin: *is_twin, step, distance });
            }
        }
    }
    Ok(())
}

/// The step of the `mark`-th measurement: √2 to this power, rounded.
fn at(mark: usize) -> usize {
    (mark as f64 / 2.0).exp2().round() as usize
}

/// The batches of a plan, in order.
fn batches<'a>(train: &'a Dataset, plan: &'a TrainingConfig) -> impl Iterator<Item = (Batch<f32>, f64)> + 'a {
    (1..=plan.epochs()).flat_map(move |epoch| {
        let order = Dataset::epoch_order(plan.seed(), epoch, train.len());
        let batches = Batches::of_epoch(plan, epoch, &order).map(|(indices, rate)| (indices.to_vec(), rate));
        let batches: Vec<(Vec<usize>, f64)> = batches.collect();
        batches.into_iter().map(move |(indices, rate)| (train.batch(&indices), rate))
    })
}

fn distance(right: &Parameters<f32>, other: &Parameters<f32>) -> f64 {
    let (mut apart, mut length) = (0.0, 0.0);
    for ((_, right), (_, other)) in right.tensors().zip(other.tensors()) {
        for (&right, &other) in right.iter().zip(&other) {
            apart += (f64::from(right) - f64::from(other)).powi(2);
            length += f64::from(right).powi(2);
        }
    }
    (apart / length).sqrt()
}
