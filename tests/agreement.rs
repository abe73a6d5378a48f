//! Right implementations agree, wrong ones do not, and what is wrong is named.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use mlp_parity::{Activation, MlpConfig, Optimizer, Parameters, TrainingConfig};
use mlp_parity_compare::agreement::{self, Check, Rung, Update};
use mlp_parity_compare::{Comparison, NamedPlan, Outcome, Participant, Verdict};
use support::textbook::Fault;

const OPTIMIZERS: [Optimizer; 6] = [
    Optimizer::Sgd { weight_decay: 0.01 },
    Optimizer::Momentum { momentum: 0.9, nesterov: false, weight_decay: 0.0 },
    Optimizer::Momentum { momentum: 0.9, nesterov: true, weight_decay: 0.01 },
    Optimizer::adam(0.0),
    Optimizer::adam(1e-4),
    Optimizer::adamw(0.01),
];

fn checks(participants: &[Participant], (config, parameters): &(MlpConfig, Parameters<f32>)) -> Vec<Check> {
    let data = support::dataset(70);
    let batch = data.batch(&(0..64).collect::<Vec<_>>());
    let check = |optimizer| {
        let update = Update { plan: "plan", optimizer, learning_rate: 0.01 };
        agreement::check(participants, config, parameters, &batch, update).unwrap()
    };
    OPTIMIZERS.iter().flat_map(check).collect()
}

#[test]
fn everyone_agrees_on_every_rung_for_every_activation_depth_and_optimizer() {
    let everyone = support::everyone();
    for activation in [Activation::Sigmoid, Activation::Relu, Activation::Tanh] {
        for hidden in [&[][..], &[20], &[24, 16, 12]] {
            let checks = checks(&everyone, &support::network(hidden, activation));
            assert_eq!(checks.len(), (everyone.len() - 1) * OPTIMIZERS.len() * (6 * (hidden.len() + 1) + 2));
            for check in checks {
                assert!(check.passed, "{activation}, {hidden:?}: {check}");
            }
        }
    }
}

/// The first check that fails.
fn first_failure(fault: Fault, hidden: &[usize], activation: Activation) -> Option<Check> {
    let participants = [support::scratch(), support::faulty(fault)];
    checks(&participants, &support::network(hidden, activation)).into_iter().find(|check| !check.passed)
}

#[test]
fn the_textbook_without_a_fault_agrees() {
    for activation in [Activation::Sigmoid, Activation::Relu, Activation::Tanh] {
        assert_eq!(first_failure(Fault::None, &[20, 20], activation), None);
    }
}

#[test]
fn every_fault_is_found_at_its_rung_and_tensor() {
    let relu = Activation::Relu;
    for (fault, activation, rung, tensor) in [
        (Fault::BiasGradientDropped(0), relu, Rung::Gradients, "layer1.bias"),
        (Fault::BiasGradientDropped(2), relu, Rung::Gradients, "output_layer.bias"),
        // The product through layer 2 makes the δ of layer 1.
        (Fault::ProductTransposed(1), relu, Rung::Gradients, "layer1.bias"),
        (Fault::MeanForgotten, relu, Rung::Gradients, "output_layer.bias"),
        // The output layer has no activation: the first wrong δ is that of the layer below.
        (Fault::TanhAsPrinted, Activation::Tanh, Rung::Gradients, "layer2.bias"),
        (Fault::SigmoidSign, Activation::Sigmoid, Rung::Gradients, "layer2.bias"),
        (Fault::ParameterOff, relu, Rung::Parameters, "layer1.weight"),
        (Fault::LearningRateOff, relu, Rung::Update, "layer1.weight"),
        (Fault::EpsilonOff, relu, Rung::Update, "layer1.weight"),
    ] {
        let check = first_failure(fault, &[20, 20], activation).unwrap_or_else(|| panic!("{fault:?} was not found"));
        assert_eq!((check.rung, check.tensor.as_str()), (rung, tensor), "{fault:?}: {check}");
    }
}

/// The printed tanh derivative against the framework's automatic one.
#[test]
fn the_derivative_as_printed_disagrees_with_the_framework() {
    let (config, parameters) = support::network(&[20, 20], Activation::Tanh);
    let participants =
        [support::framework(mlp_parity_framework::Backend::Flex).unwrap(), support::faulty(Fault::TanhAsPrinted)];
    let outcome = compare(&participants, &config, &parameters, 1);
    assert_eq!(outcome.verdict, Verdict::Disagree);
    assert!(outcome.reason.contains("gradients of layer2.bias"), "{}", outcome.reason);
}

fn compare(participants: &[Participant], config: &MlpConfig, parameters: &Parameters<f32>, epochs: usize) -> Outcome {
    let plan = TrainingConfig::new(Optimizer::Sgd { weight_decay: 0.0 }, 0.1, 32, epochs, 0).unwrap();
    let (train, test) = support::dataset(600).split_at(400).unwrap();
    let comparison = Comparison {
        participants,
        config,
        plans: &[NamedPlan { name: "plan".to_owned(), plan }],
        parameters,
        train: &train,
        test: &test,
        twins: 2,
        threads: 2,
    };
    comparison.run(&()).unwrap()
}

#[test]
fn the_verdict_is_agree_for_right_implementations_and_disagree_for_wrong_ones() {
    let (config, parameters) = support::network(&[20, 20], Activation::Relu);
    let outcome = compare(&support::everyone(), &config, &parameters, 10);
    assert_eq!(outcome.verdict, Verdict::Agree, "{}", outcome.reason);
    assert!(outcome.runs.iter().all(|run| run.evaluation.as_ref().unwrap().accuracy > 0.9));
    assert_eq!(outcome.agreements.len(), outcome.runs.len() - 1);

    for fault in [Fault::BiasGradientDropped(1), Fault::ProductTransposed(1), Fault::MeanForgotten] {
        let outcome = compare(&[support::scratch(), support::faulty(fault)], &config, &parameters, 3);
        assert_eq!(outcome.verdict, Verdict::Disagree, "{fault:?}");
        assert!(outcome.runs.is_empty(), "nothing is trained after a failed check");
    }
}

#[test]
fn parameters_that_are_not_numbers_never_agree() {
    let (config, mut parameters) = support::network(&[20], Activation::Relu);
    parameters.layers_mut()[0].weight[[0, 0]] = f32::NAN;
    let checks = checks(&support::everyone(), &(config, parameters));
    let failed = |rung| checks.iter().any(|check| check.rung == rung && !check.passed);
    assert!(failed(Rung::Parameters) && failed(Rung::Logits) && failed(Rung::Loss) && failed(Rung::Gradients));
}
