//! Tests of networks that other programs have saved: what is assumed about them, scaled pixels, and networks as a start.

use std::path::Path;

use mlp_parity::storage::{StoredTensor, serialize};
use mlp_parity::{Layer, ParameterFile, SafetensorsFile};
use ndarray::{Array1, Array2, Axis, arr0};

use super::run::{assert_fails, json, run};

/// Trains a small network in `folder`, and returns its parameters.
fn trained(folder: &Path) -> ParameterFile<f32> {
    let file = folder.join("own.safetensors");
    #[rustfmt::skip]
    let train = [
        "train", "--implementation", "scratch", "--hidden", "24", "--train-size", "4000", "--test-last", "--epochs", "3",
        "--learning-rate", "0.1", "--save", file.to_str().unwrap(),
    ];
    let result = run(&train);
    assert_eq!(result.code, Some(0), "{}", result.err);
    assert!(result.err.contains("own.safetensors: parameters saved"), "{}", result.err);
    ParameterFile::load(&file).unwrap()
}

/// Writes the layers to a file in PyTorch's layout, with other names than this project's, and returns its path.
fn foreign(folder: &Path, name: &str, layers: &[Layer<f32>], extra: &[StoredTensor]) -> String {
    let mut tensors = extra.to_vec();
    for (index, Layer { weight, bias }) in layers.iter().enumerate() {
        tensors.push(StoredTensor::new(format!("module.fc{index}.weight"), weight.t().into_dyn()));
        tensors.push(StoredTensor::new(format!("module.fc{index}.bias"), bias.view().into_dyn()));
    }
    let path = folder.join(name);
    std::fs::write(&path, serialize(&tensors, [].into()).unwrap()).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn foreign_network_evaluates_like_own_file() {
    let folder = tempfile::tempdir().unwrap();
    let layers = trained(folder.path()).parameters.layers().to_vec();
    let own = folder.path().join("own.safetensors");
    let epoch = StoredTensor::new("epoch", arr0(3.0_f32).view().into_dyn());
    let random =
        StoredTensor { name: "rng_state".to_owned(), dtype: safetensors::Dtype::U8, shape: vec![3], bytes: vec![0; 3] };
    let file = foreign(folder.path(), "foreign.safetensors", &layers, &[epoch, random]);
    let evaluate = |file: &str, options: &[&str]| run(&[&["evaluate", file, "--test-size", "1000"], options].concat());
    assert_fails(&["evaluate", &file], 2, &["does not state the activation", "add --activation relu, sigmoid or tanh"]);
    let result = evaluate(&file, &["--activation", "relu", "--json"]);
    assert!(
        result.err.contains(
            "2 entries that are no parameters are left out; the layers are, in this order, module.fc0, module.fc1"
        ),
        "{}",
        result.err
    );
    let own = json(&evaluate(own.to_str().unwrap(), &["--json"]));
    assert_eq!(json(&result)["test_accuracy"], own["test_accuracy"]);
    let automatic = evaluate(&file, &["--activation", "auto", "--json"]);
    assert!(automatic.err.contains("test accuracy by activation: relu "), "{}", automatic.err);
    assert_eq!(json(&automatic), own);
    assert_eq!(evaluate(&file, &["--activation", "auto", "--json", "--quiet"]).err, "");
}

#[test]
fn network_with_other_outputs_than_classes_is_rejected() {
    let folder = tempfile::tempdir().unwrap();
    let [first, last] =
        [[784, 20], [20, 12]].map(|shape| Layer { weight: Array2::zeros(shape), bias: Array1::zeros(shape[1]) });
    let file = foreign(folder.path(), "autoencoder.safetensors", &[first, last], &[]);
    assert_fails(&["evaluate", &file, "--activation", "relu"], 3, &["10 classes", "12 outputs", "--data"]);
}

#[test]
fn scaled_pixels_are_undone_or_suggested() {
    let folder = tempfile::tempdir().unwrap();
    let file = trained(folder.path());
    // The same network for pixels that are scaled by the mean and the deviation of MNIST.
    let mut layers = file.parameters.layers().to_vec();
    let sums: Array1<f32> = layers[0].weight.sum_axis(Axis(0));
    layers[0].bias.scaled_add(0.1307, &sums);
    layers[0].weight *= 0.3081;
    let scaled = foreign(folder.path(), "scaled.safetensors", &layers, &[]);
    let own = folder.path().join("own.safetensors").to_str().unwrap().to_owned();
    let accuracy = |file: &str, options: &[&str]| {
        let arguments = [&["evaluate", file, "--activation", "relu", "--test-size", "1000"], options].concat();
        (run(&arguments).out, json(&run(&[&arguments[..], &["--json"]].concat()))["test_accuracy"].as_f64().unwrap())
    };
    let (_, expected) = accuracy(&own, &[]);
    for options in [&["--pixels", "mnist"][..], &["--mean", "0.1307", "--std", "0.3081"]] {
        let (text, actual) = accuracy(&scaled, options);
        assert!((actual - expected).abs() < 0.002 && !text.contains("--pixels"), "{actual} {expected} {text}");
    }
    let (text, wrong) = accuracy(&scaled, &[]);
    assert!(wrong < expected - 0.05 && text.contains("With --pixels mnist, the accuracy is"), "{wrong} {text}");
    assert_fails(&["evaluate", &scaled, "--std", "0", "--activation", "relu"], 2, &["--std: 0 is out of range"]);

    // The exported network expects pixels from 0 to 1.
    let exported = folder.path().join("exported.safetensors").to_str().unwrap().to_owned();
    let result = run(&["export", &scaled, &exported, "--activation", "relu", "--pixels", "mnist"]);
    assert_eq!(result.code, Some(0), "{}", result.err);
    let (_, actual) = accuracy(&exported, &[]);
    assert!((actual - expected).abs() < 0.002, "{actual} {expected}");
}

#[test]
fn commands_start_from_saved_network() {
    let folder = tempfile::tempdir().unwrap();
    let layers = trained(folder.path()).parameters.layers().to_vec();
    let initial = foreign(folder.path(), "initial.safetensors", &layers, &[]);
    let saved = folder.path().join("further.safetensors");
    #[rustfmt::skip]
    let train = [
        "train", "--implementation", "scratch", "--train-size", "640", "--test-size", "200", "--epochs", "1",
        "--learning-rate", "1e-30", "--initial", &initial, "--activation", "relu", "--save", saved.to_str().unwrap(),
    ];
    assert_eq!(run(&train).code, Some(0));
    assert_eq!(ParameterFile::<f32>::load(&saved).unwrap().parameters.layers(), layers);
    let checked =
        run(&["check", "--initial", &initial, "--activation", "relu", "--batch-size", "8", "--backend", "flex"]);
    assert!(checked.code == Some(0) && checked.out.contains("verdict: agree"), "{}{}", checked.out, checked.err);
    assert_fails(&["check", "--initial", &initial], 2, &["does not state the activation"]);
    assert_fails(&["train", "--implementation", "scratch", "--initial", &initial, "--hidden", "8"], 2, &["--hidden"]);
    let few = [Layer { weight: Array2::zeros([5, 3]), bias: Array1::zeros(3) }];
    let few = foreign(folder.path(), "few.safetensors", &few, &[]);
    assert_fails(
        &["train", "--implementation", "scratch", "--initial", &few],
        3,
        &["784 pixels per image", "5 inputs"],
    );
}

#[test]
fn unreadable_networks_are_identified() {
    let folder = tempfile::tempdir().unwrap();
    let rejected = |bytes: &[u8], parts: &[&str]| {
        let path = folder.path().join("network.bin");
        std::fs::write(&path, bytes).unwrap();
        assert_fails(
            &["evaluate", path.to_str().unwrap(), "--activation", "relu"],
            3,
            &[&["network.bin"], parts].concat(),
        );
    };
    rejected(b"<!DOCTYPE html>\n<html>", &["an HTML page"]);
    rejected(b"version https://git-lfs.github.com/spec/v1\noid", &["git lfs pull"]);
    rejected(b"\x89HDF\r\n\x1a\n\0\0\0\0", &["HDF5", "model.get_weights()"]);
    rejected(br#"{"weight_map": {"layer1.weight": "model-00001-of-00002.safetensors"}}"#, &["several files"]);
    rejected(b"\x80\x02}q\x00.", &["contains no PyTorch tensors", "numpy.savez"]);
    rejected(b"\x80\x02csklearn.svm\nSVC\nq\x00)\x81q\x01.", &["scikit-learn", "model.coefs_"]);
    let tensor = |name: &str, shape: &[usize]| StoredTensor::new(name, ndarray::ArrayD::<f32>::zeros(shape).view());
    let network = |tensors: &[StoredTensor]| serialize(tensors, [].into()).unwrap();
    let norm = [tensor("0.weight", &[3, 784]), tensor("1.running_mean", &[3])];
    rejected(&network(&norm), &["'1.running_mean' belongs to a normalization layer", "fuse_linear_bn_eval"]);
    rejected(&network(&[tensor("conv1.weight", &[8, 1, 3, 3])]), &["a convolution"]);
    rejected(&network(&[tensor("a.weight", &[3, 784]), tensor("b.weight", &[10, 4])]), &["a [3, 784], b [10, 4]"]);
    rejected(&network(&[tensor("a.weight", &[3, 784]), tensor("extra", &[3])]), &["unknown tensors: extra"]);
    let nan = StoredTensor::new("0.weight", Array2::from_elem([2, 3], f32::NAN).view().into_dyn());
    rejected(&network(&[nan]), &["layer '0': the weight of input 0 and unit 0 is NaN"]);
}
