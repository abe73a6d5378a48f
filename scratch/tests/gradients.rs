//! Gradient check: every gradient of the reference network in double precision is compared with a central difference of
//! its loss, for every operation that a specification can select.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use mlp_parity::{Activation, Layer, MlpConfig, Optimizer, Parameters};
use mlp_parity_scratch::ReferenceMlp;
use mlp_parity_scratch::reference::{
    ActivationFunction, DerivativeForm, LogarithmGuard, Loss, LossFunction, OutputFunction, Reduction, Specification,
    TrainingBatch, WeightDecay,
};
use ndarray::Array2;

fn specification(hidden: &[usize], activation: Activation) -> Specification {
    Specification::new(&MlpConfig::new(7, hidden, 4, activation).unwrap(), &Optimizer::sgd())
}

fn network(specification: Specification, hidden: &[usize]) -> ReferenceMlp<f64> {
    let config = MlpConfig::new(7, hidden, 4, Activation::Relu).unwrap();
    let mut parameters = Parameters::<f64>::glorot_uniform(&config, 5);
    for (index, layer) in parameters.layers_mut().iter_mut().enumerate() {
        if specification.biases[index] {
            layer.bias.fill(0.05 * (index as f64 + 1.0));
        }
    }
    ReferenceMlp::with_specification(specification, parameters).unwrap()
}

fn batch() -> TrainingBatch<f64> {
    let images = Array2::from_shape_fn([6, 7], |(image, pixel)| ((image * 7 + pixel) * 29 % 31) as f64 / 31.0);
    let labels = [0, 1, 2, 3, 2, 1];
    let targets = Array2::from_shape_fn([6, 4], |(image, class)| f64::from(u8::from(labels[image] == class)));
    TrainingBatch { images, targets, masks: Vec::new() }
}

/// Returns the largest difference between a gradient and its central difference, divided by a bound on the error of the
/// central difference: less than 1 if the gradients are right.
fn largest_error_ratio(network: &ReferenceMlp<f64>, batch: &TrainingBatch<f64>) -> f64 {
    const STEP: f64 = 1e-5;
    /// Ten times the truncation error step²·|ℒ‴|/6 and the rounding error ε·|ℒ|/step, which are about 1e-10 each for a
    /// loss of 1.
    const ERROR_BOUND: f64 = 1e-9;
    let passes = network.passes(batch).unwrap();
    let loss_at = |parameters: &Parameters<f64>| {
        let moved = ReferenceMlp::with_specification(network.specification().clone(), parameters.clone()).unwrap();
        moved.passes(batch).unwrap().loss
    };
    let mut largest = 0.0_f64;
    for (index, gradient) in passes.gradients.layers().iter().enumerate() {
        let mut compare = |gradient: f64, change: &dyn Fn(&mut Layer<f64>, f64)| {
            let [above, below] = [STEP, -STEP].map(|step| {
                let mut moved = network.parameters().clone();
                change(&mut moved.layers_mut()[index], step);
                loss_at(&moved)
            });
            let difference = (gradient - (above - below) / (2.0 * STEP)).abs();
            largest = largest.max(difference / (ERROR_BOUND * passes.loss.max(1.0)));
        };
        for (at, &value) in gradient.weight.indexed_iter() {
            compare(value, &|layer, step| layer.weight[at] += step);
        }
        if network.specification().biases[index] {
            for (at, &value) in gradient.bias.indexed_iter() {
                compare(value, &|layer, step| layer.bias[at] += step);
            }
        }
    }
    largest
}

#[test]
fn reference_gradients_match_central_differences() {
    for activation in [Activation::Sigmoid, Activation::Relu, Activation::Tanh] {
        for hidden in [&[][..], &[5], &[6, 5, 4, 5, 6]] {
            let error_ratio = largest_error_ratio(&network(specification(hidden, activation), hidden), &batch());
            assert!(error_ratio < 1.0, "{activation}, hidden layers {hidden:?}: error ratio {error_ratio}");
        }
    }
}

#[test]
fn gradients_of_every_activation_function_match_central_differences() {
    use ActivationFunction::{Elu, Gelu, GeluTanh, HardSigmoid, Identity, LeakyRelu, Selu, Silu, Softplus};
    for function in [
        Identity,
        LeakyRelu { slope: 0.1 },
        Elu { alpha: 1.5 },
        Selu,
        Gelu,
        GeluTanh,
        Silu,
        Softplus,
        HardSigmoid { slope: 0.2 },
    ] {
        // Another function in the second layer: the two must not be confused.
        let activations = vec![function, ActivationFunction::Tanh];
        let specification = Specification { activations, ..specification(&[5, 4], Activation::Tanh) };
        let error_ratio = largest_error_ratio(&network(specification, &[5, 4]), &batch());
        assert!(error_ratio < 1.0, "{function:?}: error ratio {error_ratio}");
    }
}

#[test]
fn gradients_of_every_loss_match_central_differences() {
    let added = LogarithmGuard::Added { epsilon: 0.1, in_gradient: true };
    let clipped = LogarithmGuard::Clipped { epsilon: 0.2, in_gradient: true };
    let mut functions = Vec::new();
    for guard in [LogarithmGuard::None, added, clipped] {
        functions.push(LossFunction::BinaryCrossEntropy { guard });
        functions.extend([0.0, 0.1].map(|label_smoothing| LossFunction::CrossEntropy { guard, label_smoothing }));
    }
    for output in [OutputFunction::Linear, OutputFunction::Sigmoid, OutputFunction::Tanh, OutputFunction::Softmax] {
        functions.extend([0.5, 1.0].map(|factor| LossFunction::SquaredError { output, factor }));
    }
    for function in functions {
        for reduction in [Reduction::Mean, Reduction::Sum, Reduction::MeanOverOutputs] {
            let loss = Loss { function, reduction };
            let specification = Specification { loss, ..specification(&[5], Activation::Tanh) };
            let error_ratio = largest_error_ratio(&network(specification, &[5]), &batch());
            assert!(error_ratio < 1.0, "{loss:?}: error ratio {error_ratio}");
        }
    }
}

#[test]
fn gradients_with_dropout_and_without_some_biases_match_central_differences() {
    let mask = |units| Array2::from_shape_fn([6, units], |(image, unit)| f64::from((image + unit) as u8 % 3) / 1.5);
    let batch = TrainingBatch { masks: vec![None, Some(mask(4))], ..batch() };
    let specification =
        Specification { biases: vec![false, true, false], ..specification(&[5, 4], Activation::Sigmoid) };
    let network = network(specification, &[5, 4]);
    assert!(largest_error_ratio(&network, &batch) < 1.0);
    let gradients = network.passes(&batch).unwrap().gradients;
    let is_zero = gradients.layers().iter().map(|layer| layer.bias.iter().all(|&value| value == 0.0));
    assert_eq!(is_zero.collect::<Vec<_>>(), [true, false, true]);
}

/// The gradient of the penalty is coupled weight decay.
#[test]
fn weight_decay_in_gradient_matches_penalty_in_loss() {
    for (weights_only, per_image) in [(false, false), (true, false), (false, true)] {
        let weight_decay = WeightDecay { weights_only, per_image, in_loss: true, coefficient: 0.3, decoupled: false };
        let of_loss = Specification { weight_decay, ..specification(&[5], Activation::Tanh) };
        let network = network(of_loss, &[5]);
        let batch = batch();
        let passes = network.passes(&batch).unwrap();
        let with_decay = network.processed_gradients(&passes.gradients, 6);
        let mut moved = network.parameters().clone();
        let change = 1e-6;
        moved.layers_mut()[0].weight[[1, 2]] += change;
        moved.layers_mut()[1].bias[3] += 2.0 * change;
        let specification = network.specification().clone();
        let above = ReferenceMlp::with_specification(specification, moved).unwrap().passes(&batch).unwrap().loss;
        let expected = with_decay.layers()[0].weight[[1, 2]] + 2.0 * with_decay.layers()[1].bias[3];
        approx::assert_relative_eq!((above - passes.loss) / change, expected, max_relative = 1e-4);
        let penalty_of_bias = with_decay.layers()[1].bias[3] != passes.gradients.layers()[1].bias[3];
        assert_eq!(penalty_of_bias, !weights_only);
    }
}

/// The derivative of tanh that the report prints is wrong: it is taken at the activation. The gradient check detects this,
/// whereas the accuracy of the trained network does not reveal it.
#[test]
fn gradient_check_detects_derivative_at_activation() {
    let as_printed = |hidden: &[usize]| {
        let mut specification = specification(hidden, Activation::Tanh);
        let layers = 0..hidden.len();
        specification.deviations.derivatives = layers.map(|layer| (layer, DerivativeForm::AtActivation)).collect();
        network(specification, hidden)
    };
    assert!(largest_error_ratio(&as_printed(&[5]), &batch()) > 1e4);
    assert!(
        largest_error_ratio(&as_printed(&[]), &batch()) < 1.0,
        "without a hidden layer, the activation function is not used"
    );
}

#[test]
fn reference_passes_match_logits_and_outputs() {
    let network = network(specification(&[6, 5], Activation::Tanh), &[6, 5]);
    let passes = network.passes(&batch()).unwrap();
    assert_eq!(passes.sums[2], network.logits(batch().images.view()).unwrap());
    assert_eq!(passes.inputs[1..], passes.activations);
    for (logits, outputs) in passes.sums[2].rows().into_iter().zip(passes.outputs.rows()) {
        let total: f64 = logits.iter().map(|logit| logit.exp()).sum();
        logits
            .iter()
            .zip(outputs)
            .for_each(|(z, &a)| approx::assert_relative_eq!(z.exp() / total, a, max_relative = 1e-14));
    }
}
