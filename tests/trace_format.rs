//! Tests of trace format 2: the same trace in every form in which people have it.

use std::path::Path;

use mlp_parity::SafetensorsFile;
use mlp_parity_compare::Verdict;
use mlp_parity_compare::check::{Stage, Trace};

use crate::trace_file::{TraceFile, golden_paths};

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

/// PyTorch and JAX on a graphics card that rounds the factors of products to TF32. Undeclared, that is a disagreement.
#[test]
fn golden_traces_of_tf32_agree_if_it_is_declared() {
    for path in golden_paths("tf32") {
        let file = TraceFile::read(&path);
        assert_eq!(file.failure(), None, "{}", path.display());
        let single = file.clone().with("precision", "f32");
        assert_eq!(single.failure(), Some((Stage::Logits, "logits".to_owned())), "{}", path.display());
        for name in ["logits", "gradient.output_layer.weight", "gradient.layer1.bias", "step.0.layer2.weight"] {
            let mut values = file.values(name);
            let largest = values.iter_mut().max_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap();
            *largest *= 1.01;
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
        ("squared-error-tanh", "output"),
        ("gradients-summed", "gradients"),
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
