//! Gradient check: every gradient of the reference network in double precision is compared with a central difference of
//! its loss.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use mlp_parity::{Activation, Batch, Layer, MlpConfig, Parameters};
use mlp_parity_scratch::ReferenceMlp;
use ndarray::Array2;

fn network(hidden: &[usize], activation: Activation) -> ReferenceMlp<f64> {
    let config = MlpConfig::new(7, hidden, 4, activation).unwrap();
    let mut parameters = Parameters::<f64>::glorot_uniform(&config, 5);
    for (index, layer) in parameters.layers_mut().iter_mut().enumerate() {
        layer.bias.fill(0.05 * (index as f64 + 1.0));
    }
    ReferenceMlp::new(config, parameters).unwrap()
}

fn batch() -> Batch<f64> {
    let images = Array2::from_shape_fn([6, 7], |(image, pixel)| ((image * 7 + pixel) * 29 % 31) as f64 / 31.0);
    Batch::new(images, vec![0, 1, 2, 3, 2, 1]).unwrap()
}

/// Returns the largest difference between a gradient and its central difference, divided by a bound on the error of the
/// central difference: less than 1 if the gradients are right.
fn largest_error_ratio(hidden: &[usize], activation: Activation) -> f64 {
    const STEP: f64 = 1e-5;
    /// Ten times the truncation error step²·|ℒ‴|/6 and the rounding error ε·|ℒ|/step, which are about 1e-10 each.
    const ERROR_BOUND: f64 = 1e-9;
    let network = network(hidden, activation);
    let (_, gradients) = network.loss_and_gradients(&batch()).unwrap();
    let loss_at = |parameters: &Parameters<f64>| {
        let moved = ReferenceMlp::new(network.config().clone(), parameters.clone()).unwrap();
        moved.loss_and_gradients(&batch()).unwrap().0
    };
    let mut largest = 0.0_f64;
    for (index, gradient) in gradients.layers().iter().enumerate() {
        let mut compare = |gradient: f64, change: &dyn Fn(&mut Layer<f64>, f64)| {
            let [above, below] = [STEP, -STEP].map(|step| {
                let mut moved = network.parameters().clone();
                change(&mut moved.layers_mut()[index], step);
                loss_at(&moved)
            });
            largest = largest.max((gradient - (above - below) / (2.0 * STEP)).abs() / ERROR_BOUND);
        };
        for (at, &value) in gradient.weight.indexed_iter() {
            compare(value, &|layer, step| layer.weight[at] += step);
        }
        for (at, &value) in gradient.bias.indexed_iter() {
            compare(value, &|layer, step| layer.bias[at] += step);
        }
    }
    largest
}

#[test]
fn reference_gradients_match_central_differences() {
    for activation in [Activation::Sigmoid, Activation::Relu, Activation::Tanh] {
        for hidden in [&[][..], &[5], &[6, 5, 4, 5, 6]] {
            let error_ratio = largest_error_ratio(hidden, activation);
            assert!(error_ratio < 1.0, "{activation}, hidden layers {hidden:?}: error ratio {error_ratio}");
        }
    }
}

/// The derivative of tanh that the report prints is wrong. The gradient check detects this, whereas the accuracy of the
/// trained network does not reveal it.
#[test]
fn gradient_check_detects_tanh_as_printed() {
    assert!(largest_error_ratio(&[5], Activation::TanhAsPrinted) > 1e4);
    assert!(
        largest_error_ratio(&[], Activation::TanhAsPrinted) < 1.0,
        "without a hidden layer, the activation function is not used"
    );
}

#[test]
fn reference_passes_match_loss_gradients_and_logits() {
    let network = network(&[6, 5], Activation::Tanh);
    let passes = network.passes(&batch()).unwrap();
    assert_eq!((passes.loss, passes.gradients), network.loss_and_gradients(&batch()).unwrap());
    assert_eq!(passes.activations[2], network.logits(batch().images()).unwrap());
}
