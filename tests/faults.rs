//! Every mistake is found, on the stage and in the tensor where it lives.

use mlp_parity::{Activation, Optimizer};
use mlp_parity_compare::check::{self, Case, Check, NamedOptimizer, Stage};
use support::fault::Fault;

fn case(activation: Activation) -> Case {
    let (config, parameters) = support::network(&[20, 20], activation);
    let trainings = [("sgd", Optimizer::sgd()), ("adam", Optimizer::adam().with_weight_decay(1e-4))];
    let trainings =
        trainings.map(|(name, optimizer)| NamedOptimizer { name: name.to_owned(), optimizer, learning_rate: 0.01 });
    Case::new(config, parameters, &support::dataset(160), 16, 0, trainings.into()).unwrap()
}

fn first_failure(fault: Fault, activation: Activation) -> Option<Check> {
    let suite = check::check(&case(activation), &[support::faulty(fault)]).unwrap();
    suite.first_failure().cloned()
}

const RELU: Activation = Activation::Relu;
const SIGMOID: Activation = Activation::Sigmoid;
const TANH: Activation = Activation::Tanh;

/// Mistake, activation of the network, and where it must be found.
const FAULTS: &[(Fault, Activation, Stage, &str)] = &[
    (Fault::OneInitialWeightOff, RELU, Stage::Parameters, "layer2.weight"),
    (Fault::ParametersInHalfPrecision, RELU, Stage::Parameters, "layer1.weight"),
    (Fault::BiasesNotSet, RELU, Stage::Parameters, "layer1.bias"),
    (Fault::BiasForgotten, RELU, Stage::Logits, "logits"),
    (Fault::ActivationForgotten, TANH, Stage::Logits, "logits"),
    (Fault::ActivationOfOutput, RELU, Stage::Logits, "logits"),
    (Fault::HardSigmoid, SIGMOID, Stage::Logits, "logits"),
    (Fault::LeakyRelu, RELU, Stage::Logits, "logits"),
    (Fault::FastTanh, TANH, Stage::Logits, "logits"),
    (Fault::LayerInHalfPrecision, RELU, Stage::Logits, "logits"),
    (Fault::ImagesInHalfPrecision, RELU, Stage::Logits, "logits"),
    (Fault::PixelsScaledTwice, RELU, Stage::Logits, "logits"),
    (Fault::NanSwallowed, RELU, Stage::Logits, "logits"),
    (Fault::MeanForgottenInLoss, RELU, Stage::Loss, "loss"),
    (Fault::MeanOverClasses, RELU, Stage::Loss, "loss"),
    (Fault::BinaryLogarithm, RELU, Stage::Loss, "loss"),
    (Fault::LogarithmShifted, RELU, Stage::Loss, "loss"),
    (Fault::LargestLogitNotSubtracted, RELU, Stage::Loss, "loss"),
    (Fault::MeanForgottenInGradients, RELU, Stage::Gradients, "output_layer.bias"),
    (Fault::OneImageLess, RELU, Stage::Gradients, "output_layer.bias"),
    (Fault::LastLabelForgotten, RELU, Stage::Gradients, "output_layer.bias"),
    (Fault::LabelsSmoothed, RELU, Stage::Gradients, "output_layer.bias"),
    (Fault::BiasGradientDropped(0), RELU, Stage::Gradients, "layer1.bias"),
    (Fault::BiasGradientDropped(2), RELU, Stage::Gradients, "output_layer.bias"),
    (Fault::BiasGradientIsMean, RELU, Stage::Gradients, "layer2.bias"),
    (Fault::WeightGradientTransposed, RELU, Stage::Gradients, "layer2.weight"),
    // The product through layer 2 makes the δ of layer 1.
    (Fault::ProductTransposed, RELU, Stage::Gradients, "layer1.bias"),
    // The output layer has no activation: the first wrong δ is that of the layer below.
    (Fault::DerivativeOfPreActivation, SIGMOID, Stage::Gradients, "layer2.bias"),
    (Fault::DerivativeOfPreActivation, TANH, Stage::Gradients, "layer2.bias"),
    (Fault::DerivativeOfPreActivation, RELU, Stage::Gradients, "layer2.bias"),
    (Fault::DerivativeAtActivation, SIGMOID, Stage::Gradients, "layer2.bias"),
    // The report's mistake.
    (Fault::DerivativeAtActivation, TANH, Stage::Gradients, "layer2.bias"),
    (Fault::DerivativeAtActivation, RELU, Stage::Gradients, "layer2.bias"),
    (Fault::DerivativeSign, SIGMOID, Stage::Gradients, "layer2.bias"),
    (Fault::DerivativeSign, TANH, Stage::Gradients, "layer2.bias"),
    (Fault::DerivativeForgotten, RELU, Stage::Gradients, "layer1.bias"),
    (Fault::DerivativeOfOtherLayer, TANH, Stage::Gradients, "layer1.bias"),
    (Fault::StaleActivations, RELU, Stage::Trajectory, "layer2.weight"),
    (Fault::GradientsClipped, RELU, Stage::Gradients, "output_layer.weight"),
    (Fault::GradientsInHalfPrecision, RELU, Stage::Gradients, "layer2.weight"),
    (Fault::GradientsScaled, RELU, Stage::Gradients, "output_layer.weight"),
    (Fault::LargestGradientOff, RELU, Stage::Gradients, "layer1.weight"),
    (Fault::UpdatedTooEarly, RELU, Stage::Gradients, "layer2.bias"),
    (Fault::LearningRateOff, RELU, Stage::Update, "layer1.weight"),
    (Fault::DecayOfWeightsOnly, RELU, Stage::Update, "layer1.bias"),
    (Fault::DecaySign, RELU, Stage::Update, "layer1.weight"),
    (Fault::DecayDecoupled, RELU, Stage::Update, "layer1.weight"),
    (Fault::DecayCoupled, RELU, Stage::Update, "layer1.weight"),
    (Fault::Dampened, RELU, Stage::Update, "layer1.weight"),
    (Fault::MomentumIsMean, RELU, Stage::Update, "layer1.weight"),
    (Fault::NesterovForgotten, RELU, Stage::Update, "layer1.weight"),
    (Fault::BetasSwapped, RELU, Stage::Update, "layer1.weight"),
    (Fault::EpsilonOfBurn, RELU, Stage::Update, "layer1.weight"),
    (Fault::EpsilonInsideRoot, RELU, Stage::Update, "layer1.weight"),
    (Fault::StepCountedFromTwo, RELU, Stage::Update, "layer1.weight"),
    (Fault::BiasCorrectionForgotten, RELU, Stage::Update, "layer1.weight"),
    (Fault::SquareForgotten, RELU, Stage::Update, "layer1.weight"),
    (Fault::MomentsOfLayersSwapped, RELU, Stage::Update, "layer2.weight"),
    (Fault::LabelsShifted, RELU, Stage::TrainingLoop, "output_layer.bias"),
    (Fault::OneRowOfAnotherImage, RELU, Stage::TrainingLoop, "output_layer.bias"),
    (Fault::PixelsScaledTwiceInTraining, RELU, Stage::TrainingLoop, "output_layer.bias"),
    (Fault::PixelsMultiplied, RELU, Stage::TrainingLoop, "layer1.weight"),
    (Fault::LastBatchDropped, RELU, Stage::TrainingLoop, "output_layer.bias"),
    (Fault::LastBatchOverFullSize, RELU, Stage::TrainingLoop, "output_layer.bias"),
    (Fault::SameOrderEachEpoch, RELU, Stage::TrainingLoop, "output_layer.bias"),
    (Fault::StateKept, RELU, Stage::TrainingLoop, "output_layer.bias"),
    (Fault::ScheduleIgnored, RELU, Stage::TrainingLoop, "output_layer.bias"),
    (Fault::GradientsNotZeroed, RELU, Stage::Trajectory, "output_layer.bias"),
    (Fault::GradientsOfStepBefore, RELU, Stage::Trajectory, "output_layer.bias"),
    (Fault::RateOfStepOff, RELU, Stage::Trajectory, "output_layer.bias"),
    (Fault::OneWeightOffAfterStep, RELU, Stage::Trajectory, "layer2.weight"),
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
    let mut table = "| mistake | network | stage | tensor | observed / bound |\n|---|---|---|---|---|\n".to_owned();
    for &(fault, activation, stage, tensor) in FAULTS {
        match first_failure(fault, activation) {
            Some(check) => {
                let share = check.error_ratio;
                table += &format!("| {fault:?} | {activation} | {} | {} | {share:.0e} |\n", check.stage, check.tensor);
                if (check.stage, check.tensor.as_str()) != (stage, tensor) {
                    wrong.push(format!("{fault:?}, {activation}: expected at {stage} of {tensor}, found: {check}"));
                }
            }
            None => wrong.push(format!("{fault:?}, {activation}: not found")),
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), FAULTS.len(), wrong.join("\n"));
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(TABLE, &table).unwrap();
    }
    // How far beyond what is bound depends on the instruction set.
    let without_share = |table: &str| -> Vec<String> {
        table.lines().map(|line| line.rsplitn(3, '|').nth(2).unwrap_or_default().to_owned()).collect()
    };
    let written = std::fs::read_to_string(TABLE).unwrap();
    assert_eq!(without_share(&written), without_share(&table), "{TABLE} is not what {WRITE}=1 writes");
}
