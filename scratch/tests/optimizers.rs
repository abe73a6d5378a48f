//! Compares every optimizer with its update formula, written out for one parameter.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use mlp_parity::{Activation, MlpConfig, Optimizer, Parameters};
use mlp_parity_scratch::ReferenceMlp;

const LEARNING_RATE: f64 = 0.1;
const START: f64 = 0.5;

/// Returns the value of a parameter that starts at [`START`], after one step for each of the gradients. Checks that
/// weights and biases are updated in the same way.
fn parameter_after(optimizer: Optimizer, gradients: &[f64]) -> f64 {
    let config = MlpConfig::new(1, &[], 2, Activation::Relu).unwrap();
    let constant = |value: f64| Parameters::<f64>::zeros(&config).map(|_| value);
    let mut network = ReferenceMlp::new(config.clone(), constant(START)).unwrap();
    network.set_optimizer(&optimizer).unwrap();
    for &gradient in gradients {
        network.apply_gradients(&constant(gradient), LEARNING_RATE).unwrap();
    }
    let layer = &network.parameters().layers()[0];
    assert_eq!((layer.weight[[0, 0]], layer.weight[[0, 1]]), (layer.bias[0], layer.bias[1]));
    layer.bias[0]
}

#[test]
fn sgd_step_matches_formula() {
    let expected = START - 0.1 * (2.0 + 0.3 * START);
    approx::assert_relative_eq!(parameter_after(Optimizer::sgd().with_weight_decay(0.3), &[2.0]), expected);
}

#[test]
fn momentum_steps_match_formula() {
    let optimizer = |nesterov, weight_decay| Optimizer::Momentum { momentum: 0.9, nesterov, weight_decay };
    // v₁ = 2 and v₂ = 0.9·2 + 3 = 4.8, without dampening.
    approx::assert_relative_eq!(parameter_after(optimizer(false, 0.0), &[2.0, 3.0]), START - 0.1 * 2.0 - 0.1 * 4.8);
    // Nesterov: g + µv, so 2 + 0.9·2 = 3.8 and 3 + 0.9·4.8 = 7.32.
    approx::assert_relative_eq!(parameter_after(optimizer(true, 0.0), &[2.0, 3.0]), START - 0.1 * 3.8 - 0.1 * 7.32);
    let first = START - 0.1 * (2.0 + 0.3 * START);
    let velocity = 0.9 * (2.0 + 0.3 * START) + 3.0 + 0.3 * first;
    approx::assert_relative_eq!(parameter_after(optimizer(false, 0.3), &[2.0, 3.0]), first - 0.1 * velocity);
}

/// Returns the direction of Adam's second step, m̂ / (√v̂ + ε), for these two gradients.
fn adam_second_direction(first: f64, second: f64) -> f64 {
    let m = (0.9 * 0.1 * first + 0.1 * second) / (1.0 - 0.9 * 0.9);
    let v = (0.999 * 0.001 * first * first + 0.001 * second * second) / (1.0 - 0.999 * 0.999);
    m / (v.sqrt() + 1e-8)
}

#[test]
fn adam_adds_weight_decay_to_gradient() {
    let [first, second] = [2.0 + 0.3 * START, -1.0];
    let middle = START - 0.1 * first / (first + 1e-8);
    let expected = middle - 0.1 * adam_second_direction(first, second + 0.3 * middle);
    approx::assert_relative_eq!(
        parameter_after(Optimizer::adam().with_weight_decay(0.3), &[2.0, second]),
        expected,
        max_relative = 1e-12
    );
}

#[test]
fn adamw_applies_weight_decay_directly_to_parameters() {
    let middle = START * (1.0 - 0.1 * 0.3) - 0.1 * 2.0 / (2.0 + 1e-8);
    let expected = middle * (1.0 - 0.1 * 0.3) - 0.1 * adam_second_direction(2.0, -1.0);
    approx::assert_relative_eq!(
        parameter_after(Optimizer::adamw().with_weight_decay(0.3), &[2.0, -1.0]),
        expected,
        max_relative = 1e-12
    );
}

/// If the gradient equals ε, the step is half the learning rate. With ε under the square root, the step would be almost
/// zero.
#[test]
fn adam_adds_epsilon_outside_square_root() {
    let moved = START - parameter_after(Optimizer::adam(), &[1e-8]);
    approx::assert_relative_eq!(moved, 0.1 * 0.5, max_relative = 1e-6);
}

#[test]
fn set_optimizer_resets_moments() {
    let config = MlpConfig::new(1, &[], 2, Activation::Relu).unwrap();
    let gradients = Parameters::<f64>::zeros(&config).map(|_| 2.0);
    let mut network = ReferenceMlp::new(config.clone(), Parameters::zeros(&config)).unwrap();
    let momentum = Optimizer::momentum(0.9);
    for _ in 0..2 {
        network.set_optimizer(&momentum).unwrap();
        network.apply_gradients(&gradients, 0.1).unwrap();
    }
    approx::assert_relative_eq!(network.parameters().layers()[0].bias[0], -0.4);
}
