//! Tests of traces, files that record the computation of an implementation: correct traces agree, faults in a trace are
//! located, and invalid files are rejected.

use std::path::PathBuf;

use mlp_parity::{Activation, Batch, Layer, MlpConfig, Optimizer, Parameters, SafetensorsFile};
use mlp_parity_compare::Verdict;
use mlp_parity_compare::check::{Case, NamedOptimizer, Stage, Trace};
use mlp_parity_scratch::ReferenceMlp;
use mlp_parity_scratch::reference::DerivativeForm;
use ndarray::{Array1, Array2};
use proptest::prelude::*;
use safetensors::Dtype;

use crate::trace_file::{TraceFile, golden_paths};

/// Returns the paths of the golden traces, which were written by a PyTorch program.
fn golden() -> Vec<PathBuf> {
    let paths = golden_paths("traces");
    assert_eq!(paths.len(), 60, "3 activations, 5 optimizers, with and without weight decay, in 2 precisions");
    paths
}

impl TraceFile {
    /// Reads a golden trace in single precision, with momentum.
    fn example() -> Self {
        Self::golden("relu-momentum-f32.safetensors")
    }

    fn golden(name: &str) -> Self {
        Self::read(golden().iter().find(|path| path.ends_with(name)).unwrap())
    }

    /// Returns the network before the first step, with the given activation.
    fn network(&self, activation: Activation) -> ReferenceMlp<f64> {
        let layer = |name: &str| Layer {
            weight: self.matrix(&format!("initial.{name}.weight")).reversed_axes().as_standard_layout().into_owned(),
            bias: Array1::from_vec(self.values(&format!("initial.{name}.bias"))),
        };
        let parameters = Parameters::from_layers(["layer1", "layer2", "output_layer"].map(layer).into()).unwrap();
        ReferenceMlp::new(&MlpConfig::new(7, &[9, 8], 4, activation).unwrap(), parameters).unwrap()
    }

    fn batch(&self, number: usize) -> Batch<f64> {
        let labels = self.tensors[&format!("batch.{number}.labels")].2.as_chunks().0.iter();
        let labels = labels.map(|&label| i64::from_le_bytes(label) as usize).collect();
        Batch::new(self.matrix(&format!("batch.{number}.images")), labels).unwrap()
    }

    /// Replaces the training steps by those that the reference takes with this optimizer. `learning_rate` gives the
    /// learning rate of each step, counted from 0.
    fn train(&mut self, optimizer: &Optimizer, learning_rate: impl Fn(usize) -> f64) {
        let mut network = self.network(Activation::Relu);
        network.set_optimizer(optimizer).unwrap();
        for step in 0..5 {
            let loss = network.step(&self.batch(step), learning_rate(step)).unwrap();
            self.set(&format!("step.{step}.loss"), &[loss]);
            for (name, values) in network.parameters().tensors() {
                self.set(&format!("step.{step}.{name}"), &values.t().iter().copied().collect::<Vec<_>>());
            }
        }
    }

    fn matrix(&self, name: &str) -> Array2<f64> {
        let shape = &self.tensors[name].1;
        Array2::from_shape_vec([shape[0], shape[1]], self.values(name)).unwrap()
    }
}

#[test]
fn golden_traces_agree_with_all_candidates() {
    let candidates = support::all_candidates();
    for path in golden() {
        let trace = Trace::load(&path).unwrap();
        assert_eq!(trace.missing(), Vec::<String>::new());
        let suite = trace.check(&candidates).unwrap();
        assert_eq!(suite.verdict(), Verdict::Agree, "{}: {}", path.display(), suite.reason());
        let on_trace = suite.reports[0].checks.len();
        assert!(suite.reason().contains(&format!("({on_trace} of them on the trace)")), "{}", suite.reason());
    }
}

#[test]
fn trace_check_names_gradient_with_small_error() {
    for path in golden() {
        let file = TraceFile::read(&path);
        for name in file.tensors.keys().filter(|name| name.starts_with("gradient.")) {
            let mut values = file.values(name);
            let largest = values.iter_mut().max_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap();
            *largest *= 1.0001;
            let mut wrong = file.clone();
            wrong.set(name, &values);
            let suite = wrong.trace().unwrap().check(&[]).unwrap();
            let check = suite
                .first_failure()
                .unwrap_or_else(|| panic!("{}: the error in {name} was not detected", path.display()));
            assert_eq!((check.stage, format!("gradient.{}", check.tensor)), (Stage::Gradients, name.clone()));
        }
    }
}

#[test]
fn trace_check_detects_tanh_derivative_as_printed() {
    for path in golden().into_iter().filter(|path| path.to_string_lossy().contains("/tanh-")) {
        let mut file = TraceFile::read(&path);
        let network = file.network(Activation::Tanh);
        let mut specification = network.specification().clone();
        specification.deviations.derivatives.extend([0, 1].map(|layer| (layer, DerivativeForm::AtActivation)));
        let network = ReferenceMlp::with_specification(specification, network.parameters().clone()).unwrap();
        let (_, gradients) = network.loss_and_gradients(&file.batch(0)).unwrap();
        for (name, values) in gradients.tensors() {
            file.set(&format!("gradient.{name}"), &values.t().iter().copied().collect::<Vec<_>>());
        }
        let suite = file.trace().unwrap().check(&[]).unwrap();
        let check = suite.first_failure().unwrap();
        assert_eq!((check.stage, check.tensor.as_str()), (Stage::Gradients, "layer2.bias"), "{}", path.display());
    }
}

/// A program that computes in single precision may also store Adam's hyper-parameters and compute its bias corrections
/// in single precision. In a trace in double precision, doing so is an error.
#[test]
fn trace_check_allows_f32_hyper_parameters_only_in_f32_trace() {
    const BETAS: [f64; 2] = [0.9, 0.999];
    const EPSILON: f64 = 1e-8;
    let adam = |[beta1, beta2]: [f64; 2], epsilon| Optimizer::Adam { beta1, beta2, epsilon, weight_decay: 0.0 };
    let check = |file: &TraceFile| file.trace().unwrap().check(&[]).unwrap();

    let mut single = TraceFile::golden("relu-adam-f32.safetensors");
    let correction = |step: usize, bias_correction: fn(f64, i32) -> f64| {
        let [first, second] = BETAS.map(|beta| bias_correction(beta, step as i32 + 1));
        second.sqrt() / first
    };
    let in_single = |beta: f64, step: i32| f64::from(1.0 - (beta as f32).powi(step));
    let factor = |step| correction(step, in_single) / correction(step, |beta, step| 1.0 - beta.powi(step));
    assert!(f64::abs(factor(0) - 1.0) > 5e-6);
    single.train(&adam(BETAS, EPSILON), |step| 0.01 * factor(step));
    assert_eq!(check(&single).verdict(), Verdict::Agree, "{}", check(&single).reason());

    let mut double = TraceFile::golden("relu-adam-f64.safetensors");
    double.train(&adam(BETAS, EPSILON), |_| 0.01);
    assert_eq!(check(&double).verdict(), Verdict::Agree, "{}", check(&double).reason());
    let rounded = |value: f64| f64::from(value as f32);
    double.train(&adam(BETAS.map(rounded), rounded(EPSILON)), |_| 0.01);
    let suite = check(&double);
    let failure = suite.first_failure().unwrap();
    assert_eq!((failure.stage, failure.step), (Stage::Trajectory, Some(0)), "{failure}");
}

#[test]
fn trace_lists_missing_tensors_and_skips_their_checks() {
    let mut file = TraceFile::example();
    let removed = ["gradient.layer1", "logits", "step.1.loss", "step.3.", "step.4."];
    file.tensors.retain(|name, _| !removed.iter().any(|prefix| name.starts_with(prefix)));
    let trace = file.trace().unwrap();
    let missing = trace.missing();
    assert_eq!(missing.len(), 3 + 1 + 2 * 7, "{missing:?}");
    assert!(missing.contains(&"gradient.layer1.bias".to_owned()) && missing.contains(&"step.1.loss".to_owned()));
    assert_eq!(trace.check(&[support::scratch()]).unwrap().verdict(), Verdict::Agree);
}

#[test]
fn recorded_trace_survives_round_trip_and_agrees() {
    let (config, parameters) = support::network(&[20, 12], Activation::Sigmoid);
    let optimizer = NamedOptimizer {
        name: "adam".to_owned(),
        optimizer: Optimizer::adam().with_weight_decay(1e-4),
        learning_rate: 0.01,
    };
    let case = Case::new(config, parameters, &support::dataset(200), 16, 0, vec![optimizer]).unwrap();
    for candidate in support::all_candidates() {
        let trace = Trace::record(&case, &candidate, 3).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let [first, second] = ["first", "second"].map(|name| folder.path().join(name));
        trace.save(&first).unwrap();
        Trace::load(&first).unwrap().save(&second).unwrap();
        assert_eq!(
            std::fs::read(&first).unwrap(),
            std::fs::read(&second).unwrap(),
            "the trace changed when it was read and written again"
        );
        assert_eq!(Trace::load(&first).unwrap(), trace);
        let suite = trace.check(&[support::scratch()]).unwrap();
        assert_eq!(suite.verdict(), Verdict::Agree, "{}", suite.reason());
    }
}

#[test]
fn trace_is_written_at_full_precision() {
    for path in golden() {
        let trace = Trace::load(&path).unwrap();
        let written = trace.to_bytes().unwrap();
        assert_eq!(Trace::from_bytes(&written, "written").unwrap(), trace, "{}", path.display());
    }
}

#[test]
fn trace_producer_may_be_any_string() {
    let mut trace = TraceFile::example().trace().unwrap();
    for producer in ["", "}", r#"{"a": "}"}, "#, "\u{0}\u{1f}é"] {
        trace.producer = producer.to_owned();
        assert_eq!(Trace::from_bytes(&trace.to_bytes().unwrap(), "written").unwrap(), trace);
    }
}

#[test]
fn trace_without_steps_survives_round_trip_and_agrees() {
    let (config, parameters) = support::network(&[4], Activation::Relu);
    let optimizer = NamedOptimizer { name: "sgd".to_owned(), optimizer: Optimizer::sgd(), learning_rate: 0.01 };
    let case = Case::new(config, parameters, &support::dataset(20), 16, 0, vec![optimizer]).unwrap();
    let trace = Trace::record(&case, &support::scratch(), 0).unwrap();
    assert_eq!(Trace::from_bytes(&trace.to_bytes().unwrap(), "written").unwrap(), trace);
    let steps: Vec<String> = trace.missing().into_iter().filter(|name| name.starts_with("step.")).collect();
    assert_eq!(steps.len(), 4, "the four parameters of step 0 must be missing: {steps:?}");
    assert_eq!(trace.check(&[support::scratch()]).unwrap().verdict(), Verdict::Agree);
}

/// Asserts that a golden trace is rejected after `change`, with a message that contains `expected`.
fn assert_rejected(change: impl Fn(&mut TraceFile), expected: &str) {
    let mut file = TraceFile::example();
    change(&mut file);
    let message = file.trace().unwrap_err().to_string();
    assert!(message.contains(expected), "expected '{expected}' in: {message}");
}

#[test]
fn trace_reader_rejects_invalid_metadata() {
    let set = |key: &'static str, value: &'static str| {
        move |file: &mut TraceFile| {
            file.metadata.insert(key.to_owned(), value.to_owned());
        }
    };
    let take = |key: &'static str| {
        move |file: &mut TraceFile| {
            file.metadata.remove(key);
        }
    };
    assert_rejected(set("format", "mlp-parity-trace/3"), "'format' is 'mlp-parity-trace/3'; this version reads");
    assert_rejected(set("loss_function", "squared-error"), "'loss_function' needs the format 'mlp-parity-trace/2'");
    assert_rejected(take("format"), "'format' is missing");
    assert_rejected(
        set("optimiser", "sgd"),
        "'optimiser' is neither a tensor nor a metadata key; did you mean 'optimizer'?",
    );
    assert_rejected(set("lr", "0.1"), "'lr' is neither a tensor nor a metadata key; did you mean 'learning_rate'?");
    assert_rejected(set("epochs", "3"), "'epochs' is neither a tensor nor a metadata key; tensors are");
    assert_rejected(set("optimizer", "lion"), "'optimizer' is 'lion'; expected one of: sgd, momentum, adam, adamw");
    assert_rejected(set("optimizer", "momentum 0.9"), "'momentum 0.9'; expected one of");
    assert_rejected(take("learning_rate"), "'learning_rate' is missing");
    assert_rejected(take("activation"), "'activation' is missing");
    assert_rejected(set("momentum", "1.5"), "momentum");
    assert_rejected(set("nesterov", "yes"), "'nesterov' is 'yes'");
    assert_rejected(set("learning_rate", "-1"), "'learning_rate' is '-1'");
    assert_rejected(set("learning_rate", "NaN"), "'learning_rate' is 'NaN'");
    assert_rejected(set("activation", "gelu2"), "unknown activation 'gelu2'");
}

#[test]
fn trace_reader_rejects_invalid_tensors() {
    // Steps after an incomplete one would silently not be compared.
    assert_rejected(|file| file.tensors.retain(|name, _| !name.starts_with("step.2.")), "step.2 lacks parameters");
    assert_rejected(|file| drop(file.tensors.remove("step.0.layer2.bias")), "step.0 lacks parameters");
    let rename = |from: &'static str, to: &'static str| {
        move |file: &mut TraceFile| {
            let tensor = file.tensors.remove(from).unwrap();
            file.tensors.insert(to.to_owned(), tensor);
        }
    };
    assert_rejected(rename("logits", "logit"), "unknown tensors: logit");
    assert_rejected(rename("batch.1.images", "batch.9.images"), "unknown tensors: batch.");
    assert_rejected(rename("batch.0.images", "batch.8.images"), "batch.0.images is missing");
    assert_rejected(rename("batch.0.labels", "batch.8.labels"), "batch.0.labels is missing");
    assert_rejected(rename("initial.layer2.weight", "initial.layer3.weight"), "initial.layer2.bias has no weight");
    assert_rejected(rename("gradient.layer1.bias", "gradient.layer9.bias"), "unknown tensors: gradient.layer9.bias");
    let shape = |name: &'static str, shape: &'static [usize]| {
        move |file: &mut TraceFile| {
            let size = shape.iter().product::<usize>() * 4;
            file.tensors.insert(name.to_owned(), (Dtype::F32, shape.to_vec(), vec![0; size]));
        }
    };
    assert_rejected(shape("initial.layer2.weight", &[8, 5]), "layer2.weight");
    assert_rejected(
        shape("gradient.layer2.weight", &[9, 8]),
        "gradient.layer2.weight has shape [9, 8], but initial.layer2.weight has",
    );
    assert_rejected(shape("batch.0.images", &[8, 3]), "do not form a network for images of 3 values");
    assert_rejected(shape("batch.0.images", &[2, 7]), "batch.0");
    assert_rejected(shape("logits", &[3, 4]), "logits has shape [3, 4]");
    assert_rejected(shape("loss", &[2]), "loss has shape [2]");
    assert_rejected(shape("gradient.layer1.weight", &[62]), "shape [62]; expected two dimensions");
    assert_rejected(shape("gradient.layer1.bias", &[3, 3]), "shape [3, 3]; expected [9]");
    assert_rejected(shape("gradient.layer1.bias", &[]), "shape []; expected [9]: sum δ over the images only");
    assert_rejected(rename("gradient.layer1.bias", "gradient.layer1.scale"), "unknown tensors: gradient.layer1.scale");
    let labels = |label: i64| {
        move |file: &mut TraceFile| {
            file.tensors.get_mut("batch.1.labels").unwrap().2[..8].copy_from_slice(&label.to_le_bytes());
        }
    };
    assert_rejected(labels(4), "batch.1.labels contains 4");
    assert_rejected(labels(-1), "batch.1.labels contains -1");
    assert_rejected(|file| file.set("initial.layer1.bias", &[f64::NAN; 9]), "initial.layer1.bias contains NaN");
    assert_rejected(|file| file.set("batch.3.images", &[f64::INFINITY; 56]), "batch.3.images contains inf");
    let dtype = |dtype: Dtype, size: usize| {
        move |file: &mut TraceFile| {
            file.tensors.insert("loss".to_owned(), (dtype, vec![1], vec![0; size]));
        }
    };
    assert_rejected(dtype(Dtype::F8_E5M2, 1), "loss has type F8_E5M2; expected F64");
}

#[test]
fn trace_reader_rejects_truncated_file() {
    let bytes = TraceFile::example().to_bytes();
    for length in (1..bytes.len()).step_by(61) {
        let message = Trace::from_bytes(&bytes[..length], "cut.safetensors").unwrap_err().to_string();
        assert!(message.contains("cut.safetensors") && message.contains("truncated"), "{message}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Reading a damaged file returns an error or a trace, and allocates less memory than 40 times the size of the
    /// file.
    #[test]
    fn trace_reader_survives_damaged_bytes(place in 0_usize..20_000, value: u8, second in 0_usize..20_000) {
        let mut bytes = TraceFile::example().to_bytes();
        let length = bytes.len();
        bytes[place % length] = value;
        bytes[second % length] ^= value;
        let used = allocation_counter::measure(|| drop(Trace::from_bytes(&bytes, "damaged")));
        prop_assert!(used.bytes_max < 40 * length as u64, "allocated {} bytes to read {length} bytes", used.bytes_max);
    }

    #[test]
    fn file_readers_reject_random_bytes(bytes: Vec<u8>) {
        prop_assert!(Trace::from_bytes(&bytes, "noise").is_err());
        prop_assert!(mlp_parity::ParameterFile::<f32>::from_bytes(&bytes, "noise").is_err());
    }
}
