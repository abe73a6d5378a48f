//! The contract's methods are the network's own, and `fit` takes the steps that it promises.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use mlp_parity::metrics::Evaluation;
use mlp_parity::{
    Activation, Batch, Classifier, Dataset, Differentiable, MlpConfig, Optimizer, Parameters, TrainingConfig,
};
use mlp_parity_scratch::Mlp;
use mlp_parity_scratch::kernels::instruction_set;

const MOMENTUM: Optimizer = Optimizer::momentum(0.9);

fn config() -> MlpConfig {
    MlpConfig::new(9, &[6, 5], 10, Activation::Relu).unwrap()
}

fn network() -> Mlp {
    Mlp::new(config(), &Parameters::glorot_uniform(&config(), 0)).unwrap()
}

/// Images of which one pixel in `every` is not background: mostly zeros, or not.
fn dataset(every: usize) -> Dataset {
    let pixels = (0..20 * 9).map(|pixel| if pixel % every == 0 { (pixel * 37 % 255 + 1) as u8 } else { 0 }).collect();
    Dataset::new(pixels, (0..20).map(|image| image % 10).collect(), [3, 3]).unwrap()
}

fn batch() -> Batch<f32> {
    dataset(2).batch(&[3, 1, 4])
}

#[test]
fn results_are_those_of_the_network() {
    let network = network();
    let contract: &dyn Differentiable = &network;
    let batch = batch();
    assert_eq!(contract.config(), &config());
    assert_eq!(contract.parameters().unwrap(), network.parameters());
    let logits = network.logits(batch.images()).unwrap();
    assert_eq!(contract.logits(batch.images()).unwrap(), logits);
    assert_eq!(contract.loss_and_gradients(&batch).unwrap(), network.loss_and_gradients(&batch).unwrap());
    let probabilities = contract.predict_probabilities(batch.images()).unwrap();
    assert_eq!(probabilities, mlp_parity::classifier::softmax(logits));
}

#[test]
fn changes_are_those_of_the_network() {
    let (mut network, mut other) = (network(), network());
    let contract: &mut dyn Differentiable = &mut network;
    let start = Parameters::glorot_uniform(&config(), 1);
    contract.set_parameters(&start).unwrap();
    other.set_parameters(&start).unwrap();
    assert_eq!(contract.parameters().unwrap(), start);
    contract.set_optimizer(&MOMENTUM).unwrap();
    other.set_optimizer(&MOMENTUM).unwrap();
    // With the second update the velocity of the first shows.
    for _ in 0..2 {
        assert_eq!(contract.step(&batch(), 0.1).unwrap(), other.step(&batch(), 0.1).unwrap());
        contract.apply_gradients(&start, 0.1).unwrap();
        other.apply_gradients(&start, 0.1).unwrap();
        assert_eq!(contract.parameters().unwrap(), other.parameters());
    }
    assert_ne!(other.parameters(), start);
}

#[test]
fn what_an_optimizer_remembers_serves_another_network() {
    for rule in [MOMENTUM, Optimizer::adam().with_weight_decay(1e-3)] {
        let (mut network, mut other) = (network(), network());
        network.set_optimizer(&rule).unwrap();
        network.step(&batch(), 0.1).unwrap();
        let state = (&network as &dyn Differentiable).optimizer_state().unwrap();
        assert_eq!((state.steps, &state), (1, &network.optimizer_state()));
        assert!(state.moments.iter().all(|moments| moments.layers()[0].weight.iter().any(|value| *value != 0.0)));
        let contract: &mut dyn Differentiable = &mut other;
        contract.set_parameters(&network.parameters()).unwrap();
        contract.set_optimizer(&rule).unwrap();
        contract.set_optimizer_state(&state).unwrap();
        for network in [&mut network, &mut other] {
            network.step(&batch(), 0.1).unwrap();
        }
        assert_eq!(other.parameters(), network.parameters());
        assert_eq!(other.optimizer_state().steps, 2);
    }
}

/// In batches of 6 and a last one of 2, so that the buffers grow, are too large, and do not fit the next epoch's first.
#[test]
fn fit_is_one_step_for_each_batch_of_the_promised_order() {
    let plan = TrainingConfig::new(MOMENTUM, 0.1, 6, 2, 3).unwrap();
    for every in [1, 9] {
        let data = dataset(every);
        let (mut fitted, mut stepped) = (network(), network());
        let history = fitted.fit(&data, &plan, &mut ()).unwrap();
        stepped.set_optimizer(&MOMENTUM).unwrap();
        for epoch in 1..=2 {
            let mut losses = 0.0;
            for indices in Dataset::epoch_order(3, epoch, 20).chunks(6) {
                losses += f64::from(stepped.step(&data.batch(indices), 0.1).unwrap()) * indices.len() as f64;
            }
            assert_eq!(history.epochs[epoch - 1].train_loss, losses / 20.0);
        }
        assert_eq!(fitted.parameters(), stepped.parameters());
    }
}

#[test]
fn a_loss_that_is_not_finite_updates_nothing() {
    let mut network = network();
    let mut parameters = network.parameters();
    parameters.layers_mut()[0].bias.fill(f32::NAN);
    network.set_parameters(&parameters).unwrap();
    assert!(network.step(&batch(), 0.1).unwrap().is_nan());
    assert_eq!(network.parameters().layers()[1..], parameters.layers()[1..]);
}

#[test]
fn an_evaluation_is_that_of_the_predictions() {
    let (network, data) = (network(), dataset(2));
    let all: Vec<usize> = (0..data.len()).collect();
    let probabilities = network.predict_probabilities(data.batch(&all).images()).unwrap();
    let evaluation = network.evaluate(&data).unwrap();
    assert_eq!(evaluation, Evaluation::new(probabilities.view(), data.labels()));
    assert_eq!(evaluation.predictions, network.predict(data.batch(&all).images()).unwrap());
    let other = Dataset::new(vec![0; 8], vec![1, 2], [2, 2]).unwrap();
    assert!(network.evaluate(&other).unwrap_err().to_string().contains("4 pixels"));
}

#[test]
fn the_instruction_set_has_a_name() {
    assert!(["avx512", "avx2", "neon", "portable"].contains(&instruction_set().unwrap()));
}
