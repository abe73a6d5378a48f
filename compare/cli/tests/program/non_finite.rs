//! Tests of values that are NaN or infinite: training runs that diverge in every phase, networks whose outputs overflow,
//! and damaged files.

use std::path::Path;

use mlp_parity::{Activation, MlpConfig, ParameterFile, Parameters, SafetensorsFile};

use super::run::{assert_fails, files_in, run};
use super::study::{GRID, Study};

/// Options of a training run of one batch. With a huge learning rate its loss and the parameters afterwards are finite,
/// but the logits of the test images are not.
#[rustfmt::skip]
const ONE_BATCH: [&str; 10] = [
    "--train-size", "64", "--test-size", "50", "--hidden", "16", "--epochs", "1", "--learning-rate", "1e30",
];

/// Writes a network for MNIST whose parameters are finite, but whose logits overflow.
fn write_overflowing_network(path: &Path) {
    let config = MlpConfig::new(784, &[16], 10, Activation::Relu).unwrap();
    let parameters = Parameters::<f32>::glorot_uniform(&config, 0).map(|weight| weight * 1e30);
    ParameterFile { parameters, activation: Some(Activation::Relu) }.save(path).unwrap();
}

#[test]
fn diverging_training_saves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (saved, output) = (folder.path().join("saved.safetensors"), folder.path().join("output"));
    std::fs::write(&saved, "a network").unwrap();
    let files = ["--save", saved.to_str().unwrap(), "--output", output.to_str().unwrap()];
    for implementation in ["scratch", "framework"] {
        for (optimizer, schedule) in [("sgd", "constant"), ("sgd", "one-cycle"), ("adam", "constant")] {
            let train = ["train", "--implementation", implementation, "--optimizer", optimizer, "--schedule", schedule];
            let parts = ["after epoch 1, the probability of class ", " for image ", " is NaN"];
            assert_fails(&[&train, &ONE_BATCH[..], &files].concat(), 5, &parts);
            assert_eq!(std::fs::read(&saved).unwrap(), b"a network");
            assert_eq!(files_in(&output), [".lock"], "there must be no checkpoint");
        }
    }
}

#[test]
fn diverging_comparison_records_no_run() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().to_str().unwrap();
    let result = run(&[&["--output", output], &ONE_BATCH[..]].concat());
    assert_eq!(result.code, Some(5), "{}", result.err);
    assert!(result.out.contains("verdict: failed") && result.err.contains("is NaN"), "{}{}", result.out, result.err);
    assert_eq!(std::fs::read_to_string(folder.path().join("records.jsonl")).unwrap(), "");
    assert_eq!(files_in(folder.path()), [".lock", "records.jsonl"], "there must be no checkpoint and no parameters");
}

#[test]
fn diverging_reproduction_records_other_runs() {
    let study = Study::new();
    std::fs::write(study.path("grid.toml"), GRID.replace("learning_rate = 0.2", "learning_rate = 1e30")).unwrap();
    let result = study.reproduce("diverging", &["--seeds", "1"]);
    assert_eq!(result.code, Some(5), "{}{}", result.out, result.err);
    let records = study.read("diverging/records.jsonl");
    assert!(records.contains("relu-adam") && !records.contains("relu-sgd"), "{records}");
}

#[test]
fn overflowing_network_is_not_evaluated() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("overflowing.safetensors");
    write_overflowing_network(&path);
    let file = path.to_str().unwrap();
    let image = folder.path().join("image");
    std::fs::write(&image, [&[0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 28, 0, 0, 0, 28][..], &[7; 784]].concat()).unwrap();
    let image = image.to_str().unwrap();
    for implementation in ["scratch", "framework"] {
        for json in [&[][..], &["--json"]] {
            let evaluate = ["evaluate", file, "--test-size", "50", "--implementation", implementation];
            assert_fails(&[&evaluate, json].concat(), 5, &["the probability of class 0 for image 0 is NaN"]);
            let predict = ["predict", file, image, "--implementation", implementation];
            assert_fails(&[&predict, json].concat(), 5, &[image, "the probability of class 0", implementation, "NaN"]);
        }
    }
}

#[test]
fn parameter_file_with_nan_is_rejected() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("network.safetensors");
    let file = path.to_str().unwrap();
    write_overflowing_network(&path);
    let mut bytes = std::fs::read(&path).unwrap();
    // The last tensor of the file ends with the last byte of the file.
    let last = bytes.len() - 4;
    bytes[last..].copy_from_slice(&f32::NAN.to_le_bytes());
    std::fs::write(&path, &bytes).unwrap();
    let output = folder.path().join("exported.onnx");
    for arguments in
        [&["evaluate", file][..], &["predict", file, "picture.png"], &["export", file, output.to_str().unwrap()]]
    {
        assert_fails(arguments, 3, &[file, " at index [", "is NaN; parameters must be finite"]);
    }
    assert!(!output.exists());
}
