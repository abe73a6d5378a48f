//! Every gradient of the network in double precision against central differences of its loss.
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

/// The largest error of a gradient, in units of what a central difference can tell.
fn largest_error(hidden: &[usize], activation: Activation) -> f64 {
    /// Truncation is step² · |ℒ‴|/6, rounding ε · |ℒ| / step: about 1e-10 each.
    const STEP: f64 = 1e-5;
    const UNIT: f64 = 1e-9;
    let network = network(hidden, activation);
    let (_, gradients) = network.loss_and_gradients(&batch()).unwrap();
    let loss_at = |parameters: &Parameters<f64>| {
        let moved = ReferenceMlp::new(network.config().clone(), parameters.clone()).unwrap();
        moved.loss_and_gradients(&batch()).unwrap().0
    };
    let mut largest = 0.0_f64;
    for (index, gradient) in gradients.layers().iter().enumerate() {
        let mut compare = |expected: f64, change: &dyn Fn(&mut Layer<f64>, f64)| {
            let [above, below] = [STEP, -STEP].map(|step| {
                let mut moved = network.parameters().clone();
                change(&mut moved.layers_mut()[index], step);
                loss_at(&moved)
            });
            largest = largest.max((expected - (above - below) / (2.0 * STEP)).abs() / UNIT);
        };
        for (at, &expected) in gradient.weight.indexed_iter() {
            compare(expected, &|layer, step| layer.weight[at] += step);
        }
        for (at, &expected) in gradient.bias.indexed_iter() {
            compare(expected, &|layer, step| layer.bias[at] += step);
        }
    }
    largest
}

#[test]
fn gradients_are_those_of_the_loss_for_every_activation_and_depth() {
    for activation in [Activation::Sigmoid, Activation::Relu, Activation::Tanh] {
        for hidden in [&[][..], &[5], &[6, 5, 4, 5, 6]] {
            let error = largest_error(hidden, activation);
            assert!(error < 1.0, "{activation}, {hidden:?}: {error}");
        }
    }
}

/// The report's mistake: plain to a gradient check, invisible in the accuracy.
#[test]
fn the_derivative_as_printed_is_not_that_of_the_loss() {
    assert!(largest_error(&[5], Activation::TanhAsPrinted) > 1e4);
    assert!(
        largest_error(&[], Activation::TanhAsPrinted) < 1.0,
        "without a hidden layer there is nothing to get wrong"
    );
}

#[test]
fn the_passes_are_those_of_the_results() {
    let network = network(&[6, 5], Activation::Tanh);
    let passes = network.passes(&batch()).unwrap();
    assert_eq!((passes.loss, passes.gradients), network.loss_and_gradients(&batch()).unwrap());
    assert_eq!(passes.activations[2], network.logits(batch().images()).unwrap());
}
