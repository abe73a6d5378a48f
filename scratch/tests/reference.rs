//! The fast network gives what the reference gives in double precision, but for rounding. How exactly, the suite of
//! `mlp-parity-compare` tells; this is quick, and finds what is wrong in kind.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use mlp_parity::{Activation, Batch, Differentiable, MlpConfig, Optimizer, Parameters};
use mlp_parity_scratch::{Mlp, ReferenceMlp};
use ndarray::Array2;

/// Sums have at most 300 terms here, of which a layer adds the errors of one; n·u, three layers deep.
const ROUNDING: f64 = 3.0 * 300.0 * f32::EPSILON as f64;

/// The largest difference, as a share of the largest value of its tensor.
fn apart(has: &Parameters<f32>, right: &Parameters<f64>) -> f64 {
    let tensors = has.tensors().zip(right.tensors());
    tensors.fold(0.0, |largest, ((name, has), (_, right))| {
        let scale = right.iter().fold(f64::MIN_POSITIVE, |largest: f64, value| largest.max(value.abs()));
        let difference =
            has.iter().zip(&right).fold(0.0_f64, |d, (&has, &right)| d.max((f64::from(has) - right).abs()));
        assert!(has.iter().all(|value| value.is_finite()), "{name}");
        largest.max(difference / scale)
    })
}

/// Of every number of tiles, full and not, and of images whose pixels are mostly background, or not.
fn cases() -> impl Iterator<Item = (MlpConfig, Batch<f32>)> {
    let shapes: [(usize, &[usize], usize); 5] =
        [(7, &[], 1), (130, &[64], 2), (300, &[130, 65], 70), (129, &[3, 100], 64), (260, &[1], 65)];
    let activations = [Activation::Sigmoid, Activation::Relu, Activation::Tanh, Activation::TanhAsPrinted];
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
fn logits_loss_and_gradients_are_those_of_the_textbook() {
    for (config, batch) in cases() {
        let parameters = Parameters::<f32>::glorot_uniform(&config, 3);
        let fast = Mlp::new(config.clone(), &parameters).unwrap().with_threads(2);
        let reference = ReferenceMlp::<f64>::new(config.clone(), parameters.cast()).unwrap();
        assert_eq!(fast.parameters().unwrap(), parameters);
        let batch64 = batch.cast::<f64>();
        let right = reference.logits(batch64.images()).unwrap();
        for (&has, &right) in fast.logits(batch.images()).unwrap().iter().zip(&right) {
            assert!((f64::from(has) - right).abs() < ROUNDING * 10.0, "{config}: {has} {right}");
        }
        let (loss, gradients) = fast.loss_and_gradients(&batch).unwrap();
        let (right_loss, right) = reference.loss_and_gradients(&batch64).unwrap();
        assert!((f64::from(loss) - right_loss).abs() < ROUNDING * right_loss, "{config}: {loss} {right_loss}");
        let apart = apart(&gradients, &right);
        assert!(apart < ROUNDING, "{config}, {} images: {apart:e}", batch.len());
    }
}

#[test]
fn steps_are_those_of_the_textbook() {
    let momentum = |nesterov| Optimizer::Momentum { momentum: 0.9, nesterov, weight_decay: 0.01 };
    // With another ε, a gradient of almost nothing moves a parameter by almost nothing.
    let adam = Optimizer::Adam { beta1: 0.9, beta2: 0.99, epsilon: 0.1, weight_decay: 0.01 };
    let adamw = Optimizer::AdamW { beta1: 0.9, beta2: 0.99, epsilon: 0.1, weight_decay: 0.01 };
    let [plain, decay] = [0.0, 0.01].map(|weight_decay| Optimizer::sgd().with_weight_decay(weight_decay));
    for optimizer in [plain, decay, momentum(false), momentum(true), adam, adamw] {
        for (config, batch) in cases() {
            let parameters = Parameters::<f32>::glorot_uniform(&config, 3);
            let mut fast = Mlp::new(config.clone(), &parameters).unwrap();
            let mut reference = ReferenceMlp::<f64>::new(config.clone(), parameters.cast()).unwrap();
            fast.set_optimizer(&optimizer).unwrap();
            reference.set_optimizer(&optimizer).unwrap();
            for _ in 0..3 {
                fast.step(&batch, 0.1).unwrap();
                reference.step(&batch.cast(), 0.1).unwrap();
            }
            fast.apply_gradients(&parameters, 0.1).unwrap();
            reference.apply_gradients(&parameters.cast(), 0.1).unwrap();
            let apart = apart(&fast.parameters().unwrap(), reference.parameters());
            assert!(apart < ROUNDING, "{optimizer}, {config}, {} images: {apart:e}", batch.len());
        }
    }
}
