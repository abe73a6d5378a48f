//! Tests of the check suite and of the verdict: correct implementations agree, faulty ones disagree, and the report
//! names the fault.

use mlp_parity::{Activation, Dataset, Differentiable, MlpConfig, Optimizer, Parameters, TrainingConfig};
use mlp_parity_compare::check::{self, Case, Check, NamedOptimizer, Stage, SuiteReport};
use mlp_parity_compare::diagnosis::assert_agreement;
use mlp_parity_compare::statistics::Seeds;
use mlp_parity_compare::{Candidate, Comparison, Monitor, NamedTraining, Outcome, Verdict};
use support::fault::Fault;
use support::faulty_mlp::FaultyMlp;

use crate::linear;

/// Checks the candidates on batches of 32 images, and over several steps of momentum and of Adam (the trajectory
/// stage).
fn check(candidates: &[Candidate], (config, parameters): (MlpConfig, Parameters<f32>), data: &Dataset) -> SuiteReport {
    let momentum = Optimizer::momentum(0.9).with_nesterov().unwrap().with_weight_decay(0.01);
    let optimizers = [("momentum", momentum), ("adam", Optimizer::adam().with_weight_decay(1e-4))];
    let optimizers =
        optimizers.map(|(name, optimizer)| NamedOptimizer { name: name.to_owned(), optimizer, learning_rate: 0.01 });
    let case = Case::new(config, parameters, data, 32, 0, optimizers.into()).unwrap();
    check::check(&case, candidates).unwrap()
}

#[test]
fn all_candidates_pass_every_check_stage() {
    let candidates = support::all_candidates();
    for activation in [Activation::Sigmoid, Activation::Relu, Activation::Tanh] {
        for hidden in [&[][..], &[20], &[24, 16, 12]] {
            let suite = check(&candidates, support::network(hidden, activation), &support::dataset(200));
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
                let has_stage = |stage| report.checks.iter().any(|check| check.stage == stage);
                assert!(stages.into_iter().all(has_stage), "{activation}, {hidden:?}");
            }
        }
    }
}

#[test]
fn check_rejects_inconsistent_case() {
    let (config, parameters) = support::network(&[20], Activation::Relu);
    let case = Case::new(config, parameters, &support::dataset(40), 8, 0, Vec::new()).unwrap();
    let refused = |case: Case| check::check(&case, &[support::scratch()]).unwrap_err().to_string();
    assert!(refused(Case { batches: Vec::new(), ..case.clone() }).contains("batches"));
    let (_, parameters) = support::network(&[7], Activation::Relu);
    assert!(refused(Case { parameters, ..case }).contains("network"));
}

/// The layers and batches are so large that the fast implementation splits them into several tiles; it has one code
/// path for images that are mostly background, and another for the rest.
#[test]
fn scratch_passes_on_large_layers_with_sparse_and_dense_images() {
    for (spacing, activation) in [(9, Activation::Relu), (9, Activation::Sigmoid), (1, Activation::Tanh)] {
        let pixels = (0..280 * 300).map(|pixel| if pixel % spacing == 0 { (pixel * 37 % 251 + 1) as u8 } else { 0 });
        let labels = (0..280).map(|image| image % 10).collect();
        let data = Dataset::new(pixels.collect(), labels, [15, 20], 10).unwrap();
        let config = MlpConfig::new(300, &[140, 70], 10, activation).unwrap();
        let parameters = Parameters::glorot_uniform(&config, 1);
        let optimizer = NamedOptimizer {
            name: "adam".to_owned(),
            optimizer: Optimizer::adam().with_weight_decay(1e-4),
            learning_rate: 0.01,
        };
        let case = Case::new(config, parameters, &data, 70, 0, vec![optimizer]).unwrap();
        let suite = check::check(&case, &[support::scratch()]).unwrap();
        assert_eq!(suite.verdict(), Verdict::Agree, "{activation}, {spacing}: {}", suite.reason());
    }
}

#[test]
fn check_accepts_batch_of_one_image() {
    let (config, parameters) = support::network(&[20], Activation::Relu);
    let case = Case::new(config, parameters, &support::dataset(3), 1, 0, Vec::new()).unwrap();
    let suite = check::check(&case, &[support::scratch()]).unwrap();
    assert_eq!(suite.verdict(), Verdict::Agree, "{}", suite.reason());
}

/// Expected values of the training loop come from single steps, all others from the reference. Checks of updates and
/// trajectories name the step.
#[test]
fn check_names_origin_of_expected_value_and_step_number() {
    let suite = check(&[support::scratch()], support::network(&[20], Activation::Relu), &support::dataset(200));
    for check in &suite.reports[0].checks {
        let source = if check.stage == Stage::TrainingLoop { "single steps" } else { "reference" };
        let has_steps = matches!(check.stage, Stage::Update | Stage::Trajectory);
        assert_eq!((check.expected_from.as_str(), check.step.is_some()), (source, has_steps), "{check}");
    }
}

#[test]
fn training_loop_is_not_checked_if_steps_diverge() {
    let network = || support::network(&[20], Activation::Relu);
    let is_checked = |fault| {
        let suite = check(&[support::faulty(fault)], network(), &support::dataset(200));
        assert_eq!(suite.verdict(), Verdict::Agree, "{}", suite.reason());
        suite.reports[0].checks.iter().any(|check| check.stage == Stage::TrainingLoop)
    };
    assert!(is_checked(Fault::None) && !is_checked(Fault::LossOverflows));
}

/// Calls `assert_agreement`, which panics if a check fails, on a network with this fault.
fn assert_agreement_with(fault: Fault) {
    let (config, _) = support::network(&[20, 20], Activation::Sigmoid);
    let case = Case::synthetic(&config, 0).unwrap();
    assert_agreement(&mut FaultyMlp::new(config, &case.parameters, fault).unwrap(), &case);
}

#[test]
fn assert_agreement_accepts_correct_network() {
    assert_agreement_with(Fault::None);
}

#[test]
fn synthetic_case_supports_any_number_of_classes() {
    for classes in [2, 3, 10, 300] {
        let config = MlpConfig::new(12, &[8], classes, Activation::Relu).unwrap();
        let case = Case::synthetic(&config, 0).unwrap();
        assert_eq!(case.dataset.as_ref().map(Dataset::classes), Some(classes));
        let mut network = mlp_parity_scratch::Mlp::new(config, &case.parameters).unwrap();
        assert_agreement(&mut network, &case);
    }
}

#[test]
#[should_panic(expected = "the results are those of a program that takes the derivative of the activation at a = f(z)")]
fn assert_agreement_names_the_mistake() {
    assert_agreement_with(Fault::DerivativeAtActivation);
}

#[test]
fn check_skips_and_lists_unimplemented_optimizers() {
    let linear = Candidate::new(support::identity("linear", None), |config, parameters| {
        Ok(Box::new(linear::Linear::new(config, parameters)?) as Box<dyn Differentiable>)
    });
    let suite = check(&[linear], support::network(&[], Activation::Relu), &support::dataset(200));
    assert_eq!(suite.verdict(), Verdict::Agree, "{}", suite.reason());
    let names =
        ["sgd with weight decay", "momentum", "nesterov with weight decay", "adam", "adam with weight decay", "adamw"]
            .map(|optimizer| format!("linear ({optimizer})"));
    assert_eq!(suite.reports[0].not_implemented, names);
    assert!(
        suite.reason().ends_with(&format!("not implemented and not checked: {}", names.join(", "))),
        "{}",
        suite.reason()
    );
    let document: serde_json::Value = serde_json::from_str(&suite.document().unwrap()).unwrap();
    assert_eq!(document["not_implemented"], serde_json::json!(names));
    let is_checked = |scenario: &str| suite.reports[0].checks.iter().any(|check| check.scenario == scenario);
    assert!(is_checked("sgd") && !is_checked("adam"));
}

/// On the report's network, the error bound of every gradient is below 10⁻⁵ of the largest gradient of its tensor.
#[test]
fn gradient_error_bounds_are_tight_on_report_network() {
    for activation in [Activation::Sigmoid, Activation::Relu, Activation::Tanh] {
        let data = Dataset::synthetic(200, [28, 28], 10, 1).unwrap();
        let config = MlpConfig::new(784, &MlpConfig::REPORT_HIDDEN, 10, activation).unwrap();
        let parameters = Parameters::<f32>::glorot_uniform(&config, 0);
        let batch = data.batch::<f32>(&(0..64).collect::<Vec<_>>());
        for (name, largest, bound) in check::gradient_error_bounds(&config, &parameters, &batch).unwrap() {
            assert!(bound < 1e-5 * largest, "{activation}, {name}: bound {bound:e}, largest gradient {largest:e}");
        }
    }
}

/// The learning rate, and therefore the whole update, is too large by a factor of 1.0001. The projection of the update
/// on the reference's update must show this factor.
#[test]
fn projection_is_update_length_relative_to_reference() {
    let network = support::network(&[20], Activation::Sigmoid);
    let suite = check(&[support::faulty(Fault::LearningRatePerturbed)], network, &support::dataset(200));
    let projected = |check: &&Check| check.tensor == "layer1.weight (projected)" && check.scenario == "sgd";
    let projected = suite.reports[0].checks.iter().find(projected).unwrap();
    // Rounding in single precision changes the projection by far less than a millionth.
    assert!(!projected.passed && (projected.actual - 1.0001).abs() < 1e-6, "{projected}");
}

#[test]
fn check_document_contains_every_check() {
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

/// The derivative of tanh that the report prints is wrong. Its gradients disagree with automatic differentiation.
#[test]
#[cfg(feature = "framework")]
fn comparison_rejects_tanh_derivative_as_printed() {
    let (config, _) = support::network(&[20, 20], Activation::Tanh);
    let mut candidates = support::framework::cpu_candidates();
    candidates.push(support::faulty(Fault::DerivativeAtActivation));
    let outcome = compare(&candidates, &config, 1);
    assert_eq!(outcome.verdict, Verdict::Disagree);
    assert!(outcome.reason.contains("gradients of layer2.bias"), "{}", outcome.reason);
}

/// Checks, trains and compares the candidates.
fn compare(candidates: &[Candidate], config: &MlpConfig, epochs: usize) -> Outcome {
    let training = TrainingConfig::builder().optimizer(Optimizer::sgd()).learning_rate(0.1);
    let training = training.batch_size(32).epochs(epochs).build().unwrap();
    let (train, test) = support::dataset(600).split_at(400).unwrap();
    let comparison = Comparison {
        candidates,
        config,
        trainings: &[NamedTraining { name: "training".to_owned(), config: training }],
        seeds: Seeds::Fixed(1),
        margin: 0.005,
        replicas: 2,
        train: &train,
        test: &test,
        threads: 2,
    };
    comparison.run(&Monitor::default()).unwrap()
}

#[test]
fn comparison_agrees_on_correct_and_disagrees_on_faulty_candidates() {
    let (config, _) = support::network(&[20, 20], Activation::Relu);
    let outcome = compare(&support::all_candidates(), &config, 10);
    assert_eq!(outcome.verdict, Verdict::Agree, "{}", outcome.reason);
    assert!(outcome.runs.iter().all(|run| run.evaluation.as_ref().unwrap().accuracy > 0.9));
    assert_eq!(outcome.agreements.len(), outcome.runs.len() - 1);

    for fault in [Fault::BiasGradientZeroed(1), Fault::BackwardWeightNotTransposed, Fault::GradientsNotAveraged] {
        let outcome = compare(&[support::scratch(), support::faulty(fault)], &config, 3);
        assert_eq!(outcome.verdict, Verdict::Disagree, "{fault:?}");
        assert!(outcome.runs.is_empty(), "{fault:?}: the networks were trained although a check failed");
    }
}

#[test]
fn stages_are_reported_in_order_until_suite_ends() {
    let case = Case::synthetic(&support::network(&[20], Activation::Tanh).0, 0).unwrap();
    let stages = |candidate: Candidate| {
        let (sender, receiver) = std::sync::mpsc::channel();
        let candidate = candidate.on_stage(move |stage| sender.send(stage).unwrap());
        check::check(&case, &[candidate]).unwrap();
        receiver.try_iter().collect::<Vec<Option<Stage>>>()
    };
    let mut of_sound = stages(support::scratch());
    assert_eq!(of_sound.pop(), Some(None), "the end");
    assert!(of_sound.is_sorted() && of_sound.first() == Some(&Some(Stage::Parameters)), "{of_sound:?}");
    assert_eq!(of_sound.last(), Some(&Some(Stage::TrainingLoop)));
    let of_faulty = stages(support::faulty(Fault::ParametersInHalfPrecision));
    assert_eq!(of_faulty, [Some(Stage::Parameters), None]);
}
