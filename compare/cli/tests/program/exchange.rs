//! Tests of exported networks, evaluated by ONNX Runtime and PyTorch.

use std::path::Path;
use std::process::Command;

use mlp_parity::storage::{StoredTensor, serialize};
use mlp_parity::{Activation, Differentiable, MlpConfig, ParameterFile, Parameters, SafetensorsFile};
use ndarray::Array2;

use super::run::{assert_fails, run};

/// Environment variable with the path of a Python interpreter that has numpy, safetensors and onnxruntime, and
/// optionally torch. If it is not set, ONNX Runtime and PyTorch are not run.
const PYTHON: &str = "MLP_PARITY_EXCHANGE_PYTHON";

/// If this environment variable is set, the test fails when the interpreter is not set, instead of skipping the checks
/// that need it.
const REQUIRE: &str = "MLP_PARITY_REQUIRE_ONNX";

#[test]
fn exported_network_has_same_logits_in_onnx_runtime() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let python = std::env::var_os(PYTHON);
    assert!(python.is_some() || std::env::var_os(REQUIRE).is_none(), "{PYTHON} is not set");
    for (activation, hidden) in
        [(Activation::Relu, &[50, 30][..]), (Activation::Sigmoid, &[20]), (Activation::Tanh, &[])]
    {
        let config = MlpConfig::new(784, hidden, 10, activation).unwrap();
        let parameters = Parameters::<f32>::glorot_uniform(&config, 3);
        let images = Array2::from_shape_fn([7, 784], |(row, column)| ((row * 31 + column * 17) % 256) as f32 / 255.0);
        let logits = mlp_parity_scratch::Mlp::new(config, &parameters).unwrap().logits(images.view()).unwrap();
        ParameterFile { parameters, activation: Some(activation) }
            .save(Path::new(&path("network.safetensors")))
            .unwrap();
        let answers = [
            StoredTensor::new("images", images.view().into_dyn()),
            StoredTensor::new("logits", logits.view().into_dyn()),
        ];
        std::fs::write(path("answers.safetensors"), serialize(&answers, [].into()).unwrap()).unwrap();

        let export = run(&["export", &path("network.safetensors"), &path("network.onnx")]);
        assert_eq!((export.code, export.out.as_str()), (Some(0), ""), "{}", export.err);
        let bytes = std::fs::read(path("network.onnx")).unwrap();
        let graph = onnx_rs::parse(&bytes).unwrap().graph.unwrap();
        assert_eq!((graph.node.len(), graph.initializer.len()), (2 * hidden.len() + 2, 2 * (hidden.len() + 1)));
        let Some(python) = &python else {
            eprintln!("skipped: {PYTHON} is not set");
            continue;
        };
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/exchange.py");
        let output = Command::new(python)
            .arg(script)
            .args(["--answers", &path("answers.safetensors"), "--activation", activation.name()])
            .args(["--parameters", &path("network.safetensors"), "--onnx", &path("network.onnx")])
            .output()
            .unwrap();
        let stdout = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && stdout.contains("ONNX Runtime"),
            "{stdout}{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

#[test]
fn export_converts_checkpoint_to_parameters() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    #[rustfmt::skip]
    let train = [
        "train", "--implementation", "scratch", "--train-size", "640", "--test-size", "100", "--hidden", "16",
        "--epochs", "2", "--optimizer", "adam", "--output", &path("run"), "--save", &path("saved.safetensors"),
    ];
    assert_eq!(run(&train).code, Some(0));
    let checkpoint = path("run/custom.scratch.checkpoint.safetensors");
    let exported = path("exported.safetensors");
    assert_eq!(run(&["export", &checkpoint, &exported]).code, Some(0));
    assert_eq!(std::fs::read(&exported).unwrap(), std::fs::read(path("saved.safetensors")).unwrap());
    let accuracy = |file: &str| run(&["evaluate", file, "--test-size", "100", "--json"]).out;
    assert_eq!(accuracy(&checkpoint), accuracy(&exported));
    assert_fails(&["export", &exported, &path("network.pt")], 2, &["network.pt", "ends in .onnx or .safetensors"]);
    assert_fails(&["export", &exported, "/proc/mlp-parity/network.onnx"], 3, &["/proc/mlp-parity"]);
}
