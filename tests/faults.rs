//! Asserts that the check suite finds every injected fault, in the stage and the tensor that the fault affects first.
//! The results are recorded in `faults.md`, which the documentation of `mlp_parity_compare::check` includes.

use mlp_parity::{Activation, Optimizer};
use mlp_parity_compare::check::{self, Case, Check, NamedOptimizer, Stage};
use support::fault::Fault;

fn case(activation: Activation) -> Case {
    let (config, parameters) = support::network(&[20, 20], activation);
    let optimizers = [("sgd", Optimizer::sgd()), ("adam", Optimizer::adam().with_weight_decay(1e-4))];
    let optimizers =
        optimizers.map(|(name, optimizer)| NamedOptimizer { name: name.to_owned(), optimizer, learning_rate: 0.01 });
    Case::new(config, parameters, &support::dataset(160), 16, 0, optimizers.into()).unwrap()
}

fn first_failure(fault: Fault, activation: Activation) -> Option<Check> {
    let suite = check::check(&case(activation), &[support::faulty(fault)]).unwrap();
    suite.first_failure().cloned()
}

const RELU: Activation = Activation::Relu;
const SIGMOID: Activation = Activation::Sigmoid;
const TANH: Activation = Activation::Tanh;

/// Every fault, with the activation function of the network, and the stage and tensor of the first check that must
/// fail.
const FAULTS: &[(Fault, Activation, Stage, &str)] = &[
    (Fault::InitialWeightPerturbed, RELU, Stage::Parameters, "layer2.weight"),
    (Fault::ParametersInHalfPrecision, RELU, Stage::Parameters, "layer1.weight"),
    (Fault::BiasesNotSet, RELU, Stage::Parameters, "layer1.bias"),
    (Fault::BiasOmitted, RELU, Stage::Logits, "logits"),
    (Fault::ActivationOmitted, TANH, Stage::Logits, "logits"),
    (Fault::ActivationOnOutputLayer, RELU, Stage::Logits, "logits"),
    (Fault::HardSigmoid, SIGMOID, Stage::Logits, "logits"),
    (Fault::LeakyRelu, RELU, Stage::Logits, "logits"),
    (Fault::ApproximateTanh, TANH, Stage::Logits, "logits"),
    (Fault::LayerInHalfPrecision, RELU, Stage::Logits, "logits"),
    (Fault::ImagesInHalfPrecision, RELU, Stage::Logits, "logits"),
    (Fault::PixelsScaledTwice, RELU, Stage::Logits, "logits"),
    (Fault::NanLostInRelu, RELU, Stage::Logits, "logits"),
    (Fault::LossNotAveraged, RELU, Stage::Loss, "loss"),
    (Fault::LossAveragedOverClasses, RELU, Stage::Loss, "loss"),
    (Fault::BinaryLogarithm, RELU, Stage::Loss, "loss"),
    (Fault::LogarithmOffset, RELU, Stage::Loss, "loss"),
    (Fault::MaximumNotSubtracted, RELU, Stage::Loss, "loss"),
    (Fault::GradientsNotAveraged, RELU, Stage::Gradients, "output_layer.bias"),
    (Fault::BatchSizeOffByOne, RELU, Stage::Gradients, "output_layer.bias"),
    (Fault::LastLabelIgnored, RELU, Stage::Gradients, "output_layer.bias"),
    (Fault::LabelSmoothing, RELU, Stage::Gradients, "output_layer.bias"),
    (Fault::BiasGradientZeroed(0), RELU, Stage::Gradients, "layer1.bias"),
    (Fault::BiasGradientZeroed(2), RELU, Stage::Gradients, "output_layer.bias"),
    (Fault::BiasGradientAveraged, RELU, Stage::Gradients, "layer2.bias"),
    (Fault::WeightGradientTransposed, RELU, Stage::Gradients, "layer2.weight"),
    // δ of layer 1 is the first that depends on the product with the weights of layer 2.
    (Fault::BackwardWeightNotTransposed, RELU, Stage::Gradients, "layer1.bias"),
    // The output layer has no activation function, so the first wrong δ is that of the layer below.
    (Fault::DerivativeFromPreActivation, SIGMOID, Stage::Gradients, "layer2.bias"),
    (Fault::DerivativeFromPreActivation, TANH, Stage::Gradients, "layer2.bias"),
    (Fault::DerivativeFromPreActivation, RELU, Stage::Gradients, "layer2.bias"),
    (Fault::DerivativeAtActivation, SIGMOID, Stage::Gradients, "layer2.bias"),
    // The fault in the report.
    (Fault::DerivativeAtActivation, TANH, Stage::Gradients, "layer2.bias"),
    (Fault::DerivativeAtActivation, RELU, Stage::Gradients, "layer2.bias"),
    (Fault::DerivativeSignFlipped, SIGMOID, Stage::Gradients, "layer2.bias"),
    (Fault::DerivativeSignFlipped, TANH, Stage::Gradients, "layer2.bias"),
    (Fault::DerivativeOmitted, RELU, Stage::Gradients, "layer1.bias"),
    (Fault::DerivativeOfWrongLayer, TANH, Stage::Gradients, "layer1.bias"),
    (Fault::StaleActivations, RELU, Stage::Trajectory, "layer2.weight"),
    (Fault::GradientsClipped, RELU, Stage::Gradients, "output_layer.weight"),
    (Fault::GradientsInHalfPrecision, RELU, Stage::Gradients, "layer2.weight"),
    (Fault::GradientsScaled, RELU, Stage::Gradients, "output_layer.weight"),
    (Fault::LargestGradientPerturbed, RELU, Stage::Gradients, "layer1.weight"),
    (Fault::WeightsUpdatedDuringBackward, RELU, Stage::Gradients, "layer2.bias"),
    (Fault::LearningRatePerturbed, RELU, Stage::Update, "layer1.weight"),
    (Fault::DecaySkipsBiases, RELU, Stage::Update, "layer1.bias"),
    (Fault::DecaySignFlipped, RELU, Stage::Update, "layer1.weight"),
    (Fault::AdamDecayDecoupled, RELU, Stage::Update, "layer1.weight"),
    (Fault::AdamWDecayCoupled, RELU, Stage::Update, "layer1.weight"),
    (Fault::MomentumDampened, RELU, Stage::Update, "layer1.weight"),
    (Fault::MomentumAveraged, RELU, Stage::Update, "layer1.weight"),
    (Fault::NesterovIgnored, RELU, Stage::Update, "layer1.weight"),
    (Fault::BetasSwapped, RELU, Stage::Update, "layer1.weight"),
    (Fault::EpsilonIsBurnDefault, RELU, Stage::Update, "layer1.weight"),
    (Fault::EpsilonInsideRoot, RELU, Stage::Update, "layer1.weight"),
    (Fault::StepCountStartsAtTwo, RELU, Stage::Update, "layer1.weight"),
    (Fault::BiasCorrectionOmitted, RELU, Stage::Update, "layer1.weight"),
    (Fault::SecondMomentNotSquared, RELU, Stage::Update, "layer1.weight"),
    (Fault::LayerMomentsSwapped, RELU, Stage::Update, "layer2.weight"),
    (Fault::LabelsShifted, RELU, Stage::TrainingLoop, "output_layer.bias"),
    (Fault::ImageRowReplaced, RELU, Stage::TrainingLoop, "output_layer.bias"),
    (Fault::TrainingPixelsScaledTwice, RELU, Stage::TrainingLoop, "output_layer.bias"),
    (Fault::PixelsScaledByReciprocal, RELU, Stage::TrainingLoop, "layer1.weight"),
    (Fault::LastBatchDropped, RELU, Stage::TrainingLoop, "output_layer.bias"),
    (Fault::PartialBatchDividedByFullSize, RELU, Stage::TrainingLoop, "output_layer.bias"),
    (Fault::EpochOrderNotReshuffled, RELU, Stage::TrainingLoop, "output_layer.bias"),
    (Fault::OptimizerStateKept, RELU, Stage::TrainingLoop, "output_layer.bias"),
    (Fault::ScheduleIgnored, RELU, Stage::TrainingLoop, "output_layer.bias"),
    (Fault::GradientsNotZeroed, RELU, Stage::Trajectory, "output_layer.bias"),
    (Fault::GradientsOfPreviousStep, RELU, Stage::Trajectory, "output_layer.bias"),
    (Fault::StepLearningRatePerturbed, RELU, Stage::Trajectory, "output_layer.bias"),
    (Fault::WeightPerturbedAfterStep, RELU, Stage::Trajectory, "layer2.weight"),
];

#[test]
fn faulty_mlp_without_fault_passes_check_suite() {
    for activation in [RELU, SIGMOID, TANH] {
        assert_eq!(first_failure(Fault::None, activation), None, "{activation}");
    }
}

/// Path of the table of faults, which the documentation of `mlp_parity_compare::check` includes.
const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../compare/src/check/faults.md");

/// Environment variable that makes this test regenerate [`TABLE`] before comparing with it.
const WRITE: &str = "MLP_PARITY_WRITE_TABLES";

#[test]
fn check_suite_finds_every_fault_in_expected_stage_and_tensor() {
    let mut misplaced = Vec::new();
    let mut table = "| injected fault | network | stage | tensor | error ratio |\n|---|---|---|---|---|\n".to_owned();
    for &(fault, activation, stage, tensor) in FAULTS {
        match first_failure(fault, activation) {
            Some(check) => {
                let ratio = check.error_ratio;
                table += &format!("| {fault:?} | {activation} | {} | {} | {ratio:.0e} |\n", check.stage, check.tensor);
                if (check.stage, check.tensor.as_str()) != (stage, tensor) {
                    misplaced.push(format!("{fault:?}, {activation}: expected in {stage} of {tensor}, found: {check}"));
                }
            }
            None => misplaced.push(format!("{fault:?}, {activation}: not found")),
        }
    }
    assert!(
        misplaced.is_empty(),
        "{} of {} faults were not found in the expected stage and tensor:\n{}",
        misplaced.len(),
        FAULTS.len(),
        misplaced.join("\n")
    );
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(TABLE, &table).unwrap();
    }
    // The error ratio depends on the processor's instruction set, so the last column is not compared.
    let without_ratio = |table: &str| -> Vec<String> {
        table.lines().map(|line| line.rsplitn(3, '|').nth(2).unwrap_or_default().to_owned()).collect()
    };
    let written = std::fs::read_to_string(TABLE).unwrap();
    assert_eq!(
        without_ratio(&written),
        without_ratio(&table),
        "{TABLE} is out of date; set {WRITE}=1 to regenerate it"
    );
}
