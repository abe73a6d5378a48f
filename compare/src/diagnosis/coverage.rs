//! Coverage of an agreement: the mistakes and conventions that it does not exclude, because they predict the same results on
//! these data.

use std::collections::{BTreeMap, BTreeSet};

use mlp_parity::{Parameters, Result};
use mlp_parity_scratch::ReferenceMlp;
use mlp_parity_scratch::reference::TrainingBatch;
use ndarray::{Array2, ArrayD, s};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rayon::iter::{IntoParallelIterator, ParallelIterator};

use super::catalogue;
use super::target::Target;
use super::values::predicted;
use crate::check::{Computation, GradientForm, Kind, OtherExplanation, Results, Stage, Step};

/// Largest relative difference of values that count as the same. They are computed in double precision by other operations.
const SAME: f64 = 1e-12;

/// Number of parameters of a large network.
const LARGE_NETWORK: usize = 100_000;

/// Number of images of each batch on which the variants of a large network are compared.
const FEW_IMAGES: usize = 4;

/// Number of steps of the made-up training.
const STEPS: usize = 3;

/// Number of images in a made-up batch.
const IMAGES: usize = 5;

/// Returns the mistakes and conventions with which the same results would agree, although the computation is another one.
///
/// A variant counts only if it differs from the declared computation on made-up data: the square of ReLU's derivative, for
/// example, is the derivative itself.
///
/// # Errors
///
/// [`mlp_parity::Error::Shape`] if the computation is inconsistent.
pub(super) fn not_excluded(computation: &Computation, results: &Results) -> Result<Vec<OtherExplanation>> {
    let computation = &with_few_images(computation);
    let recorded = Predictions::new(computation, results)?;
    let made_up = made_up(computation);
    let simulated = simulated(&made_up)?;
    let general = Predictions::new(&made_up, &simulated)?;
    let variants = catalogue::of_compared_stages(computation, results);
    let candidates = variants.into_par_iter().filter(|variant| {
        let is_judged = !variant.is_harmless && matches!(variant.kind, Kind::Fault | Kind::Convention);
        is_judged
            && recorded.are_those_of(&variant.applied(computation, results).0, results)
            && !general.are_those_of(&variant.applied(&made_up, &simulated).0, &simulated)
    });
    let mut found: Vec<OtherExplanation> = candidates.map(|variant| variant.other()).collect();
    // The first variant stands for all with its identifier.
    let mut ids = BTreeSet::new();
    found.retain(|other| ids.insert(other.id));
    Ok(found)
}

/// Returns the computation with the first images of every batch, if the network is large: what they do not tell apart, the others
/// hardly do.
fn with_few_images(computation: &Computation) -> Computation {
    let mut computation = computation.clone();
    let parameters: usize = computation.initial.tensors().map(|(_, values)| values.len()).sum();
    for batch in computation.batches.iter_mut().filter(|_| parameters >= LARGE_NETWORK) {
        let first = |matrix: &Array2<f64>| matrix.slice(s![..matrix.nrows().min(FEW_IMAGES), ..]).to_owned();
        batch.images = first(&batch.images);
        batch.targets = first(&batch.targets);
        batch.masks.iter_mut().flatten().for_each(|mask| *mask = first(mask));
    }
    computation
}

/// The values that a computation predicts for recorded results.
struct Predictions {
    units: Vec<Target>,
    values: Vec<Vec<(String, ArrayD<f64>)>>,
}

impl Predictions {
    fn new(computation: &Computation, results: &Results) -> Result<Self> {
        let units = units(results);
        let values = units.iter().map(|unit| predicted(computation, results, unit)).collect::<Result<_>>()?;
        Ok(Self { units, values })
    }

    /// Returns true if another computation predicts the same values.
    fn are_those_of(&self, computation: &Computation, results: &Results) -> bool {
        self.units.iter().zip(&self.values).all(|(unit, declared)| {
            let values = predicted(computation, results, unit).unwrap_or_default();
            values.len() == declared.len()
                && values.iter().zip(declared).all(|((_, value), (_, declared))| are_same(value, declared))
        })
    }
}

/// Returns the declared computation with other parameters and batches: nothing is zero, and no two numbers of the batch are
/// equal.
fn made_up(computation: &Computation) -> Computation {
    let mut generator = ChaCha8Rng::seed_from_u64(0);
    let mut number = move || f64::from(generator.next_u32()) / f64::from(u32::MAX);
    let mut computation = computation.clone();
    computation.gradient_form = GradientForm::Raw;
    computation.learning_rates.resize(STEPS, computation.learning_rates.last().copied().unwrap_or(0.1));
    for (layer, &has_biases) in computation.initial.layers_mut().iter_mut().zip(&computation.specification.biases) {
        let scale = 2.0 / (layer.weight.nrows() as f64).sqrt();
        layer.weight.mapv_inplace(|_| scale * (number() - 0.5));
        layer.bias.mapv_inplace(|_| if has_biases { number() - 0.5 } else { 0.0 });
    }
    let like = computation.batches[0].clone();
    let outputs = like.targets.ncols();
    computation.batches.clear();
    for _ in 0..STEPS {
        let images = Array2::from_shape_simple_fn([IMAGES, like.images.ncols()], &mut number);
        let mut targets = Array2::zeros([IMAGES, outputs]);
        for mut row in targets.rows_mut() {
            row[(number() * (outputs as f64 - 0.5)) as usize] = 1.0;
        }
        let masks = like.masks.iter().map(|mask| {
            let units = mask.as_ref()?.ncols();
            Some(Array2::from_shape_simple_fn([IMAGES, units], || if number() < 0.5 { 0.0 } else { 2.0 }))
        });
        computation.batches.push(TrainingBatch { images, targets, masks: masks.collect() });
    }
    computation
}

/// Returns the results of the computation.
fn simulated(computation: &Computation) -> Result<Results> {
    let mut network = ReferenceMlp::with_specification(computation.specification.clone(), computation.initial.clone())?;
    let mut results =
        Results { logits: None, outputs: None, loss: None, gradients: BTreeMap::new(), steps: Vec::new() };
    for (number, (batch, &rate)) in computation.batches.iter().zip(&computation.learning_rates).enumerate() {
        let passes = network.passes(batch)?;
        network.apply_gradients(&passes.gradients, rate, IMAGES)?;
        let named = |parameters: &Parameters<f64>| {
            parameters.tensors().map(|(name, values)| (name, values.to_owned())).collect::<BTreeMap<_, _>>()
        };
        results.steps.push(Step { loss: Some(passes.loss), parameters: named(network.parameters()) });
        if number == 0 {
            results.gradients = named(&passes.gradients);
            results.logits = passes.sums.into_iter().next_back();
            (results.outputs, results.loss) = (Some(passes.outputs), Some(passes.loss));
        }
    }
    Ok(results)
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
