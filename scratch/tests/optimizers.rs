//! Compares every optimizer with its update formula, written out for one parameter.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use mlp_parity::{Activation, MlpConfig, Optimizer, Parameters};
use mlp_parity_scratch::ReferenceMlp;
use mlp_parity_scratch::reference::{
    Clipping, Correction, EpsilonPlacement, MomentumForm, Specification, UpdateRule, UpdateStep, WeightDecay,
};

const LEARNING_RATE: f64 = 0.1;
const START: f64 = 0.5;

/// Returns the value of a parameter that starts at [`START`], after one step for each of the gradients. Checks that
/// weights and biases are updated in the same way.
fn parameter_after(optimizer: Optimizer, gradients: &[f64]) -> f64 {
    let config = MlpConfig::new(1, &[], 2, Activation::Relu).unwrap();
    let constant = |value: f64| Parameters::<f64>::zeros(&config).map(|_| value);
    let mut network = ReferenceMlp::new(&config, constant(START)).unwrap();
    network.set_optimizer(&optimizer).unwrap();
    for &gradient in gradients {
        network.apply_gradients(&constant(gradient), LEARNING_RATE, 1).unwrap();
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
    let mut network = ReferenceMlp::new(&config, Parameters::zeros(&config)).unwrap();
    let momentum = Optimizer::momentum(0.9);
    for _ in 0..2 {
        network.set_optimizer(&momentum).unwrap();
        network.apply_gradients(&gradients, 0.1, 1).unwrap();
    }
    approx::assert_relative_eq!(network.parameters().layers()[0].bias[0], -0.4);
}

/// Returns the value of a parameter that starts at [`START`], after four steps of a rule.
fn after_four_steps(rule: UpdateRule) -> f64 {
    let (mut parameter, mut state) = (START, rule.initial_state(&0.0));
    for (gradient, number) in [2.0, -1.0, 0.5, 0.25].into_iter().zip(1..) {
        let step = UpdateStep { rule, learning_rate: LEARNING_RATE, number, shrink: 1.0, correction: Correction::Step };
        parameter = step.update(&parameter, &gradient, &mut state);
    }
    parameter
}

/// The expected values are those of `torch.optim` (PyTorch 2.15) in double precision, with its default settings unless
/// stated, and of `optax` 0.2.8 for ε inside the root.
#[test]
fn update_rules_match_pytorch_and_optax() {
    use EpsilonPlacement::{InsideRoot, Outside};
    let (beta1, beta2, epsilon) = (0.9, 0.999, 1e-8);
    let adam = |placement, epsilon, amsgrad| UpdateRule::Adam { beta1, beta2, epsilon, placement, amsgrad };
    let momentum = |momentum, form, nesterov| UpdateRule::Momentum { momentum, form, nesterov };
    let rms_prop =
        |alpha, momentum, placement| UpdateRule::RmsProp { alpha, epsilon, placement, momentum, with_rate: false };
    let adagrad = |learning_rate_decay, initial_accumulator, epsilon, placement| UpdateRule::Adagrad {
        learning_rate_decay,
        initial_accumulator,
        epsilon,
        placement,
    };
    for (name, rule, expected, tolerance) in [
        // PyTorch keeps the product of NAdam's momenta in single precision.
        ("SGD with dampening 0.3", momentum(0.9, MomentumForm::Velocity { dampening: 0.3 }, false), -0.082_1, 1e-15),
        ("AMSGrad", adam(Outside, epsilon, true), 0.305_290_776_265_533_25, 1e-15),
        ("NAdam", UpdateRule::Nadam { beta1, beta2, epsilon, momentum_decay: 0.004 }, 0.390_446_790_157_626_1, 2e-9),
        ("Adamax", UpdateRule::Adamax { beta1, beta2, epsilon }, 0.336_714_349_863_354_7, 1e-15),
        ("RMSprop", rms_prop(0.99, 0.0, Outside), -0.381_026_992_069_575_74, 1e-15),
        ("RMSprop with momentum 0.9 and α = 0.9", rms_prop(0.9, 0.9, Outside), -0.370_782_421_103_342_1, 1e-15),
        ("Adagrad with decay 0.2", adagrad(0.2, 0.1, 1e-10, Outside), 0.415_970_867_805_785_96, 1e-15),
        ("rmsprop of optax", rms_prop(0.9, 0.0, InsideRoot), 0.216_288_619_950_786_52, 1e-15),
        ("adagrad of optax with ε = 10⁻³", adagrad(0.0, 0.125, 1e-3, InsideRoot), 0.413_422_354_365_694_74, 1e-15),
        ("adam of optax with eps_root = 10⁻³", adam(InsideRoot, 1e-3, false), 0.305_331_148_970_667_8, 1e-15),
    ] {
        let actual = after_four_steps(rule);
        assert!((actual - expected).abs() <= tolerance, "{name}: {actual}, expected {expected}");
    }
}

#[test]
fn momentum_forms_match_recurrences() {
    let momentum = |form| UpdateRule::Momentum { momentum: 0.9, form, nesterov: false };
    let velocity = after_four_steps(momentum(MomentumForm::Velocity { dampening: 0.0 }));
    // With a constant rate, the rate may be applied at either place, and an average is a velocity of a tenth.
    approx::assert_relative_eq!(after_four_steps(momentum(MomentumForm::WithRate)), velocity, max_relative = 1e-13);
    let average = after_four_steps(momentum(MomentumForm::Average));
    approx::assert_relative_eq!(10.0 * (average - START), velocity - START, max_relative = 1e-13);
}

/// ε = 10⁻⁸ below √v = √(1−β₂)·g has 31.6 times the effect of the same ε below √v̂ = g in the first step.
#[test]
fn epsilon_before_correction_counts_more() {
    let first_step = |placement| {
        let rule = UpdateRule::Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-3, placement, amsgrad: false };
        let step = UpdateStep { rule, learning_rate: 1.0, number: 1, shrink: 1.0, correction: Correction::Step };
        -step.update(&0.0, &1.0, &mut rule.initial_state(&0.0))
    };
    approx::assert_relative_eq!(first_step(EpsilonPlacement::Outside), 1.0 / 1.001, max_relative = 1e-12);
    let root = 0.001_f64.sqrt();
    approx::assert_relative_eq!(
        first_step(EpsilonPlacement::BeforeCorrection),
        root / (root + 1e-3),
        max_relative = 1e-12
    );
}

/// Returns the gradients of a network with two weights and two biases after weight decay and clipping, and its parameters
/// after a step with the rate 1.
fn processed(weight_decay: WeightDecay, clipping: Option<Clipping>) -> ([f64; 4], [f64; 4]) {
    let config = MlpConfig::new(1, &[], 2, Activation::Relu).unwrap();
    let values = |[first, second, third, fourth]: [f64; 4]| {
        let mut values = Parameters::<f64>::zeros(&config);
        let layer = &mut values.layers_mut()[0];
        layer.weight.assign(&ndarray::array![[first, second]]);
        layer.bias.assign(&ndarray::array![third, fourth]);
        values
    };
    let list = |values: &Parameters<f64>| {
        let layer = &values.layers()[0];
        [layer.weight[[0, 0]], layer.weight[[0, 1]], layer.bias[0], layer.bias[1]]
    };
    let specification = Specification { weight_decay, clipping, ..Specification::new(&config, &Optimizer::sgd()) };
    let mut network = ReferenceMlp::with_specification(specification, values([1.0, 2.0, 3.0, 4.0])).unwrap();
    let gradients = values([3.0, 4.0, 0.0, -12.0]);
    let processed = list(&network.processed_gradients(&gradients, 10));
    network.apply_gradients(&gradients, 1.0, 10).unwrap();
    (processed, list(network.parameters()))
}

#[test]
fn gradients_are_clipped_by_norm_and_by_value() {
    let clipped = |clipping| processed(WeightDecay::NONE, Some(clipping)).0;
    let none = [3.0, 4.0, 0.0, -12.0];
    assert_eq!(clipped(Clipping::GlobalNorm { limit: 6.5, epsilon: 0.0 }), none.map(|value| value / 2.0));
    assert_eq!(clipped(Clipping::GlobalNorm { limit: 13.0, epsilon: 0.0 }), none);
    let pytorch = clipped(Clipping::pytorch_norm(6.5));
    approx::assert_relative_eq!(pytorch[0], 3.0 * 6.5 / (13.0 + 1e-6), max_relative = 1e-15);
    // The norm of the weights is 5, that of the biases 12.
    assert_eq!(clipped(Clipping::TensorNorm { limit: 6.0, epsilon: 0.0 }), [3.0, 4.0, 0.0, -6.0]);
    assert_eq!(clipped(Clipping::Value { limit: 3.5 }), [3.0, 3.5, 0.0, -3.5]);
}

#[test]
fn weight_decay_has_every_form() {
    let decay = WeightDecay { coefficient: 0.5, ..WeightDecay::NONE };
    assert_eq!(processed(decay, None).0, [3.5, 5.0, 1.5, -10.0]);
    assert_eq!(processed(WeightDecay { weights_only: true, ..decay }, None).0, [3.5, 5.0, 0.0, -12.0]);
    approx::assert_relative_eq!(
        processed(WeightDecay { per_image: true, ..decay }, None).0[1],
        4.1,
        max_relative = 1e-15
    );
    let (gradients, parameters) = processed(WeightDecay { decoupled: true, ..decay }, None);
    assert_eq!((gradients, parameters), ([3.0, 4.0, 0.0, -12.0], [-2.5, -3.0, 1.5, 14.0]));
    let (_, parameters) = processed(WeightDecay { decoupled: true, weights_only: true, ..decay }, None);
    assert_eq!(parameters, [-2.5, -3.0, 3.0, 16.0]);
}
