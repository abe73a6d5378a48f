//! Right implementations agree, wrong ones do not, and what is wrong is named.

use mlp_parity::{Activation, Dataset, Differentiable, MlpConfig, Optimizer, Parameters, TrainingConfig};
use mlp_parity_compare::check::{self, Case, Check, Ladder, Plan, Rung};
use mlp_parity_compare::{Comparison, Monitor, NamedPlan, Outcome, Participant, Verdict};
use support::fault::Fault;
use support::textbook::Textbook;

use crate::linear;

fn check(participants: &[Participant], (config, parameters): (MlpConfig, Parameters<f32>), data: &Dataset) -> Ladder {
    let momentum = Optimizer::momentum(0.9).with_nesterov().unwrap().with_weight_decay(0.01);
    let plans = [("momentum", momentum), ("adam", Optimizer::adam().with_weight_decay(1e-4))];
    let plans = plans.map(|(name, optimizer)| Plan { name: name.to_owned(), optimizer, learning_rate: 0.01 });
    let case = Case::new(config, parameters, data, 32, 0, plans.into()).unwrap();
    check::check(&case, participants).unwrap()
}

#[test]
fn everyone_agrees_on_every_rung_for_every_activation_and_depth() {
    let everyone = support::everyone();
    for activation in [Activation::Sigmoid, Activation::Relu, Activation::Tanh] {
        for hidden in [&[][..], &[20], &[24, 16, 12]] {
            let ladder = check(&everyone, support::network(hidden, activation), &support::dataset(200));
            assert_eq!(ladder.verdict(), Verdict::Agree, "{activation}, {hidden:?}: {}", ladder.reason());
            for climb in &ladder.climbs {
                let rungs = [
                    Rung::Parameters,
                    Rung::Logits,
                    Rung::Loss,
                    Rung::Gradients,
                    Rung::Update,
                    Rung::Trajectory,
                    Rung::Loop,
                ];
                let climbed = |rung| climb.checks.iter().any(|check| check.rung == rung);
                assert!(rungs.into_iter().all(climbed), "{activation}, {hidden:?}");
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
        let plan =
            Plan { name: "adam".to_owned(), optimizer: Optimizer::adam().with_weight_decay(1e-4), learning_rate: 0.01 };
        let case = Case::new(config, parameters, &data, 70, 0, vec![plan]).unwrap();
        let ladder = check::check(&case, &[support::scratch()]).unwrap();
        assert_eq!(ladder.verdict(), Verdict::Agree, "{activation}, {every}: {}", ladder.reason());
    }
}

#[test]
fn a_batch_of_one_image_will_do() {
    let (config, parameters) = support::network(&[20], Activation::Relu);
    let case = Case::new(config, parameters, &support::dataset(3), 1, 0, Vec::new()).unwrap();
    let ladder = check::check(&case, &[support::scratch()]).unwrap();
    assert_eq!(ladder.verdict(), Verdict::Agree, "{}", ladder.reason());
}

#[test]
fn every_check_says_with_whom_it_compares_and_after_which_step() {
    let ladder = check(&[support::scratch()], support::network(&[20], Activation::Relu), &support::dataset(200));
    for check in &ladder.climbs[0].checks {
        let left = if check.rung == Rung::Loop { "its own steps" } else { "oracle" };
        let has_steps = matches!(check.rung, Rung::Update | Rung::Trajectory);
        assert_eq!((check.left.as_str(), check.step.is_some()), (left, has_steps), "{check}");
    }
}

#[test]
fn a_loop_whose_steps_diverge_is_not_judged() {
    let network = || support::network(&[20], Activation::Relu);
    let has_loop = |fault| {
        let ladder = check(&[support::faulty(fault)], network(), &support::dataset(200));
        assert_eq!(ladder.verdict(), Verdict::Agree, "{}", ladder.reason());
        ladder.climbs[0].checks.iter().any(|check| check.rung == Rung::Loop)
    };
    assert!(has_loop(Fault::None) && !has_loop(Fault::LossOverflows));
}

fn assert_agreement_of(fault: Fault) {
    let (config, _) = support::network(&[20, 20], Activation::Sigmoid);
    let case = Case::made_up(&config, 0).unwrap();
    check::assert_agreement(&mut Textbook::new(config, &case.parameters, fault).unwrap(), &case);
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
    let linear = Participant::new(support::identity("linear", None), |config, parameters| {
        Ok(Box::new(linear::Linear::new(config, parameters)?) as Box<dyn Differentiable>)
    });
    let ladder = check(&[linear], support::network(&[], Activation::Relu), &support::dataset(200));
    assert_eq!(ladder.verdict(), Verdict::Agree, "{}", ladder.reason());
    let names = ["sgd, decay", "momentum", "nesterov, decay", "adam", "adam, decay", "adamw"]
        .map(|rule| format!("linear ({rule})"));
    assert_eq!(ladder.climbs[0].not_implemented, names);
    assert!(
        ladder.reason().ends_with(&format!("not implemented, and not checked: {}", names.join(", "))),
        "{}",
        ladder.reason()
    );
    let document: serde_json::Value = serde_json::from_str(&ladder.document().unwrap()).unwrap();
    assert_eq!(document["not_implemented"], serde_json::json!(names));
    let is_checked = |plan: &str| ladder.climbs[0].checks.iter().any(|check| check.plan == plan);
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
        for (name, largest, allowed) in check::allowed_gradients(&config, &parameters, &batch).unwrap() {
            assert!(allowed < 1e-5 * largest, "{activation}, {name}: {allowed:e} of {largest:e}");
        }
    }
}

/// A rate that is a ten-thousandth too large.
#[test]
fn the_projection_is_the_length_of_the_update() {
    let network = support::network(&[20], Activation::Sigmoid);
    let ladder = check(&[support::faulty(Fault::LearningRateOff)], network, &support::dataset(200));
    let projected = |check: &&Check| check.tensor == "layer1.weight, projected" && check.plan == "sgd";
    let projected = ladder.climbs[0].checks.iter().find(projected).unwrap();
    // What rounding in single precision does to it is far below a millionth.
    assert!(!projected.passed && (projected.right_value - 1.0001).abs() < 1e-6, "{projected}");
}

#[test]
fn the_document_has_every_check() {
    let ladder = check(&[support::scratch()], support::network(&[20], Activation::Relu), &support::dataset(200));
    let document: serde_json::Value = serde_json::from_str(&ladder.document().unwrap()).unwrap();
    assert_eq!((&document["format"], &document["verdict"]), (&check::FORMAT.into(), &"agree".into()));
    let checks = document["checks"].as_array().unwrap();
    assert_eq!(checks.len(), ladder.climbs[0].checks.len());
    assert_eq!(document["reason"], ladder.reason());
    assert!(ladder.reason().ends_with(&format!("in {} comparisons", checks.len())), "{}", ladder.reason());
    let worst_cases = |tensor: &str| {
        checks
            .iter()
            .filter(|check| check["tensor"] == tensor)
            .map(|check| &check["worst_case"])
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
    let mut participants = support::framework::on_the_processor();
    participants.push(support::faulty(Fault::DerivativeAtActivation));
    let outcome = compare(&participants, &config, 1);
    assert_eq!(outcome.verdict, Verdict::Disagree);
    assert!(outcome.reason.contains("gradients of layer2.bias"), "{}", outcome.reason);
}

fn compare(participants: &[Participant], config: &MlpConfig, epochs: usize) -> Outcome {
    let training = TrainingConfig::builder().optimizer(Optimizer::sgd()).learning_rate(0.1);
    let plan = training.batch_size(32).epochs(epochs).build().unwrap();
    let (train, test) = support::dataset(600).split_at(400).unwrap();
    let comparison = Comparison {
        participants,
        config,
        plans: &[NamedPlan { name: "plan".to_owned(), plan }],
        seeds: 1,
        margin: 0.005,
        twins: 2,
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
