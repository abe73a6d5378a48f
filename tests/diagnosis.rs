//! Tests of the diagnosis: injected faults are named, by a network that shares no code with the reference; what is outside the
//! catalogue is not named; and sound traces are not diagnosed.

use std::path::Path;

use mlp_parity::{Activation, Optimizer, SafetensorsFile};
use mlp_parity_compare::Candidate;
use mlp_parity_compare::check::{Case, Diagnosis, NamedOptimizer, SuiteReport, Trace};
use mlp_parity_compare::diagnosis::{check, check_trace};
use support::fault::Fault;

use crate::draw::Draw;
use crate::trace_file::{TraceFile, golden_paths};

const RELU: Activation = Activation::Relu;
const SIGMOID: Activation = Activation::Sigmoid;
const TANH: Activation = Activation::Tanh;

/// Shapes of the hidden layers. The second has square weights.
const SHAPES: [&[usize]; 3] = [&[14, 9], &[20, 20], &[9]];

fn sgd() -> Optimizer {
    Optimizer::sgd()
}

fn case(activation: Activation, optimizer: Optimizer, hidden: &[usize]) -> Case {
    let (config, parameters) = support::network(hidden, activation);
    let optimizer = NamedOptimizer { name: optimizer.to_string(), optimizer, learning_rate: 0.05 };
    Case::new(config, parameters, &support::dataset(160), 16, 0, vec![optimizer]).unwrap()
}

/// Diagnoses the trace of a network with a fault.
fn diagnosis(fault: Fault, activation: Activation, optimizer: Optimizer, hidden: &[usize]) -> Diagnosis {
    diagnosis_of(&support::faulty(fault), &case(activation, optimizer, hidden))
}

fn diagnosis_of(candidate: &Candidate, case: &Case) -> Diagnosis {
    let trace = Trace::record(case, candidate, 5).unwrap();
    check_trace(&trace, &[], &[]).unwrap().reports.remove(0).diagnosis.unwrap_or_default()
}

/// A fault that has a name in the catalogue, with the activation function, the optimizer and that name.
type Named = (Fault, Activation, Optimizer, &'static str);

/// Named faults of the forward and the backward pass.
fn faults_of_passes() -> Vec<Named> {
    vec![
        // Its derivative is that of ReLU.
        (Fault::LeakyRelu, RELU, sgd(), "another-activation derivative-of-another-activation"),
        (Fault::PixelsScaledTwice, RELU, sgd(), "pixels-divided-by-255"),
        (Fault::ActivationOnOutputLayer, RELU, sgd(), "activation-on-logits"),
        (Fault::LossNotAveraged, RELU, sgd(), "loss-reduction"),
        (Fault::LossAveragedOverClasses, TANH, sgd(), "loss-reduction"),
        (Fault::BinaryLogarithm, SIGMOID, sgd(), "loss-log2"),
        (Fault::GradientsNotAveraged, RELU, sgd(), "gradient-factor"),
        (Fault::BatchSizeOffByOne, TANH, sgd(), "gradient-factor"),
        (Fault::BiasGradientZeroed(0), RELU, sgd(), "bias-gradient-factor"),
        (Fault::DerivativeFromPreActivation, SIGMOID, sgd(), "derivative-of-sum"),
        (Fault::DerivativeFromPreActivation, TANH, sgd(), "derivative-of-sum"),
        (Fault::DerivativeAtActivation, SIGMOID, sgd(), "derivative-at-activation"),
        (Fault::DerivativeAtActivation, TANH, sgd(), "derivative-at-activation"),
        (Fault::DerivativeOmitted, SIGMOID, sgd(), "derivative-missing"),
        (Fault::DerivativeSignFlipped, SIGMOID, sgd(), "derivative-with-wrong-sign"),
        (Fault::DerivativeSignFlipped, TANH, sgd(), "derivative-with-wrong-sign"),
        (Fault::LabelSmoothing, RELU, sgd(), "delta-with-smoothed-labels"),
        (Fault::ImagesInHalfPrecision, RELU, sgd(), "pixels-rounded"),
    ]
}

/// Named faults of the update.
fn faults_of_updates() -> Vec<Named> {
    let momentum = || Optimizer::momentum(0.9);
    let decayed = |optimizer: Optimizer| optimizer.with_weight_decay(0.01);
    vec![
        (Fault::DecaySkipsBiases, RELU, decayed(sgd()), "another-decay"),
        (Fault::DecaySignFlipped, RELU, decayed(sgd()), "decay-factor"),
        (Fault::AdamDecayDecoupled, TANH, decayed(Optimizer::adam()), "another-decay"),
        (Fault::AdamWDecayCoupled, TANH, decayed(Optimizer::adamw()), "another-decay"),
        (Fault::MomentumAveraged, RELU, momentum(), "momentum-form"),
        (Fault::NesterovIgnored, RELU, momentum().with_nesterov().unwrap(), "momentum-form"),
        (Fault::GradientsNotZeroed, RELU, momentum(), "gradients-accumulated"),
        (Fault::GradientsOfPreviousStep, TANH, Optimizer::adam(), "gradients-of-previous-step"),
        (Fault::MomentumDampened, RELU, momentum(), "momentum-form"),
        (Fault::BetasSwapped, TANH, Optimizer::adam(), "adam-betas-swapped"),
        (Fault::EpsilonIsBurnDefault, TANH, Optimizer::adam(), "adam-epsilon"),
        (Fault::EpsilonInsideRoot, TANH, Optimizer::adam(), "adam-epsilon-placement"),
        (Fault::StepCountStartsAtTwo, TANH, Optimizer::adam(), "adam-step-too-large"),
        (Fault::BiasCorrectionOmitted, TANH, Optimizer::adam(), "adam-correction-missing"),
    ]
}

fn named_faults() -> Vec<Named> {
    [faults_of_passes(), faults_of_updates()].concat()
}

/// Named faults of the second layer, and of square weights.
const FAULTS_OF_ONE_LAYER: [(Fault, &str); 6] = [
    (Fault::BiasOmitted, "bias-unused"),
    (Fault::BiasGradientAveraged, "bias-gradient-factor"),
    (Fault::WeightGradientTransposed, "transposed-weight-gradient"),
    (Fault::BackwardWeightNotTransposed, "untransposed-weight-in-backward-pass"),
    (Fault::DerivativeOfWrongLayer, "derivative-of-another-layer"),
    // In the same process, the parameters that are read back show it.
    (Fault::BiasesNotSet, "initial-biases-zero"),
];

#[test]
fn injected_faults_of_one_layer_are_named() {
    for (fault, expected) in FAULTS_OF_ONE_LAYER {
        let found = diagnosis(fault, TANH, sgd(), &[20, 20]);
        let ids: Vec<&str> = found.explanations.iter().map(|explanation| explanation.id).collect();
        assert_eq!((ids, found.unexplained), (vec![expected], None), "{fault:?}");
    }
}

/// A loss that is infinite for no reason in the numbers has no name.
#[test]
fn infinite_loss_is_named_only_if_a_probability_may_be_zero() {
    let found = diagnosis(Fault::LossOverflows, RELU, sgd(), SHAPES[0]);
    assert!(found.explanations.is_empty() && found.unexplained.is_some(), "{found:?}");
}

#[test]
fn injected_faults_are_named() {
    let (mut count, mut wrong) = (0, Vec::new());
    for (fault, activation, optimizer, expected) in named_faults() {
        for hidden in SHAPES {
            let found = diagnosis(fault, activation, optimizer, hidden);
            let ids: Vec<&str> = found.explanations.iter().map(|explanation| explanation.id).collect();
            count += 1;
            if ids != expected.split(' ').collect::<Vec<_>>() || found.unexplained.is_some() {
                wrong.push(format!("{fault:?} in {hidden:?}: {ids:?}, expected {expected}: {:?}", found.unexplained));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {count} faults were not named:\n{}", wrong.len(), wrong.join("\n"));
}

/// Every pair of a fault of the passes and one of the update.
#[test]
fn both_of_two_faults_are_named() {
    let of_one_layer = FAULTS_OF_ONE_LAYER.into_iter().map(|(fault, id)| (fault, TANH, sgd(), id));
    let of_passes: Vec<Named> = faults_of_passes().into_iter().chain(of_one_layer).collect();
    let (mut count, mut wrong) = (0, Vec::new());
    for (first, activation, _, expected) in of_passes {
        for (second, _, optimizer, expected_second) in faults_of_updates() {
            let found = diagnosis_of(&support::with_faults([first, second]), &case(activation, optimizer, SHAPES[1]));
            let ids: Vec<&str> = found.explanations.iter().map(|explanation| explanation.id).collect();
            count += 1;
            if ids.join(" ") != format!("{expected} {expected_second}") || found.unexplained.is_some() {
                wrong.push(format!("{first:?} and {second:?}: {ids:?}, expected {expected} {expected_second}"));
            }
        }
    }
    println!("{} of {count} pairs were not named:\n{}", wrong.len(), wrong.join("\n"));
    assert!(10 * wrong.len() <= count, "{} of {count} pairs were not named:\n{}", wrong.len(), wrong.join("\n"));
}

/// A trace that has only parameters: the gradients of both layers follow from the first step.
#[test]
fn both_of_two_gradient_faults_are_named_by_parameters_alone() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/two-mistakes.safetensors");
    let suite = check_trace(&Trace::load(&path).unwrap(), &[], &[]).unwrap();
    let found = suite.reports[0].diagnosis.as_ref().unwrap();
    let ids: Vec<&str> = found.explanations.iter().map(|explanation| explanation.id).collect();
    assert_eq!(ids, ["bias-gradient-factor", "derivative-at-activation"], "{:?}", found.unexplained);
    assert_eq!(found.unexplained, None);
}

/// With ten outputs, a tenth of the gradients and ten times the ε of Adam are the same update.
#[test]
fn epsilon_of_adam_is_named_before_equal_factors_of_gradients() {
    let optimizer = Optimizer::Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-7, weight_decay: 0.0 };
    let bytes = Trace::record(&case(RELU, optimizer, SHAPES[0]), &support::scratch(), 5).unwrap().to_bytes().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace.safetensors");
    std::fs::write(&path, bytes).unwrap();
    let mut file = TraceFile::read(&path);
    file.tensors.retain(|name, _| !name.starts_with("gradient.") && !name.ends_with("loss") && name != "logits");
    file.metadata.insert("epsilon".to_owned(), "1e-8".to_owned());
    let found = check_trace(&file.trace().unwrap(), &[], &[]).unwrap().reports.remove(0).diagnosis.unwrap();
    let ids: Vec<&str> = found.explanations.iter().map(|explanation| explanation.id).collect();
    assert_eq!(ids, ["adam-epsilon"], "{found:?}");
}

/// The check suite stops at the first stage that fails, which for faults of an optimizer has given gradients.
#[test]
fn faults_of_networks_in_the_same_process_are_named() {
    let mut wrong = Vec::new();
    for (fault, activation, optimizer, expected) in named_faults() {
        let suite = check(&case(activation, optimizer, SHAPES[0]), &[support::faulty(fault)]).unwrap();
        let ids: Vec<&str> = match &suite.reports[0].diagnosis {
            Some(found) => found.explanations.iter().map(|explanation| explanation.id).collect(),
            None => Vec::new(),
        };
        if ids != expected.split(' ').collect::<Vec<_>>() {
            wrong.push(format!("{fault:?}: {ids:?}, expected {expected}; {}", suite.reason()));
        }
    }
    assert!(wrong.is_empty(), "{} faults were not named:\n{}", wrong.len(), wrong.join("\n"));
}

/// Faults that the catalogue does not have are described, but not named.
#[test]
fn faults_outside_the_catalogue_are_not_named() {
    for (fault, activation) in [
        (Fault::ApproximateTanh, TANH),
        (Fault::GradientsScaled, RELU),
        (Fault::LargestGradientPerturbed, RELU),
        (Fault::LastLabelIgnored, RELU),
        (Fault::LayerInHalfPrecision, RELU),
        (Fault::GradientsClipped, RELU),
        (Fault::StaleActivations, RELU),
    ] {
        for hidden in [SHAPES[0], SHAPES[1]] {
            let found = diagnosis(fault, activation, sgd(), hidden);
            let ids: Vec<&str> = found.explanations.iter().map(|explanation| explanation.id).collect();
            assert!(ids.is_empty() && found.unexplained.is_some(), "{fault:?} in {hidden:?}: {ids:?}");
        }
    }
}

/// Returns the identifiers of the explanations of a trace that disagrees.
fn ids(file: &TraceFile) -> Vec<&'static str> {
    let found = check_trace(&file.trace().unwrap(), &[], &[]).unwrap().reports.remove(0).diagnosis.unwrap();
    found.explanations.iter().map(|explanation| explanation.id).collect()
}

/// A variant that explains the biases, but not one of the weights of the same step.
#[test]
fn variant_that_leaves_a_wrong_element_is_rejected() {
    let mut file = TraceFile::concept("cross-entropy");
    for layer in ["layer1", "layer2", "output_layer"] {
        let initial = file.values(&format!("initial.{layer}.bias"));
        file.set(&format!("step.0.{layer}.bias"), &initial);
        file.tensors.remove(&format!("gradient.{layer}.bias"));
    }
    file.tensors.retain(|name, _| !["batch.1", "batch.2", "step.1", "step.2"].iter().any(|key| name.starts_with(key)));
    assert_eq!(ids(&file), ["no-biases"]);
    let mut weights = file.values("step.0.layer1.weight");
    weights[7] += 0.01;
    file.set("step.0.layer1.weight", &weights);
    assert_eq!(ids(&file), [""; 0]);
}

/// Arrays of NumPy that are recorded without a copy show the last step.
#[test]
fn arrays_that_were_not_copied_are_named() {
    let original = TraceFile::concept("cross-entropy");
    let found = |file: &TraceFile| {
        let found = check_trace(&file.trace().unwrap(), &[], &[]).unwrap().reports.remove(0).diagnosis.unwrap();
        found
            .explanations
            .iter()
            .map(|explanation| format!("{}: {}", explanation.id, explanation.sentence))
            .collect::<Vec<_>>()
    };
    let last = |name: &str| original.values(&format!("step.2.{name}"));
    let with_last = |prefixes: &[&str]| {
        let mut file = original.clone();
        for tensor in ["layer1", "layer2", "output_layer"]
            .iter()
            .flat_map(|layer| ["weight", "bias"].map(|part| format!("{layer}.{part}")))
        {
            prefixes.iter().for_each(|prefix| file.set(&format!("{prefix}.{tensor}"), &last(&tensor)));
        }
        file
    };
    let all = with_last(&["initial", "step.0", "step.1"]);
    assert_eq!(found(&all), ["arrays-not-copied: has recorded the parameters after the last step as the initial ones"]);
    let initial = with_last(&["initial"]);
    assert_eq!(found(&initial), found(&all));
    // Without results of the first batch, the parameters may also not have moved.
    let mut only_steps = all.clone();
    let is_of_passes =
        |name: &str| ["logits", "outputs"].contains(&name) || name.ends_with("loss") || name.starts_with("gradient.");
    only_steps.tensors.retain(|name, _| !is_of_passes(name));
    assert_eq!(found(&only_steps), found(&all));
    let steps = &found(&with_last(&["step.0", "step.1"]))[0];
    assert!(steps.starts_with("arrays-not-copied: has recorded the parameters after the last step for every step"));
}

/// The sums of δ over the images, and over the outputs, do not depend on the order of the labels. A penalty does not change the
/// bias gradient either, but is not an order of labels.
#[test]
fn labels_in_another_order_are_told_from_other_losses() {
    let mut file = TraceFile::concept("cross-entropy");
    let mut labels = file.values("batch.0.labels");
    labels.swap(0, 1);
    labels.rotate_left(2);
    let bytes = labels.iter().flat_map(|&label| (label as i64).to_le_bytes()).collect();
    file.tensors.get_mut("batch.0.labels").unwrap().2 = bytes;
    assert_eq!(ids(&file), ["labels-in-another-order"]);
    let mut penalty = TraceFile::concept("cross-entropy");
    let loss = penalty.values("loss")[0];
    penalty.set("loss", &[loss + 0.01]);
    let mut weights = penalty.values("gradient.output_layer.weight");
    weights[2] += 0.01;
    penalty.set("gradient.output_layer.weight", &weights);
    assert_eq!(ids(&penalty), [""; 0]);
}

/// The average µv + (1 − µ)g with a constant learning rate is the velocity with a smaller rate.
#[test]
fn explanations_that_the_data_do_not_tell_apart_are_named_together() {
    let found = diagnosis(Fault::MomentumAveraged, RELU, Optimizer::momentum(0.9), SHAPES[0]);
    let [explanation] = &found.explanations[..] else { panic!("{found:?}") };
    assert!(explanation.equivalent.iter().any(|other| other.id == "learning-rate-factor"), "{explanation:?}");
    assert!(found.text("").contains(", which is the same on these data: "), "{found:?}");
}

/// Ten images and ten outputs are the same on the data of the case, but a program in this process can be asked for others.
#[test]
fn explanations_are_told_apart_by_asking_the_program() {
    let (config, parameters) = support::network(SHAPES[0], RELU);
    let case = Case::new(config, parameters, &support::dataset(50), 10, 0, Vec::new()).unwrap();
    let candidate = support::faulty(Fault::GradientsNotAveraged);
    let explanation = |mut suite: SuiteReport| suite.reports.remove(0).diagnosis.unwrap().explanations.remove(0);
    let asked = explanation(check(&case, &[candidate]).unwrap());
    assert!(asked.sentence.ends_with("by the number of images") && asked.equivalent.is_empty(), "{asked:?}");
    let sgd = NamedOptimizer { name: "sgd".to_owned(), optimizer: sgd(), learning_rate: 0.1 };
    let case = Case { optimizers: vec![sgd], ..case };
    let trace = Trace::record(&case, &support::faulty(Fault::GradientsNotAveraged), 2).unwrap();
    let recorded = explanation(check_trace(&trace, &[], &[]).unwrap());
    assert_eq!(recorded.equivalent.len(), 1, "{recorded:?}");
}

/// Biases that are zero at first show after the first step that they are not used.
#[test]
fn fault_that_shows_after_the_first_step_is_named() {
    let mut case = case(RELU, sgd(), SHAPES[0]);
    case.parameters.layers_mut().iter_mut().for_each(|layer| layer.bias.fill(0.0));
    let trace = Trace::record(&case, &support::faulty(Fault::BiasOmitted), 5).unwrap();
    let found = check_trace(&trace, &[], &[]).unwrap().reports.remove(0).diagnosis.unwrap();
    assert_eq!(found.explanations.iter().map(|explanation| explanation.id).collect::<Vec<_>>(), ["bias-unused"]);
}

#[test]
fn unexplained_differences_are_described_by_their_pattern() {
    let one_wrong = diagnosis(Fault::LargestGradientPerturbed, RELU, sgd(), SHAPES[0]).unexplained.unwrap();
    assert!(one_wrong.contains("gradients of layer1.weight (1 of "), "{one_wrong}");
    let scaled = diagnosis(Fault::GradientsScaled, RELU, sgd(), SHAPES[0]).unexplained.unwrap();
    assert!(scaled.contains("output_layer.weight (every element is multiplied by 1.0001"), "{scaled}");
}

#[test]
fn sound_traces_are_not_diagnosed() {
    for path in golden_paths("concepts") {
        let trace = TraceFile::read(&path).trace().unwrap();
        let suite = check_trace(&trace, &[], &[]).unwrap();
        assert_eq!(suite.reports[0].diagnosis, None, "{}", path.display());
        assert_eq!(suite.trace.unwrap().not_excluded, [], "{}", path.display());
    }
}

/// One random element that is wrong, or random factors of all elements, have no name.
#[test]
fn random_differences_are_not_named() {
    let mut wrong = Vec::new();
    for path in golden_paths("concepts") {
        let file = TraceFile::read(&path);
        for (index, name) in file.tensors.keys().enumerate().filter(|(_, name)| !name.starts_with("batch.")) {
            let mut draw = Draw::new(index as u64);
            let mut values = file.values(name);
            if name.starts_with("initial.") || name.ends_with("loss") || values.len() < 2 {
                continue;
            }
            let is_single = draw.chance(0.5);
            let chosen = draw.count(0, values.len() - 1);
            for (element, value) in values.iter_mut().enumerate() {
                if !is_single || element == chosen {
                    *value += draw.number(-1.0, 1.0) * value.abs().max(0.1) * 0.1;
                }
            }
            let mut changed = file.clone();
            changed.set(name, &values);
            let found = check_trace(&changed.trace().unwrap(), &[], &[])
                .unwrap()
                .reports
                .remove(0)
                .diagnosis
                .unwrap_or_default();
            if let Some(explanation) = found.explanations.first() {
                wrong.push(format!("{} {name}: {}: {}", path.display(), explanation.id, explanation.sentence));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong names:\n{}", wrong.len(), wrong.join("\n"));
}
