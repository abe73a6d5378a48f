//! Tests of parameter files: writing and reading, exchange with PyTorch in both directions, and rejection of invalid
//! files.

use std::path::Path;

use mlp_parity::{Activation, Error, MlpConfig, ParameterFile, Parameters, SafetensorsFile};
use ndarray::{Array2, ArrayView2};
use safetensors::tensor::{Dtype, TensorView};

/// Returns a parameter file with a small network and its activation function.
fn file() -> ParameterFile<f32> {
    let config = MlpConfig::new(5, &[4, 3], 2, Activation::Tanh).unwrap();
    ParameterFile { parameters: Parameters::glorot_uniform(&config, 9), activation: Some(Activation::Tanh) }
}

#[test]
fn parameter_file_round_trip_is_bit_identical() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("parameters.safetensors");
    let mut file = file();
    // A subnormal number must survive too.
    file.parameters.layers_mut()[0].bias[0] = f32::MIN_POSITIVE / 8.0;
    file.save(&path).unwrap();
    let loaded = ParameterFile::<f32>::load(&path).unwrap();
    assert_eq!(loaded, file);
    assert_eq!(loaded.to_bytes().unwrap(), std::fs::read(&path).unwrap());
    for activation in [None, Some(Activation::Tanh)] {
        assert_eq!(loaded.config(activation).unwrap().to_string(), "5-4-3-2, tanh");
    }
    assert_eq!(loaded.config(Some(Activation::Relu)).unwrap_err().to_string().split(':').next(), Some("activation"));
}

#[test]
fn parameter_file_keeps_f64_and_rejects_other_precision() {
    let config = MlpConfig::new(5, &[], 2, Activation::Relu).unwrap();
    let parameters = Parameters::<f64>::glorot_uniform(&config, 9);
    let bytes = ParameterFile { parameters: parameters.clone(), activation: None }.to_bytes().unwrap();
    let loaded = ParameterFile::<f64>::from_bytes(&bytes, "file").unwrap();
    assert_eq!((loaded.parameters, loaded.activation), (parameters, None));
    assert!(rejection(&bytes).contains("output_layer.weight has type F64, expected F32"));
}

/// Parameter files use PyTorch's layout `[outputs, inputs]`, the transpose of the layout in memory.
#[test]
fn parameter_file_stores_weights_transposed() {
    let file = file();
    let bytes = file.to_bytes().unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let weight = tensors.tensor("layer1.weight").unwrap();
    assert_eq!(weight.shape(), [4, 5]);
    let second = f32::from_le_bytes(weight.data()[4..8].try_into().unwrap());
    assert_eq!(second, file.parameters.layers()[0].weight[[1, 0]]);
    let mut names = tensors.names();
    names.sort_unstable();
    let expected =
        ["layer1.bias", "layer1.weight", "layer2.bias", "layer2.weight", "output_layer.bias", "output_layer.weight"];
    assert_eq!(names, expected);
}

/// Returns the message with which the reader of parameter files rejects `bytes`.
fn rejection(bytes: &[u8]) -> String {
    match ParameterFile::<f32>::from_bytes(bytes, "some.safetensors") {
        Err(error @ Error::Parameters { .. }) => error.to_string(),
        other => panic!("expected Error::Parameters, got {other:?}"),
    }
}

/// Returns a safetensors file with the given tensors (name, type and shape), whose values are all zero, and optionally
/// a metadata entry.
fn zeros(tensors: &[(&str, Dtype, &[usize])], metadata: Option<(&str, &str)>) -> Vec<u8> {
    let data = [0; 4096];
    let view = |&(name, dtype, shape): &(&str, Dtype, &[usize])| {
        let length = shape.iter().product::<usize>() * dtype.bitsize() / 8;
        (name.to_owned(), TensorView::new(dtype, shape.to_vec(), &data[..length]).unwrap())
    };
    let metadata = metadata.map(|(key, value)| [(key.to_owned(), value.to_owned())].into());
    safetensors::serialize(tensors.iter().map(view), metadata).unwrap()
}

#[test]
fn parameter_file_reports_reason_when_rejecting_invalid_network() {
    let bias: (&str, Dtype, &[usize]) = ("output_layer.bias", Dtype::F32, &[2]);
    let weight: (&str, Dtype, &[usize]) = ("output_layer.weight", Dtype::F32, &[2, 5]);
    assert!(ParameterFile::<f32>::from_bytes(&zeros(&[bias, weight], None), "good").is_ok());
    let contradiction = r#"{"format":"mlp-parity-parameters/1","sizes":[5,3,2],"activation":"relu"}"#;
    let version = r#"{"format":"mlp-parity-parameters/9","sizes":[5,2],"activation":"relu"}"#;
    for (bytes, reason) in [
        (zeros(&[bias], None), "tensor 'output_layer.weight' is missing"),
        (zeros(&[weight], None), "tensor 'output_layer.bias' is missing"),
        (
            zeros(&[bias, ("output_layer.weight", Dtype::F16, &[2, 5])], None),
            "output_layer.weight has type F16, expected F32",
        ),
        (
            zeros(&[bias, ("output_layer.weight", Dtype::I64, &[2, 5])], None),
            "output_layer.weight has type I64, expected F32",
        ),
        (zeros(&[bias, ("output_layer.weight", Dtype::F32, &[10])], None), "a weight must have two dimensions"),
        (zeros(&[weight, ("output_layer.bias", Dtype::F32, &[3])], None), "requires [2]"),
        (zeros(&[bias, weight, ("layer2.weight", Dtype::F32, &[2, 2])], None), "unknown tensor 'layer2.weight'"),
        (
            zeros(&[bias, weight, ("layer1.weight", Dtype::F32, &[4, 5]), ("layer1.bias", Dtype::F32, &[4])], None),
            "the layers do not fit together",
        ),
        (
            zeros(&[bias, weight], Some(("mlp_parity", contradiction))),
            "the metadata declares layer sizes [5, 3, 2], but the tensors have [5, 2]",
        ),
        (zeros(&[bias, weight], Some(("mlp_parity", version))), "unknown format 'mlp-parity-parameters/9'"),
        (zeros(&[bias, weight], Some(("mlp_parity", "?"))), "invalid metadata 'mlp_parity'"),
        (b"not a container".to_vec(), "not a complete safetensors file"),
    ] {
        let message = rejection(&bytes);
        assert!(message.contains("some.safetensors") && message.contains(reason), "expected '{reason}': {message}");
    }
}

#[test]
fn parameter_file_rejects_file_truncated_anywhere() {
    let whole = file().to_bytes().unwrap();
    for length in 0..whole.len() {
        rejection(&whole[..length]);
    }
}

/// A number that occurs nowhere else in a file.
const MARKER: f32 = 12_345.678;

#[test]
fn parameter_file_rejects_non_finite_values() {
    let mut marked = file();
    marked.parameters.layers_mut()[1].weight[[3, 2]] = MARKER;
    let bytes = marked.to_bytes().unwrap();
    let position = bytes.windows(4).position(|window| window == MARKER.to_le_bytes()).unwrap();
    for value in [f32::NAN, f32::NEG_INFINITY] {
        let expected = format!("layer2.weight at index [3, 2] is {value}");
        let mut bytes = bytes.clone();
        bytes[position..position + 4].copy_from_slice(&value.to_le_bytes());
        let message = rejection(&bytes);
        assert!(message.contains(&expected), "{message}");
        let mut file = file();
        file.parameters.layers_mut()[1].weight[[3, 2]] = value;
        let message = file.to_bytes().unwrap_err().to_string();
        assert!(message.contains(&expected), "{message}");
    }
}

#[test]
fn saving_non_finite_parameters_keeps_existing_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("parameters.safetensors");
    file().save(&path).unwrap();
    let mut diverged = file();
    diverged.parameters.layers_mut()[0].bias[0] = f32::NAN;
    assert!(matches!(diverged.save(&path), Err(Error::Parameters { .. })));
    assert_eq!(ParameterFile::<f32>::load(&path).unwrap(), file());
}

#[test]
fn scratch_network_rejects_parameters_with_wrong_shape() {
    let other = MlpConfig::new(5, &[4, 4], 2, Activation::Tanh).unwrap();
    let error = mlp_parity_scratch::Mlp::new(other, &file().parameters).unwrap_err().to_string();
    assert!(error.contains("[5, 4, 3, 2]") && error.contains("[5, 4, 4, 2]"), "{error}");
}

/// The golden files were written by `tests/golden/state_dict.py` with PyTorch 2.15.0.
#[test]
fn pytorch_state_dict_gives_same_logits_as_pytorch() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
    let file = ParameterFile::<f32>::load(&golden.join("report.safetensors")).unwrap();
    assert_eq!(file.parameters.sizes(), [784, 500, 250, 100, 10]);
    let config = file.config(Some(Activation::Relu)).unwrap();
    assert_logits(&config, &file.parameters, &golden.join("report-logits.safetensors"));
}

/// The golden logits were computed with PyTorch 2.15.0 by `tests/golden/exchange.py` from the golden parameter file.
/// The test also asserts that writing the parameters gives exactly this file.
#[test]
fn written_parameter_file_gives_same_logits_in_pytorch() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
    let config = MlpConfig::new(784, &[24, 12], 10, Activation::Tanh).unwrap();
    let parameters = Parameters::glorot_uniform(&config, 5);
    let file = ParameterFile { parameters, activation: Some(Activation::Tanh) };
    assert_eq!(file.to_bytes().unwrap(), std::fs::read(golden.join("written-here.safetensors")).unwrap());
    assert_logits(&config, &file.parameters, &golden.join("written-here-logits.safetensors"));
}

/// Asserts that every candidate computes the logits in the file at `path` for the images in the same file.
fn assert_logits(config: &MlpConfig, parameters: &Parameters<f32>, path: &Path) {
    let bytes = std::fs::read(path).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let [images, expected] = ["images", "logits"].map(|name| {
        let tensor = tensors.tensor(name).unwrap();
        let (values, _) = tensor.data().as_chunks();
        let values: Vec<f32> = values.iter().copied().map(f32::from_le_bytes).collect();
        let shape = (tensor.shape()[0], tensor.shape()[1]);
        ArrayView2::from_shape(shape, &values).unwrap().to_owned()
    });
    for candidate in support::all_candidates() {
        let logits: Array2<f32> = candidate.create(config, parameters).unwrap().logits(images.view()).unwrap();
        for (actual, expected) in logits.iter().zip(&expected) {
            approx::assert_abs_diff_eq!(actual, expected, epsilon = 1e-5);
        }
    }
}
