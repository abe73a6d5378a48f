//! Compares the fast network with the reference in double precision, with one generous tolerance for all results. These
//! quick tests find gross errors; the check suite of `mlp-parity-compare` makes the same comparison with tight error
//! bounds.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use mlp_parity::{Activation, Batch, Differentiable, MlpConfig, Optimizer, Parameters};
use mlp_parity_scratch::reference::{DerivativeForm, Specification};
use mlp_parity_scratch::{Mlp, ReferenceMlp};
use ndarray::Array2;

/// Relative tolerance for rounding errors: n·ε for sums of at most n = 300 terms, times three layers.
const TOLERANCE: f64 = 3.0 * 300.0 * f32::EPSILON as f64;

/// Returns the largest difference between actual and expected values, relative to the largest expected value of the
/// same tensor. Panics if an actual value is not finite.
fn largest_difference(actual: &Parameters<f32>, expected: &Parameters<f64>) -> f64 {
    let tensors = actual.tensors().zip(expected.tensors());
    tensors.fold(0.0, |largest, ((name, actual), (_, expected))| {
        let scale = expected.iter().fold(f64::MIN_POSITIVE, |largest: f64, value| largest.max(value.abs()));
        let difference = actual
            .iter()
            .zip(&expected)
            .fold(0.0_f64, |d, (&actual, &expected)| d.max((f64::from(actual) - expected).abs()));
        assert!(actual.iter().all(|value| value.is_finite()), "{name}");
        largest.max(difference / scale)
    })
}

/// Returns networks whose layers have one or more full or partial tiles, each with images whose pixels are all used
/// (dense first layer) and with images that are mostly background (sparse first layer).
fn cases() -> impl Iterator<Item = (MlpConfig, Batch<f32>)> {
    let shapes: [(usize, &[usize], usize); 5] =
        [(7, &[], 1), (130, &[64], 2), (300, &[130, 65], 70), (129, &[3, 100], 64), (260, &[1], 65)];
    let activations = Activation::ALL;
    shapes.into_iter().flat_map(move |(inputs, hidden, images)| {
        activations.into_iter().flat_map(move |activation| {
            [1, 9].map(|every| {
                let config = MlpConfig::new(inputs, hidden, 10, activation).unwrap();
                let value = |(row, column): (usize, usize)| ((row * 31 + column * 7) % 41) as f32 / 41.0;
                let pixel =
                    |at: (usize, usize)| if (at.0 * inputs + at.1).is_multiple_of(every) { value(at) } else { 0.0 };
                let labels = (0..images).map(|image| (image * 3) % 10).collect();
                (config, Batch::new(Array2::from_shape_fn([images, inputs], pixel), labels).unwrap())
            })
        })
    })
}

#[test]
fn fast_network_logits_loss_and_gradients_match_reference() {
    for (config, batch) in cases() {
        let parameters = Parameters::<f32>::glorot_uniform(&config, 3);
        let fast = Mlp::new(config.clone(), &parameters).unwrap().with_threads(2);
        let reference = ReferenceMlp::<f64>::new(&config, parameters.cast()).unwrap();
        assert_eq!(fast.parameters().unwrap(), parameters);
        let batch64 = batch.cast::<f64>();
        let expected = reference.logits(batch64.images()).unwrap();
        for (&actual, &expected) in fast.logits(batch.images()).unwrap().iter().zip(&expected) {
            let difference = (f64::from(actual) - expected).abs();
            assert!(difference < TOLERANCE * 10.0, "{config}: logit {actual}, expected {expected}");
        }
        let (loss, gradients) = fast.loss_and_gradients(&batch).unwrap();
        let (expected_loss, expected_gradients) = reference.loss_and_gradients(&batch64).unwrap();
        let difference = (f64::from(loss) - expected_loss).abs();
        assert!(difference < TOLERANCE * expected_loss, "{config}: loss {loss}, expected {expected_loss}");
        let difference = largest_difference(&gradients, &expected_gradients);
        assert!(difference < TOLERANCE, "{config}, {} images: gradients differ by {difference:e}", batch.len());
    }
}

/// The derivative of the report's listing, tanh′ at the activation.
#[test]
fn fast_network_with_derivative_at_activation_matches_reference() {
    for (config, batch) in cases() {
        let parameters = Parameters::<f32>::glorot_uniform(&config, 3);
        let fast = Mlp::new(config.clone(), &parameters).unwrap().with_derivative_at_activation();
        let mut specification = Specification::new(&config, &Optimizer::sgd());
        let layers = 0..config.hidden().len();
        specification.deviations.derivatives = layers.map(|layer| (layer, DerivativeForm::AtActivation)).collect();
        let reference = ReferenceMlp::<f64>::with_specification(specification, parameters.cast()).unwrap();
        let (_, gradients) = fast.loss_and_gradients(&batch).unwrap();
        let (_, expected) = reference.loss_and_gradients(&batch.cast()).unwrap();
        let difference = largest_difference(&gradients, &expected);
        assert!(difference < TOLERANCE, "{config}, {} images: gradients differ by {difference:e}", batch.len());
    }
}

#[test]
fn fast_network_steps_match_reference_for_every_optimizer() {
    let momentum = |nesterov| Optimizer::Momentum { momentum: 0.9, nesterov, weight_decay: 0.01 };
    // With the usual ε = 1e-8, a step is about the learning rate even for a tiny gradient, whose sign may be a matter
    // of rounding. A large ε makes such steps small.
    let adam = Optimizer::Adam { beta1: 0.9, beta2: 0.99, epsilon: 0.1, weight_decay: 0.01 };
    let adamw = Optimizer::AdamW { beta1: 0.9, beta2: 0.99, epsilon: 0.1, weight_decay: 0.01 };
    let [plain, decay] = [0.0, 0.01].map(|weight_decay| Optimizer::sgd().with_weight_decay(weight_decay));
    for optimizer in [plain, decay, momentum(false), momentum(true), adam, adamw] {
        for (config, batch) in cases() {
            let parameters = Parameters::<f32>::glorot_uniform(&config, 3);
            let mut fast = Mlp::new(config.clone(), &parameters).unwrap();
            let mut reference = ReferenceMlp::<f64>::new(&config, parameters.cast()).unwrap();
            fast.set_optimizer(&optimizer).unwrap();
            reference.set_optimizer(&optimizer).unwrap();
            for _ in 0..3 {
                fast.step(&batch, 0.1).unwrap();
                reference.step(&batch.cast(), 0.1).unwrap();
            }
            fast.apply_gradients(&parameters, 0.1).unwrap();
            reference.apply_gradients(&parameters.cast(), 0.1, 1).unwrap();
            let difference = largest_difference(&fast.parameters().unwrap(), reference.parameters());
            assert!(
                difference < TOLERANCE,
                "{optimizer}, {config}, {} images: parameters differ by {difference:e}",
                batch.len()
            );
        }
    }
}
