//! Traces of other programs: right ones agree, wrong ones are told where, broken ones are refused.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use mlp_parity::{Activation, Batch, Layer, MlpConfig, Optimizer, Parameters, SafetensorsFile};
use mlp_parity_compare::Verdict;
use mlp_parity_compare::check::{Stage, Trace};
use mlp_parity_scratch::ReferenceMlp;
use ndarray::{Array1, Array2};
use proptest::prelude::*;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

fn golden() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/traces");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert_eq!(paths.len(), 60, "3 activations, 5 rules, with and without decay, in both precisions");
    paths
}

/// A trace file, taken apart.
#[derive(Clone)]
struct File {
    metadata: HashMap<String, String>,
    tensors: BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>,
}

impl File {
    fn read(path: &Path) -> Self {
        let bytes = std::fs::read(path).unwrap();
        let metadata = SafeTensors::read_metadata(&bytes).unwrap().1.metadata().clone().unwrap();
        let tensors = SafeTensors::deserialize(&bytes).unwrap().tensors();
        let tensors =
            tensors.into_iter().map(|(name, view)| (name, (view.dtype(), view.shape().to_vec(), view.data().to_vec())));
        Self { metadata, tensors: tensors.collect() }
    }

    /// One in single precision, with momentum.
    fn any() -> Self {
        Self::golden("relu-momentum-f32.safetensors")
    }

    fn bytes(&self) -> Vec<u8> {
        let views = self
            .tensors
            .iter()
            .map(|(name, (dtype, shape, bytes))| (name, TensorView::new(*dtype, shape.clone(), bytes).unwrap()));
        safetensors::serialize(views, Some(self.metadata.clone())).unwrap()
    }

    fn trace(&self) -> mlp_parity::Result<Trace> {
        Trace::from_bytes(&self.bytes(), "a trace")
    }

    fn values(&self, name: &str) -> Vec<f64> {
        let (dtype, _, bytes) = &self.tensors[name];
        match dtype {
            Dtype::F32 => bytes.as_chunks().0.iter().map(|&value| f64::from(f32::from_le_bytes(value))).collect(),
            _ => bytes.as_chunks().0.iter().map(|&value| f64::from_le_bytes(value)).collect(),
        }
    }

    fn set(&mut self, name: &str, values: &[f64]) {
        let (dtype, _, bytes) = self.tensors.get_mut(name).unwrap();
        *bytes = match dtype {
            Dtype::F32 => values.iter().flat_map(|&value| (value as f32).to_le_bytes()).collect(),
            _ => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        };
    }

    fn golden(name: &str) -> Self {
        Self::read(golden().iter().find(|path| path.ends_with(name)).unwrap())
    }

    /// The initial network, with this activation.
    fn network(&self, activation: Activation) -> ReferenceMlp<f64> {
        let layer = |name: &str| Layer {
            weight: self.matrix(&format!("initial.{name}.weight")).reversed_axes().as_standard_layout().into_owned(),
            bias: Array1::from_vec(self.values(&format!("initial.{name}.bias"))),
        };
        let parameters = Parameters::from_layers(["layer1", "layer2", "output_layer"].map(layer).into()).unwrap();
        ReferenceMlp::new(MlpConfig::new(7, &[9, 8], 4, activation).unwrap(), parameters).unwrap()
    }

    fn batch(&self, number: usize) -> Batch<f64> {
        let labels = self.tensors[&format!("batch.{number}.labels")].2.as_chunks().0.iter();
        let labels = labels.map(|&label| i64::from_le_bytes(label) as usize).collect();
        Batch::new(self.matrix(&format!("batch.{number}.images")), labels).unwrap()
    }

    /// The steps as they are with this rule and these learning rates.
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
fn every_golden_trace_agrees_on_every_backend() {
    let everyone = support::everyone();
    for path in golden() {
        let trace = Trace::load(&path).unwrap();
        assert_eq!(trace.missing(), Vec::<String>::new());
        let suite = trace.check(&everyone).unwrap();
        assert_eq!(suite.verdict(), Verdict::Agree, "{}: {}", path.display(), suite.reason());
        let own = suite.reports[0].checks.len();
        assert!(suite.reason().contains(&format!("({own} of them on the trace)")), "{}", suite.reason());
    }
}

#[test]
fn a_gradient_that_is_off_by_one_in_ten_thousand_is_named() {
    for path in golden() {
        let file = File::read(&path);
        for name in file.tensors.keys().filter(|name| name.starts_with("gradient.")) {
            let mut values = file.values(name);
            let largest = values.iter_mut().max_by(|left, right| left.abs().total_cmp(&right.abs())).unwrap();
            *largest *= 1.0001;
            let mut wrong = file.clone();
            wrong.set(name, &values);
            let suite = wrong.trace().unwrap().check(&[]).unwrap();
            let check = suite.first_failure().unwrap_or_else(|| panic!("{}: {name} was not found", path.display()));
            assert_eq!((check.stage, format!("gradient.{}", check.tensor)), (Stage::Gradients, name.clone()));
        }
    }
}

#[test]
fn the_derivative_as_printed_is_found_in_a_trace() {
    for path in golden().into_iter().filter(|path| path.to_string_lossy().contains("/tanh-")) {
        let mut file = File::read(&path);
        let (_, gradients) = file.network(Activation::TanhAsPrinted).loss_and_gradients(&file.batch(0)).unwrap();
        for (name, values) in gradients.tensors() {
            file.set(&format!("gradient.{name}"), &values.t().iter().copied().collect::<Vec<_>>());
        }
        let suite = file.trace().unwrap().check(&[]).unwrap();
        let check = suite.first_failure().unwrap();
        assert_eq!((check.stage, check.tensor.as_str()), (Stage::Gradients, "layer2.bias"), "{}", path.display());
    }
}

/// Single precision may hold the constants of a rule too, and compute its corrections. In double precision that is wrong.
#[test]
fn hyper_parameters_may_be_kept_in_single_precision_by_who_computes_in_it() {
    const BETAS: [f64; 2] = [0.9, 0.999];
    const EPSILON: f64 = 1e-8;
    let adam = |[beta1, beta2]: [f64; 2], epsilon| Optimizer::Adam { beta1, beta2, epsilon, weight_decay: 0.0 };
    let check = |file: &File| file.trace().unwrap().check(&[]).unwrap();

    let mut single = File::golden("relu-adam-f32.safetensors");
    let correction = |step: usize, of: fn(f64, i32) -> f64| {
        let [first, second] = BETAS.map(|beta| of(beta, step as i32 + 1));
        second.sqrt() / first
    };
    let in_single = |beta: f64, step: i32| f64::from(1.0 - (beta as f32).powi(step));
    let factor = |step| correction(step, in_single) / correction(step, |beta, step| 1.0 - beta.powi(step));
    assert!(f64::abs(factor(0) - 1.0) > 5e-6);
    single.train(&adam(BETAS, EPSILON), |step| 0.01 * factor(step));
    assert_eq!(check(&single).verdict(), Verdict::Agree, "{}", check(&single).reason());

    let mut double = File::golden("relu-adam-f64.safetensors");
    double.train(&adam(BETAS, EPSILON), |_| 0.01);
    assert_eq!(check(&double).verdict(), Verdict::Agree, "{}", check(&double).reason());
    let kept = |value: f64| f64::from(value as f32);
    double.train(&adam(BETAS.map(kept), kept(EPSILON)), |_| 0.01);
    let suite = check(&double);
    let failure = suite.first_failure().unwrap();
    assert_eq!((failure.stage, failure.step), (Stage::Trajectory, Some(0)), "{failure}");
}

#[test]
fn what_is_missing_is_said_and_not_compared() {
    let mut file = File::any();
    let gone = ["gradient.layer1", "logits", "step.1.loss", "step.3.", "step.4."];
    file.tensors.retain(|name, _| !gone.iter().any(|gone| name.starts_with(gone)));
    let trace = file.trace().unwrap();
    let missing = trace.missing();
    assert_eq!(missing.len(), 3 + 1 + 2 * 7, "{missing:?}");
    assert!(missing.contains(&"gradient.layer1.bias".to_owned()) && missing.contains(&"step.1.loss".to_owned()));
    assert_eq!(trace.check(&[support::scratch()]).unwrap().verdict(), Verdict::Agree);
}

#[test]
fn a_trace_that_is_written_reads_back_the_same_and_agrees() {
    let (config, parameters) = support::network(&[20, 12], Activation::Sigmoid);
    let trainings = [mlp_parity::Optimizer::adam().with_weight_decay(1e-4)].map(|optimizer| {
        mlp_parity_compare::check::NamedOptimizer { name: "adam".to_owned(), optimizer, learning_rate: 0.01 }
    });
    let case =
        mlp_parity_compare::check::Case::new(config, parameters, &support::dataset(200), 16, 0, trainings.into())
            .unwrap();
    for candidate in support::everyone() {
        let trace = Trace::record(&case, &candidate, 3).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let [first, second] = ["first", "second"].map(|name| folder.path().join(name));
        trace.save(&first).unwrap();
        Trace::load(&first).unwrap().save(&second).unwrap();
        assert_eq!(std::fs::read(&first).unwrap(), std::fs::read(&second).unwrap(), "the same bytes");
        assert_eq!(Trace::load(&first).unwrap(), trace);
        let suite = trace.check(&[support::scratch()]).unwrap();
        assert_eq!(suite.verdict(), Verdict::Agree, "{}", suite.reason());
    }
}

#[test]
fn a_trace_is_written_in_its_own_precision() {
    for path in golden() {
        let trace = Trace::load(&path).unwrap();
        let written = trace.to_bytes().unwrap();
        assert_eq!(Trace::from_bytes(&written, "written").unwrap(), trace, "{}", path.display());
    }
}

#[test]
fn a_producer_may_have_any_name() {
    let mut trace = File::any().trace().unwrap();
    for producer in ["", "}", r#"{"a": "}"}, "#, "\u{0}\u{1f}é"] {
        trace.producer = producer.to_owned();
        assert_eq!(Trace::from_bytes(&trace.to_bytes().unwrap(), "written").unwrap(), trace);
    }
}

#[test]
fn a_trace_without_steps_reads_back_the_same_and_agrees() {
    let (config, parameters) = support::network(&[4], Activation::Relu);
    let training = mlp_parity_compare::check::NamedOptimizer {
        name: "sgd".to_owned(),
        optimizer: mlp_parity::Optimizer::sgd(),
        learning_rate: 0.01,
    };
    let case =
        mlp_parity_compare::check::Case::new(config, parameters, &support::dataset(20), 16, 0, vec![training]).unwrap();
    let trace = Trace::record(&case, &support::scratch(), 0).unwrap();
    assert_eq!(Trace::from_bytes(&trace.to_bytes().unwrap(), "written").unwrap(), trace);
    let steps: Vec<String> = trace.missing().into_iter().filter(|name| name.starts_with("step.")).collect();
    assert_eq!(steps.len(), 5, "the loss before step 0 and the parameters after it: {steps:?}");
    assert_eq!(trace.check(&[support::scratch()]).unwrap().verdict(), Verdict::Agree);
}

/// Changes a trace, and expects this in the reason for which it is refused.
fn refused(change: impl Fn(&mut File), expected: &str) {
    let mut file = File::any();
    change(&mut file);
    let message = file.trace().unwrap_err().to_string();
    assert!(message.contains(expected), "expected '{expected}' in: {message}");
}

#[test]
fn trace_reader_rejects_unusable_metadata() {
    let set = |key: &'static str, value: &'static str| {
        move |file: &mut File| {
            file.metadata.insert(key.to_owned(), value.to_owned());
        }
    };
    let take = |key: &'static str| {
        move |file: &mut File| {
            file.metadata.remove(key);
        }
    };
    refused(set("format", "mlp-parity-trace/2"), "format is 'mlp-parity-trace/2'");
    refused(take("format"), "no 'format'");
    refused(set("optimiser", "sgd"), "unknown metadata 'optimiser'");
    refused(
        set("optimizer", "lion"),
        "metadata optimizer: unknown optimizer 'lion'; expected one of: sgd, momentum, adam, adamw",
    );
    refused(set("optimizer", "momentum 0.9"), "'momentum 0.9'; expected one of");
    refused(take("momentum"), "no 'momentum'");
    refused(set("momentum", "1.5"), "momentum");
    refused(set("nesterov", "yes"), "'nesterov' is 'yes'");
    refused(set("learning_rate", "-1"), "'learning_rate' is '-1'");
    refused(set("learning_rate", "NaN"), "'learning_rate' is 'NaN'");
    refused(set("activation", "gelu"), "no 'gelu'");
    refused(set("activation", "tanh-as-printed"), "tanh-as-printed");
}

#[test]
fn trace_reader_rejects_unusable_tensors() {
    // Later steps would not be compared.
    refused(|file| file.tensors.retain(|name, _| !name.starts_with("step.2.")), "steps after step.2");
    refused(|file| drop(file.tensors.remove("step.0.layer2.bias")), "steps after step.0");
    let rename = |from: &'static str, to: &'static str| {
        move |file: &mut File| {
            let tensor = file.tensors.remove(from).unwrap();
            file.tensors.insert(to.to_owned(), tensor);
        }
    };
    refused(rename("logits", "logit"), "unknown tensor 'logit'");
    refused(rename("batch.1.images", "batch.9.images"), "unknown tensor 'batch.");
    refused(rename("batch.0.images", "batch.8.images"), "batch.0.images is missing");
    refused(rename("batch.0.labels", "batch.8.labels"), "batch.0.labels is missing");
    refused(rename("initial.layer2.weight", "initial.layer3.weight"), "initial.*");
    refused(rename("gradient.layer1.bias", "gradient.layer9.bias"), "no 'layer9.bias'");
    let shape = |name: &'static str, shape: &'static [usize]| {
        move |file: &mut File| {
            let size = shape.iter().product::<usize>() * 4;
            file.tensors.insert(name.to_owned(), (Dtype::F32, shape.to_vec(), vec![0; size]));
        }
    };
    refused(shape("initial.layer2.weight", &[8, 5]), "layer2.weight");
    refused(shape("gradient.layer2.weight", &[9, 8]), "gradient: layer2.weight has shape [9, 8]");
    refused(shape("batch.0.images", &[8, 3]), "batch.0");
    refused(shape("batch.0.images", &[2, 7]), "batch.0");
    refused(shape("logits", &[3, 4]), "logits has shape [3, 4]");
    refused(shape("loss", &[2]), "loss has shape [2]");
    refused(shape("loss", &[1, 1]), "loss has shape [1, 1]");
    refused(shape("gradient.layer1.weight", &[63]), "shape ([63]) than its name tells");
    refused(shape("gradient.layer1.bias", &[9, 1]), "shape ([9, 1]) than its name tells");
    refused(rename("gradient.layer1.bias", "gradient.layer1.scale"), "unknown tensor 'gradient.layer1.scale'");
    let labels = |label: i64| {
        move |file: &mut File| {
            file.tensors.get_mut("batch.1.labels").unwrap().2[..8].copy_from_slice(&label.to_le_bytes());
        }
    };
    refused(labels(4), "batch.1.labels has 4");
    refused(labels(-1), "batch.1.labels has -1");
    refused(|file| file.set("logits", &[f64::NAN; 32]), "logits has the value NaN");
    refused(|file| file.set("step.3.layer1.bias", &[f64::INFINITY; 9]), "step.3.layer1.bias has the value inf");
    let dtype = |dtype: Dtype, size: usize| {
        move |file: &mut File| {
            file.tensors.insert("loss".to_owned(), (dtype, vec![1], vec![0; size]));
        }
    };
    refused(dtype(Dtype::F16, 2), "loss is F16");
    refused(dtype(Dtype::F64, 8), "one precision");
}

#[test]
fn a_truncated_trace_is_refused_wherever_it_is_cut() {
    let bytes = File::any().bytes();
    for length in (0..bytes.len()).step_by(61) {
        let message = Trace::from_bytes(&bytes[..length], "cut.safetensors").unwrap_err().to_string();
        assert!(message.contains("cut.safetensors") && message.contains("truncated"), "{message}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever the bytes are: an error or a trace, and never more memory than some times the file.
    #[test]
    fn damaged_bytes_never_panic(place in 0_usize..20_000, value: u8, second in 0_usize..20_000) {
        let mut bytes = File::any().bytes();
        let length = bytes.len();
        bytes[place % length] = value;
        bytes[second % length] ^= value;
        let used = allocation_counter::measure(|| drop(Trace::from_bytes(&bytes, "damaged")));
        prop_assert!(used.bytes_max < 40 * length as u64, "{} bytes for {length}", used.bytes_max);
    }

    #[test]
    fn noise_never_panics(bytes: Vec<u8>) {
        prop_assert!(Trace::from_bytes(&bytes, "noise").is_err());
        prop_assert!(mlp_parity::ParameterFile::<f32>::from_bytes(&bytes, "noise").is_err());
    }
}
