//! Made-up data, on which computations differ unless they are the same.

use std::collections::BTreeMap;

use mlp_parity::{Parameters, Result, Scalar};
use mlp_parity_scratch::ReferenceMlp;
use mlp_parity_scratch::reference::TrainingBatch;
use ndarray::Array2;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::check::{Computation, GradientForm, Results, Step};

/// Number of steps of the made-up training.
const STEPS: usize = 3;

/// Number of images in a made-up batch.
const IMAGES: usize = 5;

/// Returns the declared computation with other parameters and batches: nothing is zero, and no two numbers of the batch are
/// equal. All of them are exact in single precision.
pub(super) fn made_up(computation: &Computation) -> Computation {
    let mut generator = ChaCha8Rng::seed_from_u64(0);
    let mut number = move || f64::from(generator.next_u32() as f32 / u32::MAX as f32);
    let mut computation = computation.clone();
    computation.gradient_form = GradientForm::Raw;
    computation.learning_rates.resize(STEPS, computation.learning_rates.last().copied().unwrap_or(0.1));
    for (layer, &has_biases) in computation.initial.layers_mut().iter_mut().zip(&computation.specification.biases) {
        let scale = 2.0 / (layer.weight.nrows() as f64).sqrt();
        layer.weight.mapv_inplace(|_| scale * (number() - 0.5));
        layer.bias.mapv_inplace(|_| if has_biases { number() - 0.5 } else { 0.0 });
    }
    computation.initial = computation.initial.cast::<f32>().cast();
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

/// Returns the results of a computation, rounded to the precision of `F`.
///
/// # Errors
///
/// [`mlp_parity::Error::Shape`] if the computation is inconsistent.
pub(super) fn simulated<F: Scalar>(computation: &Computation) -> Result<Results> {
    let initial = computation.initial.cast::<F>();
    let mut network = ReferenceMlp::with_specification(computation.specification.clone(), initial)?;
    let named = |parameters: &Parameters<F>| {
        let tensors = parameters.tensors().map(|(name, values)| (name, values.mapv(Into::into)));
        tensors.collect::<BTreeMap<_, _>>()
    };
    let mut results =
        Results { logits: None, outputs: None, loss: None, gradients: BTreeMap::new(), steps: Vec::new() };
    for (number, (batch, &rate)) in computation.batches.iter().zip(&computation.learning_rates).enumerate() {
        let passes = network.passes(&batch.cast())?;
        network.apply_gradients(&passes.gradients, rate, batch.images.nrows())?;
        let loss = Some(passes.loss.into());
        results.steps.push(Step { loss, parameters: named(network.parameters()) });
        if number == 0 {
            results.gradients = named(&passes.gradients);
            results.logits = passes.sums.last().map(|logits| logits.mapv(Into::into));
            (results.outputs, results.loss) = (Some(passes.outputs.mapv(Into::into)), loss);
        }
    }
    Ok(results)
}
