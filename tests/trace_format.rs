//! Tests of trace format 2: the same trace in every form in which people have it.

use std::path::Path;

use mlp_parity::SafetensorsFile;
use mlp_parity_compare::Verdict;
use mlp_parity_compare::check::{Stage, Trace};
use safetensors::Dtype;

use crate::trace_file::{TraceFile, golden_paths};

impl TraceFile {
    /// Reads the trace of a concept in double precision.
    fn concept(name: &str) -> Self {
        Self::read(
            &golden_paths("concepts")
                .into_iter()
                .find(|path| path.ends_with(format!("{name}-f64.safetensors")))
                .unwrap(),
        )
    }

    /// Checks the trace, and returns the stage and tensor of the first failure; `None` if it agrees.
    fn failure(&self) -> Option<(Stage, String)> {
        let suite = self.trace().unwrap().check(&[]).unwrap();
        suite.first_failure().map(|check| (check.stage, check.tensor.clone()))
    }

    fn assert_agrees(&self, assumptions: &[&str]) {
        let trace = self.trace().unwrap();
        let suite = trace.check(&[]).unwrap();
        assert_eq!(suite.verdict(), Verdict::Agree, "{}", suite.reason());
        assert_eq!(trace.assumptions(), assumptions);
    }

    fn assert_rejected(&self, expected: &str) {
        let message = self.trace().unwrap_err().to_string();
        assert!(message.contains(expected), "expected '{expected}' in: {message}");
    }

    fn with(mut self, key: &str, value: &str) -> Self {
        self.metadata.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Replaces a tensor by one in double precision.
    fn replace(&mut self, name: &str, shape: &[usize], values: &[f64]) {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.tensors.insert(name.to_owned(), (Dtype::F64, shape.to_vec(), bytes));
    }

    /// Rewrites every tensor whose name ends with `suffix` by `change`, a function of its shape and its values.
    fn rewrite(mut self, suffix: &str, change: impl Fn(&[usize], &[f64]) -> (Vec<usize>, Vec<f64>)) -> Self {
        let names: Vec<String> = self.tensors.keys().filter(|name| name.ends_with(suffix)).cloned().collect();
        assert!(!names.is_empty(), "no tensor ends with {suffix}");
        for name in names {
            let (shape, values) = change(&self.tensors[&name].1.clone(), &self.values(&name));
            self.replace(&name, &shape, &values);
        }
        self
    }
}

/// A function of the shape and the values of a tensor.
type Change = fn(&[usize], &[f64]) -> (Vec<usize>, Vec<f64>);

/// Transposes a matrix.
fn transposed(shape: &[usize], values: &[f64]) -> (Vec<usize>, Vec<f64>) {
    let &[rows, columns] = shape else { panic!("not a matrix") };
    let transposed = (0..columns).flat_map(|column| (0..rows).map(move |row| values[row * columns + column]));
    (vec![columns, rows], transposed.collect())
}

#[test]
fn golden_traces_of_every_concept_agree() {
    let paths = golden_paths("concepts");
    assert!(paths.len() > 150);
    for path in paths {
        let suite = Trace::load(&path).unwrap().check(&[]).unwrap();
        assert_eq!(suite.verdict(), Verdict::Agree, "{}: {}", path.display(), suite.reason());
    }
}

#[test]
fn trace_with_one_wrong_element_disagrees() {
    for path in golden_paths("concepts") {
        // The functions of PyTorch and JAX are accurate; the default bounds allow for less accurate formulas.
        let file = TraceFile::read(&path).with("functions", "accurate");
        assert_eq!(file.failure(), None, "{}", path.display());
        for name in file.tensors.keys().filter(|name| !name.starts_with("initial.") && !name.starts_with("batch.")) {
            let mut values = file.values(name);
            let largest = values.iter_mut().max_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap();
            // Sums that nearly cancel are known in single precision to an absolute error only.
            *largest += 1e-4 * largest.abs().max(0.1);
            let mut wrong = file.clone();
            wrong.set(name, &values);
            assert!(wrong.failure().is_some(), "{}: the error in {name} was not detected", path.display());
        }
    }
}

/// A convention that is not declared is a disagreement.
#[test]
fn trace_without_its_convention_disagrees() {
    for (concept, key) in [
        ("squared-error-linear", "loss_function"),
        ("squared-error-sigmoid", "output"),
        ("squared-error-linear-half", "loss_factor"),
        ("squared-error-sum", "reduction"),
        ("binary-cross-entropy", "loss_function"),
        ("label-smoothing", "label_smoothing"),
        ("log-epsilon", "log_epsilon"),
        ("log-epsilon-in-gradient", "log_in_gradient"),
        ("weight-decay-weights-only", "weight_decay_on"),
        ("weight-decay-per-image", "weight_decay_per_image"),
        ("weight-decay-in-reported-loss", "weight_decay_in_loss"),
        ("weight-decay-decoupled-momentum", "weight_decay_form"),
        ("adam-before-correction", "epsilon_placement"),
        ("adam-amsgrad", "amsgrad"),
        ("momentum-average", "momentum_form"),
        ("momentum-dampening", "dampening"),
        ("clip-norm", "clip_norm"),
        ("clip-value", "clip_value"),
        ("rmsprop-inside-root", "epsilon_placement"),
    ] {
        let mut file = TraceFile::concept(concept);
        assert!(file.metadata.remove(key).is_some(), "{concept} has no {key}");
        assert!(file.failure().is_some(), "{concept} agrees without {key}");
    }
}

#[test]
fn containers_hold_equal_traces() {
    let [expected, others @ ..] = &golden_paths("containers")
        .iter()
        .map(|path| {
            let mut trace = Trace::load(path).unwrap();
            trace.producer.clear();
            trace.to_bytes().unwrap()
        })
        .collect::<Vec<_>>()[..]
    else {
        panic!("no containers")
    };
    assert_eq!(others.len(), 2, "an npz file, a compressed one with other types and orders of axes, and a JSON file");
    // The JSON file was printed with the shortest digits that identify each number.
    assert!(others.iter().all(|other| other == expected));
    let suite = Trace::from_bytes(expected, "container").unwrap().check(&[]).unwrap();
    assert_eq!(suite.verdict(), Verdict::Agree, "{}", suite.reason());
}

/// Runs a program, and returns what it prints; `None` if there is no such program.
fn output(program: &str, arguments: &[&std::ffi::OsStr]) -> Option<Vec<u8>> {
    let output = std::process::Command::new(program).args(arguments).output().ok()?;
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    Some(output.stdout)
}

/// The examples in C, JavaScript and Python. A machine may lack a compiler, Node or NumPy; the variable
/// `MLP_PARITY_EXCHANGE_PYTHON` names a Python with NumPy.
#[test]
fn example_programs_write_traces_that_agree() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/traces");
    let target = tempfile::tempdir().unwrap();
    let [c, js, py] = ["trace.c", "trace.js", "trace.py"].map(|name| folder.join(name));
    let [program, npz] = ["trace", "trace.npz"].map(|name| target.path().join(name));
    let mut traces = Vec::new();
    if output("cc", &["-o".as_ref(), program.as_os_str(), c.as_os_str(), "-lm".as_ref()]).is_some() {
        traces.extend(output(&program.display().to_string(), &[]));
    }
    traces.extend(output("node", &[js.as_os_str()]));
    if let Ok(python) = std::env::var("MLP_PARITY_EXCHANGE_PYTHON") {
        output(&python, &[py.as_os_str(), npz.as_os_str()]).unwrap();
        traces.push(std::fs::read(npz).unwrap());
    }
    assert!(!traces.is_empty() || cfg!(not(unix)), "a C compiler is needed to link this test too");
    for bytes in traces {
        let suite = Trace::from_bytes(&bytes, "example").unwrap().check(&[]).unwrap();
        assert_eq!(suite.verdict(), Verdict::Agree, "{}", suite.reason());
    }
}

#[test]
fn labels_are_read_in_every_form() {
    let file = TraceFile::concept("cross-entropy");
    file.clone().assert_agrees(&[]);
    let labels = |change: Change| file.clone().rewrite(".labels", change);
    labels(|shape, values| (shape.to_vec(), values.to_vec())).assert_agrees(&[]);
    labels(|shape, values| (vec![shape[0], 1], values.to_vec())).assert_agrees(&[]);
    labels(|shape, values| (vec![1, shape[0]], values.to_vec())).assert_agrees(&[]);
    let one_hot = |shape: &[usize], values: &[f64]| {
        let row = |label: &f64| (0..4).map(|class| f64::from(u8::from(f64::from(class) == *label))).collect::<Vec<_>>();
        (vec![shape[0], 4], values.iter().flat_map(row).collect())
    };
    labels(one_hot).assert_agrees(&[]);
    labels(|shape, values| (shape.to_vec(), values.iter().map(|label| label + 1.0).collect()))
        .assert_agrees(&["labels run from 1 to 4"]);
    labels(|shape, values| (shape.to_vec(), values.iter().map(|label| label + 0.5).collect()))
        .assert_rejected("labels must be whole numbers");
    labels(|shape, values| (shape.to_vec(), values.iter().map(|label| label + 4.0).collect()))
        .assert_rejected("4 classes");
    let mut bytes = file.clone();
    for number in 0..3 {
        let name = format!("batch.{number}.labels");
        let values = file.values(&name);
        for (dtype, size) in [(Dtype::U8, 1), (Dtype::I16, 2), (Dtype::I32, 4), (Dtype::U64, 8)] {
            let little_endian = |label: &f64| (*label as u64).to_le_bytes()[..size].to_vec();
            let data = values.iter().flat_map(little_endian).collect();
            bytes.tensors.insert(name.clone(), (dtype, vec![values.len()], data));
            bytes.assert_agrees(&[]);
        }
    }
}

#[test]
fn axes_of_weights_are_recognised_for_all_weights_together() {
    let file = TraceFile::concept("cross-entropy");
    let inputs_first = file.clone().rewrite(".weight", transposed);
    inputs_first.assert_agrees(&["weights are [inputs, outputs]"]);
    inputs_first.clone().with("weights", "inputs_outputs").assert_agrees(&[]);
    inputs_first.with("weights", "outputs-inputs").assert_rejected("do not form a network");
    let one = file.rewrite("initial.output_layer.weight", transposed);
    one.assert_rejected("do not form a network");
    // With square weights, only the metadata can tell; a single transposed weight remains a failure.
    let square = TraceFile::concept("weights-inputs-outputs");
    square.assert_agrees(&[]);
    let turned = square.clone().rewrite("initial.layer2.weight", transposed);
    assert_eq!(turned.failure().unwrap().0, Stage::Logits);
    let mut undeclared = square;
    undeclared.metadata.remove("weights");
    assert_eq!(undeclared.trace().unwrap().assumptions().len(), 1);
    assert!(undeclared.failure().is_some());
}

#[test]
fn biases_and_layer_names_are_read_in_every_form() {
    let file = TraceFile::concept("cross-entropy");
    file.clone().rewrite(".bias", |shape, values| (vec![1, shape[0]], values.to_vec())).assert_agrees(&[]);
    file.clone().rewrite(".bias", |shape, values| (vec![shape[0], 1], values.to_vec())).assert_agrees(&[]);
    TraceFile::concept("no-biases").assert_agrees(&["the network has no biases"]);
    let mut partial = file.clone();
    partial.tensors.remove("initial.layer2.bias");
    partial.assert_rejected("initial.layer2.bias is missing; either every layer has a bias, or none has");
    let mut renamed = file;
    let rename =
        |name: String| name.replace("layer1", "net.0").replace("layer2", "net.2").replace("output_layer", "net.10");
    renamed.tensors = renamed.tensors.into_iter().map(|(name, tensor)| (rename(name), tensor)).collect();
    renamed.assert_agrees(&["the layers are, in this order, net.0, net.2, net.10"]);
}

#[test]
fn networks_beyond_the_limits_are_rejected() {
    let file = TraceFile::concept("cross-entropy");
    let mut deep = file.clone();
    for layer in 0..100 {
        deep.replace(&format!("initial.layer{}.weight", layer + 3), &[1, 1], &[1.0]);
    }
    deep.assert_rejected("the tensors initial.* have 103 layers; at most 101 are allowed");
    let mut empty = file;
    empty.replace("initial.layer2.weight", &[0, 6], &[]);
    empty.assert_rejected("initial.layer2.weight is empty");
}

#[test]
fn non_finite_results_are_failed_checks() {
    let file = TraceFile::concept("cross-entropy");
    for (name, stage) in [
        ("logits", Stage::Logits),
        ("loss", Stage::Loss),
        ("gradient.layer1.bias", Stage::Gradients),
        ("step.1.layer2.weight", Stage::Trajectory),
    ] {
        for value in [f64::NAN, f64::INFINITY] {
            let mut wrong = file.clone();
            let shape = wrong.tensors[name].1.clone();
            wrong.replace(name, &shape, &vec![value; shape.iter().product()]);
            assert_eq!(wrong.failure().unwrap().0, stage, "{name}");
        }
    }
}

#[test]
fn mixed_precisions_are_judged_by_the_coarser() {
    let file = TraceFile::concept("cross-entropy");
    let in_single = |value: &f64| f64::from(*value as f32);
    // Results of single precision in a file of double precision do not agree, unless the file says so.
    let rounded =
        file.clone().rewrite("logits", |shape, values| (shape.to_vec(), values.iter().map(in_single).collect()));
    assert_eq!(rounded.failure(), Some((Stage::Logits, "logits".to_owned())));
    rounded.with("precision", "F32").assert_agrees(&[]);
    let mut mixed = file;
    let values: Vec<u8> = mixed.values("logits").iter().flat_map(|&value| (value as f32).to_le_bytes()).collect();
    let shape = mixed.tensors["logits"].1.clone();
    mixed.tensors.insert("logits".to_owned(), (Dtype::F32, shape, values));
    mixed.assert_agrees(&[]);
}

/// A trace that is written again must not lose digits, whatever its precisions are.
#[test]
fn trace_of_any_precision_survives_round_trip() {
    let file = TraceFile::concept("cross-entropy");
    let declared = file.clone().with("precision", "f32");
    let mut huge = declared.clone();
    huge.replace("loss", &[1], &[1e300]);
    let mut half = file.clone();
    half.tensors.insert("loss".to_owned(), (Dtype::F16, vec![1], vec![0, 0x3c]));
    let mut short = file.clone();
    short.tensors.insert("loss".to_owned(), (Dtype::BF16, vec![1], vec![0x80, 0x3f]));
    let mut undefined = file.clone();
    undefined.replace("loss", &[1], &[f64::NAN]);
    for file in [file, declared, huge, half, short, undefined] {
        let written = file.trace().unwrap().to_bytes().unwrap();
        let read = Trace::from_bytes(&written, "written").unwrap();
        assert_eq!(read.to_bytes().unwrap(), written);
        let ratios = |trace: &Trace| {
            let checks = &trace.check(&[]).unwrap().reports[0].checks;
            checks.iter().map(|check| check.error_ratio).collect::<Vec<_>>()
        };
        assert_eq!(ratios(&read), ratios(&file.trace().unwrap()));
    }
}

#[test]
fn contradictions_name_the_keys_and_what_goes_together() {
    let file = || TraceFile::concept("cross-entropy");
    file().with("output", "linear").assert_rejected("'loss_function' ('cross-entropy') and 'output' ('linear')");
    file().with("loss_factor", "0.5").assert_rejected("'loss_factor' goes only with loss_function 'squared-error'");
    file().with("log_epsilon", "0.1").with("log_clip", "0.1").assert_rejected("'log_epsilon' and 'log_clip' exclude");
    file()
        .with("log_in_gradient", "true")
        .assert_rejected("'log_in_gradient' goes only with 'log_epsilon' and 'log_clip'");
    file().with("beta1", "0.9").assert_rejected("'beta1' goes only with the optimizers adam, adamw, nadam, adamax");
    file().with("clip_norm", "1").with("clip_value", "1").assert_rejected("'clip_norm' and 'clip_value' exclude");
    file().with("clip_epsilon", "0").assert_rejected("'clip_epsilon' goes only with 'clip_norm'");
    file().with("learning_rate", "0.1, 0.2").assert_rejected("has 2 rates, but the trace has 3 steps");
    file()
        .with("activation", "relu,tanh,relu")
        .assert_rejected("names 3 functions, but the network has 2 hidden layers");
    file()
        .with("weight_decay_on", "weights")
        .assert_rejected("'weight_decay_on' goes only with a 'weight_decay' above 0");
    TraceFile::concept("adam")
        .with("gradients", "from-step")
        .assert_rejected("'gradients' ('from-step') and 'optimizer' ('adam')");
    TraceFile::concept("adamw")
        .with("weight_decay_form", "coupled")
        .assert_rejected("the optimizer 'adam' has coupled");
    TraceFile::concept("dropout-half")
        .rewrite("batch.0.masks.layer1", |_, values| (vec![values.len(), 1], values.to_vec()))
        .assert_rejected("batch.0.masks.layer1 has shape [30, 1]; expected [5, 6]");
    let mut targets = file();
    targets.tensors.remove("batch.0.labels");
    targets.replace("batch.0.targets", &[5, 4], &[0.25; 20]);
    targets.assert_rejected("batch.0.targets is not one-hot");
}
