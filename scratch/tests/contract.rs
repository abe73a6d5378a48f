//! Requirements of the traits `Classifier` and `Differentiable` other than correct values: rejection of invalid input,
//! optimizer state, the training loop, and stopping when the loss is not finite.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use mlp_parity::metrics::Evaluation;
use mlp_parity::{
    Activation, Batch, Batches, Classifier, Dataset, Differentiable, Error, MlpConfig, Optimizer, Parameters,
    TrainingConfig,
};
use mlp_parity_scratch::Mlp;
use mlp_parity_scratch::kernels::instruction_set;
use ndarray::s;

const MOMENTUM: Optimizer = Optimizer::momentum(0.9);

fn config() -> MlpConfig {
    MlpConfig::new(9, &[6, 5], 10, Activation::Relu).unwrap()
}

fn network() -> Mlp {
    Mlp::new(config(), &Parameters::glorot_uniform(&config(), 0)).unwrap()
}

/// Creates 20 images in which one pixel in `every` is non-zero: the first layer is dense for 1 and sparse for 9.
fn dataset(every: usize) -> Dataset {
    let pixels = (0..20 * 9).map(|pixel| if pixel % every == 0 { (pixel * 37 % 255 + 1) as u8 } else { 0 }).collect();
    Dataset::new(pixels, (0..20).map(|image| image % 10).collect(), [3, 3], 10).unwrap()
}

fn batch() -> Batch<f32> {
    dataset(2).batch(&[3, 1, 4])
}

#[test]
fn logits_reject_wrong_shape_and_non_finite_images() {
    let network = network();
    let images = batch().into_images();
    assert_eq!(network.logits(images.view()).unwrap().shape(), [3, 10]);
    for wrong in [images.slice(s![.., 1..]), images.slice(s![..0, ..])] {
        assert!(matches!(network.logits(wrong), Err(Error::Shape { .. })));
    }
    for value in [f32::NAN, f32::INFINITY] {
        let mut images = images.clone();
        images[[1, 2]] = value;
        assert!(matches!(network.logits(images.view()), Err(Error::NonFiniteInput { .. })));
    }
}

/// The learning rate is infinite in single precision, so the first update makes the second loss infinite or NaN.
#[test]
fn train_batches_stops_at_first_non_finite_loss() {
    let data = dataset(1);
    let training = TrainingConfig::builder()
        .optimizer(MOMENTUM)
        .learning_rate(3e38)
        .batch_size(6)
        .epochs(1)
        .seed(3)
        .build()
        .unwrap();
    let order = Dataset::epoch_order(3, 1, 20);
    let [mut trained, mut stepped] = [network(), network()];
    let mut losses = Vec::new();
    trained.train_batches(&data, Batches::of_epoch(&training, 1, &order), &mut losses).unwrap();
    let first = stepped.step(&data.batch(&order[..6]), 3e38).unwrap();
    assert!(losses.len() == 2 && losses[0] == first && !losses[1].is_finite(), "{losses:?}");
    let bits = |network: &Mlp| -> Vec<u32> {
        let parameters = network.parameters().unwrap();
        parameters.tensors().flat_map(|(_, values)| values.map(|value| value.to_bits()).into_iter()).collect()
    };
    assert_eq!(bits(&trained), bits(&stepped));
}

#[test]
fn optimizer_state_can_be_moved_to_another_network() {
    for optimizer in [MOMENTUM, Optimizer::adam().with_weight_decay(1e-3)] {
        let (mut network, mut other) = (network(), network());
        network.set_optimizer(&optimizer).unwrap();
        network.step(&batch(), 0.1).unwrap();
        let state = network.optimizer_state().unwrap();
        assert_eq!(state.steps, 1);
        assert!(state.moments.iter().all(|moments| moments.layers()[0].weight.iter().any(|value| *value != 0.0)));
        other.set_parameters(&network.parameters().unwrap()).unwrap();
        other.set_optimizer(&optimizer).unwrap();
        other.set_optimizer_state(&state).unwrap();
        for network in [&mut network, &mut other] {
            network.step(&batch(), 0.1).unwrap();
        }
        assert_eq!(other.parameters().unwrap(), network.parameters().unwrap());
        assert_eq!(other.optimizer_state().unwrap().steps, 2);
    }
}

/// Trains on batches of 6 images and a last one of 2, so that the buffers are at first too small, then too large, and
/// then used in full again.
#[test]
fn fit_equals_single_steps_in_epoch_order() {
    let training = TrainingConfig::builder().optimizer(MOMENTUM).learning_rate(0.1);
    let training = training.batch_size(6).epochs(2).seed(3).build().unwrap();
    for every in [1, 9] {
        let data = dataset(every);
        let (mut fitted, mut stepped) = (network(), network());
        let history = fitted.fit(&data, &training, &mut ()).unwrap();
        stepped.set_optimizer(&MOMENTUM).unwrap();
        for epoch in 1..=2 {
            let mut losses = 0.0;
            for indices in Dataset::epoch_order(3, epoch, 20).chunks(6) {
                losses += f64::from(stepped.step(&data.batch(indices), 0.1).unwrap()) * indices.len() as f64;
            }
            assert_eq!(history.epochs[epoch - 1].train_loss, losses / 20.0);
        }
        assert_eq!(fitted.parameters().unwrap(), stepped.parameters().unwrap());
    }
}

#[test]
fn step_with_non_finite_loss_updates_nothing() {
    let mut network = network();
    let mut parameters = network.parameters().unwrap();
    parameters.layers_mut()[0].bias.fill(f32::NAN);
    network.set_parameters(&parameters).unwrap();
    assert!(network.step(&batch(), 0.1).unwrap().is_nan());
    assert_eq!(network.parameters().unwrap().layers()[1..], parameters.layers()[1..]);
}

#[test]
fn evaluate_matches_predictions() {
    let (network, data) = (network(), dataset(2));
    let all: Vec<usize> = (0..data.len()).collect();
    let probabilities = network.predict_probabilities(data.batch(&all).images()).unwrap();
    let evaluation = network.evaluate(&data).unwrap();
    assert_eq!(evaluation, Evaluation::new(probabilities.view(), data.labels()).unwrap());
    assert_eq!(evaluation.predictions, network.predict(data.batch(&all).images()).unwrap());
    let other = Dataset::new(vec![0; 8], vec![1, 2], [2, 2], 10).unwrap();
    assert!(network.evaluate(&other).unwrap_err().to_string().contains("4 pixels"));
}

#[test]
fn instruction_set_returns_known_name() {
    assert!(["avx512", "avx2", "neon", "portable"].contains(&instruction_set().unwrap()));
}
