//! Every mistake is found, on the rung and in the tensor where it lives.

use mlp_parity::{Activation, Optimizer};
use mlp_parity_compare::check::{self, Case, Check, Plan, Rung};
use support::fault::Fault;

fn case(activation: Activation) -> Case {
    let (config, parameters) = support::network(&[20, 20], activation);
    let plans = [("sgd", Optimizer::sgd()), ("adam", Optimizer::adam().with_weight_decay(1e-4))];
    let plans = plans.map(|(name, optimizer)| Plan { name: name.to_owned(), optimizer, learning_rate: 0.01 });
    Case::new(config, parameters, &support::dataset(160), 16, 0, plans.into()).unwrap()
}

fn first_failure(fault: Fault, activation: Activation) -> Option<Check> {
    let ladder = check::check(&case(activation), &[support::faulty(fault)]).unwrap();
    ladder.first_failure().cloned()
}

const RELU: Activation = Activation::Relu;
const SIGMOID: Activation = Activation::Sigmoid;
const TANH: Activation = Activation::Tanh;

/// Mistake, activation of the network, and where it must be found.
const FAULTS: &[(Fault, Activation, Rung, &str)] = &[
    (Fault::OneInitialWeightOff, RELU, Rung::Parameters, "layer2.weight"),
    (Fault::ParametersInHalfPrecision, RELU, Rung::Parameters, "layer1.weight"),
    (Fault::BiasesNotSet, RELU, Rung::Parameters, "layer1.bias"),
    (Fault::BiasForgotten, RELU, Rung::Logits, "logits"),
    (Fault::ActivationForgotten, TANH, Rung::Logits, "logits"),
    (Fault::ActivationOfOutput, RELU, Rung::Logits, "logits"),
    (Fault::HardSigmoid, SIGMOID, Rung::Logits, "logits"),
    (Fault::LeakyRelu, RELU, Rung::Logits, "logits"),
    (Fault::FastTanh, TANH, Rung::Logits, "logits"),
    (Fault::LayerInHalfPrecision, RELU, Rung::Logits, "logits"),
    (Fault::ImagesInHalfPrecision, RELU, Rung::Logits, "logits"),
    (Fault::PixelsScaledTwice, RELU, Rung::Logits, "logits"),
    (Fault::NanSwallowed, RELU, Rung::Logits, "logits"),
    (Fault::MeanForgottenInLoss, RELU, Rung::Loss, "loss"),
    (Fault::MeanOverClasses, RELU, Rung::Loss, "loss"),
    (Fault::BinaryLogarithm, RELU, Rung::Loss, "loss"),
    (Fault::LogarithmShifted, RELU, Rung::Loss, "loss"),
    (Fault::LargestLogitNotSubtracted, RELU, Rung::Loss, "loss"),
    (Fault::MeanForgottenInGradients, RELU, Rung::Gradients, "output_layer.bias"),
    (Fault::OneImageLess, RELU, Rung::Gradients, "output_layer.bias"),
    (Fault::LastLabelForgotten, RELU, Rung::Gradients, "output_layer.bias"),
    (Fault::LabelsSmoothed, RELU, Rung::Gradients, "output_layer.bias"),
    (Fault::BiasGradientDropped(0), RELU, Rung::Gradients, "layer1.bias"),
    (Fault::BiasGradientDropped(2), RELU, Rung::Gradients, "output_layer.bias"),
    (Fault::BiasGradientIsMean, RELU, Rung::Gradients, "layer2.bias"),
    (Fault::WeightGradientTransposed, RELU, Rung::Gradients, "layer2.weight"),
    // The product through layer 2 makes the δ of layer 1.
    (Fault::ProductTransposed, RELU, Rung::Gradients, "layer1.bias"),
    // The output layer has no activation: the first wrong δ is that of the layer below.
    (Fault::DerivativeOfPreActivation, SIGMOID, Rung::Gradients, "layer2.bias"),
    (Fault::DerivativeOfPreActivation, TANH, Rung::Gradients, "layer2.bias"),
    (Fault::DerivativeOfPreActivation, RELU, Rung::Gradients, "layer2.bias"),
    (Fault::DerivativeAtActivation, SIGMOID, Rung::Gradients, "layer2.bias"),
    // The report's mistake.
    (Fault::DerivativeAtActivation, TANH, Rung::Gradients, "layer2.bias"),
    (Fault::DerivativeAtActivation, RELU, Rung::Gradients, "layer2.bias"),
    (Fault::DerivativeSign, SIGMOID, Rung::Gradients, "layer2.bias"),
    (Fault::DerivativeSign, TANH, Rung::Gradients, "layer2.bias"),
    (Fault::DerivativeForgotten, RELU, Rung::Gradients, "layer1.bias"),
    (Fault::DerivativeOfOtherLayer, TANH, Rung::Gradients, "layer1.bias"),
    (Fault::StaleActivations, RELU, Rung::Trajectory, "layer2.weight"),
    (Fault::GradientsClipped, RELU, Rung::Gradients, "output_layer.weight"),
    (Fault::GradientsInHalfPrecision, RELU, Rung::Gradients, "layer2.weight"),
    (Fault::GradientsScaled, RELU, Rung::Gradients, "output_layer.weight"),
    (Fault::LargestGradientOff, RELU, Rung::Gradients, "layer1.weight"),
    (Fault::UpdatedTooEarly, RELU, Rung::Gradients, "layer2.bias"),
    (Fault::LearningRateOff, RELU, Rung::Update, "layer1.weight"),
    (Fault::DecayOfWeightsOnly, RELU, Rung::Update, "layer1.bias"),
    (Fault::DecaySign, RELU, Rung::Update, "layer1.weight"),
    (Fault::DecayDecoupled, RELU, Rung::Update, "layer1.weight"),
    (Fault::DecayCoupled, RELU, Rung::Update, "layer1.weight"),
    (Fault::Dampened, RELU, Rung::Update, "layer1.weight"),
    (Fault::MomentumIsMean, RELU, Rung::Update, "layer1.weight"),
    (Fault::NesterovForgotten, RELU, Rung::Update, "layer1.weight"),
    (Fault::BetasSwapped, RELU, Rung::Update, "layer1.weight"),
    (Fault::EpsilonOfBurn, RELU, Rung::Update, "layer1.weight"),
    (Fault::EpsilonInsideRoot, RELU, Rung::Update, "layer1.weight"),
    (Fault::StepCountedFromTwo, RELU, Rung::Update, "layer1.weight"),
    (Fault::BiasCorrectionForgotten, RELU, Rung::Update, "layer1.weight"),
    (Fault::SquareForgotten, RELU, Rung::Update, "layer1.weight"),
    (Fault::MomentsOfLayersSwapped, RELU, Rung::Update, "layer2.weight"),
    (Fault::LabelsShifted, RELU, Rung::Loop, "output_layer.bias"),
    (Fault::OneRowOfAnotherImage, RELU, Rung::Loop, "output_layer.bias"),
    (Fault::PixelsScaledTwiceInTraining, RELU, Rung::Loop, "output_layer.bias"),
    (Fault::PixelsMultiplied, RELU, Rung::Loop, "layer1.weight"),
    (Fault::LastBatchDropped, RELU, Rung::Loop, "output_layer.bias"),
    (Fault::LastBatchOverFullSize, RELU, Rung::Loop, "output_layer.bias"),
    (Fault::SameOrderEachEpoch, RELU, Rung::Loop, "output_layer.bias"),
    (Fault::StateKept, RELU, Rung::Loop, "output_layer.bias"),
    (Fault::ScheduleIgnored, RELU, Rung::Loop, "output_layer.bias"),
    (Fault::GradientsNotZeroed, RELU, Rung::Trajectory, "output_layer.bias"),
    (Fault::GradientsOfStepBefore, RELU, Rung::Trajectory, "output_layer.bias"),
    (Fault::RateOfStepOff, RELU, Rung::Trajectory, "output_layer.bias"),
    (Fault::OneWeightOffAfterStep, RELU, Rung::Trajectory, "layer2.weight"),
];

#[test]
fn the_textbook_without_a_mistake_agrees() {
    for activation in [RELU, SIGMOID, TANH] {
        assert_eq!(first_failure(Fault::None, activation), None, "{activation}");
    }
}

/// Where the table stands in the documentation of `mlp_parity_compare::check`.
const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../compare/src/check/faults.md");

/// Set to write the table anew.
const WRITE: &str = "MLP_PARITY_WRITE_TABLES";

#[test]
fn every_mistake_is_found_where_it_lives() {
    let mut wrong = Vec::new();
    let mut table = "| mistake | network | rung | tensor | observed / allowed |\n|---|---|---|---|---|\n".to_owned();
    for &(fault, activation, rung, tensor) in FAULTS {
        match first_failure(fault, activation) {
            Some(check) => {
                let share = check.share();
                table += &format!("| {fault:?} | {activation} | {} | {} | {share:.0e} |\n", check.rung, check.tensor);
                if (check.rung, check.tensor.as_str()) != (rung, tensor) {
                    wrong.push(format!("{fault:?}, {activation}: expected at {rung} of {tensor}, found: {check}"));
                }
            }
            None => wrong.push(format!("{fault:?}, {activation}: not found")),
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), FAULTS.len(), wrong.join("\n"));
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(TABLE, &table).unwrap();
    }
    // How far beyond what is allowed depends on the instruction set.
    let without_share = |table: &str| -> Vec<String> {
        table.lines().map(|line| line.rsplitn(3, '|').nth(2).unwrap_or_default().to_owned()).collect()
    };
    let written = std::fs::read_to_string(TABLE).unwrap();
    assert_eq!(without_share(&written), without_share(&table), "{TABLE} is not what {WRITE}=1 writes");
}
