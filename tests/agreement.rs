//! Right implementations agree, wrong ones do not, and what is wrong is named.

use mlp_parity::{Activation, Dataset, Differentiable, MlpConfig, Optimizer, Parameters, TrainingConfig};
use mlp_parity_compare::check::{self, Case, Check, NamedOptimizer, Stage, SuiteReport};
use mlp_parity_compare::{Candidate, Comparison, Monitor, NamedTraining, Outcome, Verdict};
use support::fault::Fault;
use support::faulty_mlp::FaultyMlp;

use crate::linear;

fn check(candidates: &[Candidate], (config, parameters): (MlpConfig, Parameters<f32>), data: &Dataset) -> SuiteReport {
    let momentum = Optimizer::momentum(0.9).with_nesterov().unwrap().with_weight_decay(0.01);
    let trainings = [("momentum", momentum), ("adam", Optimizer::adam().with_weight_decay(1e-4))];
    let trainings =
        trainings.map(|(name, optimizer)| NamedOptimizer { name: name.to_owned(), optimizer, learning_rate: 0.01 });
    let case = Case::new(config, parameters, data, 32, 0, trainings.into()).unwrap();
    check::check(&case, candidates).unwrap()
}

#[test]
fn everyone_agrees_on_every_rung_for_every_activation_and_depth() {
    let everyone = support::everyone();
    for activation in [Activation::Sigmoid, Activation::Relu, Activation::Tanh] {
        for hidden in [&[][..], &[20], &[24, 16, 12]] {
            let suite = check(&everyone, support::network(hidden, activation), &support::dataset(200));
            assert_eq!(suite.verdict(), Verdict::Agree, "{activation}, {hidden:?}: {}", suite.reason());
            for report in &suite.reports {
                let stages = [
                    Stage::Parameters,
                    Stage::Logits,
                    Stage::Loss,
                    Stage::Gradients,
                    Stage::Update,
                    Stage::Trajectory,
                    Stage::TrainingLoop,
                ];
                let climbed = |stage| report.checks.iter().any(|check| check.stage == stage);
                assert!(stages.into_iter().all(climbed), "{activation}, {hidden:?}");
            }
        }
    }
}

#[test]
fn a_case_that_nobody_can_be_checked_on_is_refused() {
    let (config, parameters) = support::network(&[20], Activation::Relu);
    let case = Case::new(config, parameters, &support::dataset(40), 8, 0, Vec::new()).unwrap();
    let refused = |case: Case| check::check(&case, &[support::scratch()]).unwrap_err().to_string();
    assert!(refused(Case { batches: Vec::new(), ..case.clone() }).contains("batches"));
    let (_, parameters) = support::network(&[7], Activation::Relu);
    assert!(refused(Case { parameters, ..case }).contains("network"));
}

/// Layers of several tiles, and batches of more images than a tile has rows; pixels that are mostly background, or not.
#[test]
fn large_layers_and_batches_agree_whether_images_are_sparse_or_dense() {
    for (every, activation) in [(9, Activation::Relu), (9, Activation::Sigmoid), (1, Activation::Tanh)] {
        let pixels = (0..280 * 300).map(|pixel| if pixel % every == 0 { (pixel * 37 % 251 + 1) as u8 } else { 0 });
        let labels = (0..280).map(|image| image % 10).collect();
        let data = Dataset::new(pixels.collect(), labels, [15, 20], 10).unwrap();
        let config = MlpConfig::new(300, &[140, 70], 10, activation).unwrap();
        let parameters = Parameters::glorot_uniform(&config, 1);
        let training = NamedOptimizer {
            name: "adam".to_owned(),
            optimizer: Optimizer::adam().with_weight_decay(1e-4),
            learning_rate: 0.01,
        };
        let case = Case::new(config, parameters, &data, 70, 0, vec![training]).unwrap();
        let suite = check::check(&case, &[support::scratch()]).unwrap();
        assert_eq!(suite.verdict(), Verdict::Agree, "{activation}, {every}: {}", suite.reason());
    }
}

#[test]
fn a_batch_of_one_image_will_do() {
    let (config, parameters) = support::network(&[20], Activation::Relu);
    let case = Case::new(config, parameters, &support::dataset(3), 1, 0, Vec::new()).unwrap();
    let suite = check::check(&case, &[support::scratch()]).unwrap();
    assert_eq!(suite.verdict(), Verdict::Agree, "{}", suite.reason());
}

#[test]
fn every_check_says_with_whom_it_compares_and_after_which_step() {
    let suite = check(&[support::scratch()], support::network(&[20], Activation::Relu), &support::dataset(200));
    for check in &suite.reports[0].checks {
        let left = if check.stage == Stage::TrainingLoop { "single steps" } else { "reference" };
        let has_steps = matches!(check.stage, Stage::Update | Stage::Trajectory);
        assert_eq!((check.expected_from.as_str(), check.step.is_some()), (left, has_steps), "{check}");
    }
}

#[test]
fn a_loop_whose_steps_diverge_is_not_judged() {
    let network = || support::network(&[20], Activation::Relu);
    let has_loop = |fault| {
        let suite = check(&[support::faulty(fault)], network(), &support::dataset(200));
        assert_eq!(suite.verdict(), Verdict::Agree, "{}", suite.reason());
        suite.reports[0].checks.iter().any(|check| check.stage == Stage::TrainingLoop)
    };
    assert!(has_loop(Fault::None) && !has_loop(Fault::LossOverflows));
}

fn assert_agreement_of(fault: Fault) {
    let (config, _) = support::network(&[20, 20], Activation::Sigmoid);
    let case = Case::made_up(&config, 0).unwrap();
    check::assert_agreement(&mut FaultyMlp::new(config, &case.parameters, fault).unwrap(), &case);
}

#[test]
fn the_assertion_holds_for_who_is_right() {
    assert_agreement_of(Fault::None);
}

#[test]
fn made_up_case_has_a_data_set_for_any_number_of_classes() {
    for classes in [2, 3, 10, 300] {
        let config = MlpConfig::new(12, &[8], classes, Activation::Relu).unwrap();
        let case = Case::made_up(&config, 0).unwrap();
        assert_eq!(case.dataset.as_ref().map(Dataset::classes), Some(classes));
        let mut network = mlp_parity_scratch::Mlp::new(config, &case.parameters).unwrap();
        check::assert_agreement(&mut network, &case);
    }
}

#[test]
#[should_panic(expected = "gradients of layer2.bias")]
fn the_assertion_names_what_is_wrong() {
    assert_agreement_of(Fault::DerivativeAtActivation);
}

#[test]
fn what_is_not_implemented_is_said_once_and_not_checked() {
    let linear = Candidate::new(support::identity("linear", None), |config, parameters| {
        Ok(Box::new(linear::Linear::new(config, parameters)?) as Box<dyn Differentiable>)
    });
    let suite = check(&[linear], support::network(&[], Activation::Relu), &support::dataset(200));
    assert_eq!(suite.verdict(), Verdict::Agree, "{}", suite.reason());
    let names = ["sgd, decay", "momentum", "nesterov, decay", "adam", "adam, decay", "adamw"]
        .map(|rule| format!("linear ({rule})"));
    assert_eq!(suite.reports[0].not_implemented, names);
    assert!(
        suite.reason().ends_with(&format!("not implemented and not checked: {}", names.join(", "))),
        "{}",
        suite.reason()
    );
    let document: serde_json::Value = serde_json::from_str(&suite.document().unwrap()).unwrap();
    assert_eq!(document["not_implemented"], serde_json::json!(names));
    let is_checked = |training: &str| suite.reports[0].checks.iter().any(|check| check.scenario == training);
    assert!(is_checked("sgd") && !is_checked("adam"));
}

/// On the report's network, no gradient may be off by more than 1e-5 of its tensor's largest one.
#[test]
fn what_is_allowed_is_sharp() {
    for activation in [Activation::Sigmoid, Activation::Relu, Activation::Tanh] {
        let data = Dataset::synthetic(200, [28, 28], 10, 1).unwrap();
        let config = MlpConfig::new(784, &MlpConfig::REPORT_HIDDEN, 10, activation).unwrap();
        let parameters = Parameters::<f32>::glorot_uniform(&config, 0);
        let batch = data.batch::<f32>(&(0..64).collect::<Vec<_>>());
        for (name, largest, bound) in check::gradient_error_bounds(&config, &parameters, &batch).unwrap() {
            assert!(bound < 1e-5 * largest, "{activation}, {name}: {bound:e} of {largest:e}");
        }
    }
}

/// A rate that is a ten-thousandth too large.
#[test]
fn the_projection_is_the_length_of_the_update() {
    let network = support::network(&[20], Activation::Sigmoid);
    let suite = check(&[support::faulty(Fault::LearningRateOff)], network, &support::dataset(200));
    let projected = |check: &&Check| check.tensor == "layer1.weight, projected" && check.scenario == "sgd";
    let projected = suite.reports[0].checks.iter().find(projected).unwrap();
    // What rounding in single precision does to it is far below a millionth.
    assert!(!projected.passed && (projected.actual - 1.0001).abs() < 1e-6, "{projected}");
}

#[test]
fn the_document_has_every_check() {
    let suite = check(&[support::scratch()], support::network(&[20], Activation::Relu), &support::dataset(200));
    let document: serde_json::Value = serde_json::from_str(&suite.document().unwrap()).unwrap();
    assert_eq!((&document["format"], &document["verdict"]), (&check::FORMAT.into(), &"agree".into()));
    let checks = document["checks"].as_array().unwrap();
    assert_eq!(checks.len(), suite.reports[0].checks.len());
    assert_eq!(document["reason"], suite.reason());
    assert!(suite.reason().starts_with(&format!("all {} checks pass", checks.len())), "{}", suite.reason());
    let worst_cases = |tensor: &str| {
        checks
            .iter()
            .filter(|check| check["tensor"] == tensor)
            .map(|check| &check["worst_case_bound"])
            .cloned()
            .collect::<Vec<_>>()
    };
    assert!(worst_cases("logits").iter().any(serde_json::Value::is_f64));
    assert!(worst_cases("layer1.weight").iter().any(serde_json::Value::is_null));
}

/// The printed tanh derivative against the framework's automatic one.
#[test]
#[cfg(feature = "framework")]
fn the_derivative_as_printed_disagrees_with_the_framework() {
    let (config, _) = support::network(&[20, 20], Activation::Tanh);
    let mut candidates = support::framework::on_the_processor();
    candidates.push(support::faulty(Fault::DerivativeAtActivation));
    let outcome = compare(&candidates, &config, 1);
    assert_eq!(outcome.verdict, Verdict::Disagree);
    assert!(outcome.reason.contains("gradients of layer2.bias"), "{}", outcome.reason);
}

fn compare(candidates: &[Candidate], config: &MlpConfig, epochs: usize) -> Outcome {
    let training = TrainingConfig::builder().optimizer(Optimizer::sgd()).learning_rate(0.1);
    let training = training.batch_size(32).epochs(epochs).build().unwrap();
    let (train, test) = support::dataset(600).split_at(400).unwrap();
    let comparison = Comparison {
        candidates,
        config,
        trainings: &[NamedTraining { name: "training".to_owned(), config: training }],
        seeds: 1,
        margin: 0.005,
        replicas: 2,
        train: &train,
        test: &test,
        threads: 2,
    };
    comparison.run(&Monitor::default()).unwrap()
}

#[test]
fn the_verdict_is_agree_for_right_implementations_and_disagree_for_wrong_ones() {
    let (config, _) = support::network(&[20, 20], Activation::Relu);
    let outcome = compare(&support::everyone(), &config, 10);
    assert_eq!(outcome.verdict, Verdict::Agree, "{}", outcome.reason);
    assert!(outcome.runs.iter().all(|run| run.evaluation.as_ref().unwrap().accuracy > 0.9));
    assert_eq!(outcome.agreements.len(), outcome.runs.len() - 1);

    for fault in [Fault::BiasGradientDropped(1), Fault::ProductTransposed, Fault::MeanForgottenInGradients] {
        let outcome = compare(&[support::scratch(), support::faulty(fault)], &config, 3);
        assert_eq!(outcome.verdict, Verdict::Disagree, "{fault:?}");
        assert!(outcome.runs.is_empty(), "nothing is trained after a failed check");
    }
}
