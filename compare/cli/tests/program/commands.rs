//! Tests of `check`, `trace`, `train`, `evaluate`, `data` and `doctor`.

use std::path::Path;
use std::process::{Command, Stdio};

use mlp_parity::mnist::DataSource;
use serde_json::Value;

use super::run::{assert_fails, collect_output, compare, folder_of, json, run, small};

#[test]
fn check_command_reports_every_candidate() {
    let result = run(&["check", "--hidden", "8", "--batch-size", "8", "--backend", "flex", "--backend", "ndarray"]);
    assert_eq!(result.code, Some(0), "{}", result.err);
    assert!(
        result.out.contains("verdict: agree") && result.out.contains("every candidate stays within the error bounds"),
        "{}",
        result.out
    );
    let document = json(&run(&["check", "--hidden", "8", "--batch-size", "8", "--json"]));
    assert_eq!((&document["format"], &document["verdict"]), (&"mlp-parity-check/2".into(), &"agree".into()));
    let rows = |options: &[&str]| {
        run(&[&["check", "--hidden", "8", "--batch-size", "8"], options].concat()).out.lines().count()
    };
    assert!(rows(&["--verbose"]) > 3 * rows(&[]));
    assert_fails(&["check", "--trace", "nowhere.safetensors"], 3, &["nowhere.safetensors"]);
}

#[test]
fn checks_pass_with_kernels_of_every_instruction_set() {
    // The error for an unknown instruction set lists those that this machine supports.
    let check = ["check", "--hidden", "80,70", "--batch-size", "70", "--threads", "2"];
    let with = |kernels: &str| collect_output(compare(&check).env("MLP_PARITY_KERNELS", kernels).output().unwrap());
    let unknown = with("mmx");
    assert_eq!(unknown.code, Some(2), "{}", unknown.err);
    let names = unknown.err.split_once("expected one of: ").unwrap().1;
    let names: Vec<&str> = names.trim().split(", ").collect();
    assert!(names.contains(&"portable"), "{names:?}");
    for kernels in names {
        let result = with(kernels);
        assert_eq!(result.code, Some(0), "{kernels}: {}{}", result.out, result.err);
    }
}

#[test]
fn check_accepts_valid_and_rejects_damaged_trace() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace.safetensors");
    let file = path.to_str().unwrap();
    let result = run(&["trace", "--output", file, "--implementation", "framework", "--hidden", "8", "--steps", "2"]);
    assert_eq!((result.code, result.out.as_str()), (Some(0), ""), "{}", result.err);
    let result = run(&["check", "--trace", file, "--verbose"]);
    assert_eq!(result.code, Some(0), "{}{}", result.out, result.err);
    assert!(result.out.contains("trace (mlp-parity framework/flex)"), "{}", result.out);

    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle + 3] ^= 0x10;
    std::fs::write(&path, &bytes).unwrap();
    let result = run(&["check", "--trace", file]);
    assert!(matches!(result.code, Some(1 | 3)), "a damaged value must be detected: {}{}", result.out, result.err);
    std::fs::write(&path, &bytes[..middle]).unwrap();
    assert_fails(&["check", "--trace", file], 3, &["truncated"]);
    assert_fails(&["trace", "--output", "/proc/nowhere/trace"], 3, &["/proc/nowhere"]);
}

#[test]
fn trace_without_required_results_is_rejected() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (complete, loss) = (path("complete.safetensors"), path("loss.json"));
    assert_eq!(run(&["trace", "--hidden", "8", "--output", &complete]).code, Some(0));
    let text = r#"{
        "format": "mlp-parity-trace/2", "precision": "f64", "weights": "inputs-outputs",
        "initial.output_layer.weight": [[0.0, 0.0], [0.0, 0.0]], "initial.output_layer.bias": [0.0, 0.0],
        "batch.0.images": [[0.5, 1.0]], "batch.0.labels": [1], "loss": 0.6931471805599453}"#;
    std::fs::write(&loss, text).unwrap();
    let missing = [
        ("logits", Some(": logits")),
        ("loss", None),
        ("gradients", Some("gradient.output_layer.weight, gradient.output_layer.bias")),
        ("steps", Some("step.0.output_layer.weight, step.0.output_layer.bias")),
    ];
    for (results, tensors) in missing {
        let check = |trace| run(&["check", "--trace", trace, "--quiet", "--require", results]);
        assert_eq!(check(&complete).code, Some(0), "{results}");
        match (check(&loss), tensors) {
            (result, None) => assert!(result.code == Some(0), "{}", result.err),
            (result, Some(tensors)) => {
                assert!(result.code == Some(3) && result.err.contains(tensors), "{}", result.err)
            }
        }
    }
}

#[test]
fn evaluate_reproduces_accuracy_of_trained_network() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("network.safetensors");
    let path = file.to_str().unwrap();
    for (implementation, optimizer) in [("scratch", "sgd"), ("framework", "adam")] {
        let trained = json(&small(&["train", "--implementation", implementation, "--save", path, "--json", "--quiet"]));
        assert_eq!(trained["trainings"][0]["optimizer"], optimizer, "the report's configuration for {implementation}");
        assert_eq!(trained.get("verdict"), None);
        let last = &trained["runs"][0]["epochs"][1];
        let evaluated =
            json(&run(&["evaluate", path, "--implementation", implementation, "--test-size", "200", "--json"]));
        assert_eq!(evaluated["test_accuracy"], last["test_accuracy"]);
        approx::assert_relative_eq!(
            evaluated["test_loss"].as_f64().unwrap(),
            last["test_loss"].as_f64().unwrap(),
            max_relative = 1e-6
        );
    }
    let each = json(&small(&["train", "--implementation", "scratch", "--json", "--quiet"]));
    let last = json(&small(&["train", "--implementation", "scratch", "--json", "--quiet", "--test-last"]));
    let [each, last] = [each, last].map(|document| document["runs"][0]["epochs"].as_array().unwrap().clone());
    assert_eq!((each.len(), last.len(), &last[0]["epoch"]), (2, 1, &each[1]["epoch"]));
    assert_eq!((&last[0]["test_loss"], &last[0]["train_loss"]), (&each[1]["test_loss"], &each[1]["train_loss"]));
    let table = small(&["train", "--implementation", "scratch", "--activation", "tanh"]);
    assert_eq!(table.code, Some(0), "{}", table.err);
    assert!(table.out.contains("test accuracy"), "{}", table.out);
}

#[test]
fn data_command_lists_and_verifies_files() {
    let result = run(&["data"]);
    assert_eq!(result.code, Some(0));
    assert!(
        result.out.contains("6bbc9ace898e44ae57da46a324031adb") && result.out.contains("60000 training"),
        "{}",
        result.out
    );
    let document = json(&run(&["data", "--json"]));
    assert!(document["files"].as_array().unwrap().iter().all(|file| file["collection"] == "MNIST"));
    assert_fails(&["data", "download", "emnist"], 2, &["unknown data set 'emnist'", "mnist, fashion-mnist, kmnist"]);
}

#[test]
#[cfg(target_os = "linux")]
fn cached_data_sets_are_verified_before_use() {
    let cache = tempfile::tempdir().unwrap();
    let with =
        |arguments: &[&str]| collect_output(compare(arguments).env("XDG_CACHE_HOME", cache.path()).output().unwrap());
    let assert_rejected = |arguments: &[&str], part: &str| {
        let result = with(arguments);
        assert!(
            result.code == Some(3) && result.err.contains(part),
            "{arguments:?}: expected '{part}': {}",
            result.err
        );
    };
    assert_rejected(&["data", "--data", "fashion-mnist"], "'compare data download fashion-mnist' to download it");
    assert_rejected(
        &["data", "download", "kmnist", "--mirror", "http://127.0.0.1:1"],
        "127.0.0.1:1/train-images-idx3-ubyte.gz",
    );
    let mnist = cache.path().join("mlp-parity/mnist");
    std::fs::create_dir_all(&mnist).unwrap();
    std::fs::write(mnist.join("train-images-idx3-ubyte.gz"), "half").unwrap();
    assert_rejected(&["--data", "download"], "not the file that was published");

    let burn = cache.path().join("burn-dataset/mnist");
    assert_rejected(&["data", "--data", "burn-cache"], "burn-dataset/mnist/train");
    for (index, (name, bytes)) in DataSource::Embedded.files().unwrap().iter().enumerate() {
        let folder = burn.join(if index < 2 { "train" } else { "test" });
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(name), bytes).unwrap();
    }
    let result = with(&["data", "--data", "burn-cache", "--json"]);
    assert_eq!(json(&result)["digest"], mlp_parity::mnist::ORIGINAL_DIGEST);
    std::fs::write(burn.join("test/t10k-labels-idx1-ubyte"), "half").unwrap();
    assert_rejected(&["data", "--data", "burn-cache"], "possibly an incomplete download");
}

#[test]
fn doctor_lists_availability_with_reasons() {
    let document = json(&run(&["doctor", "--json"]));
    let implementations = document["implementations"].as_array().unwrap();
    let find = |name: &str| implementations.iter().find(|entry| entry["name"] == name).unwrap();
    assert!(find("scratch")["device"].is_string() && find("framework/flex")["device"].is_string());
    assert!(find("framework/cuda")["problem"].as_str().unwrap().contains("--features cuda"));
    let listed = collect_output(compare(&["doctor"]).env_remove("XDG_RUNTIME_DIR").output().unwrap());
    assert!(listed.out.contains("framework/wgpu") && !listed.err.contains("XDG_RUNTIME_DIR"), "{}", listed.err);
    assert!(listed.out.contains("not built: rebuild with `--features NAME`"), "{}", listed.out);
}

#[test]
fn evaluate_rejects_mismatched_network_and_data() {
    let reference = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden");
    let file = reference.join("report.safetensors");
    let file = file.to_str().unwrap();
    assert_fails(&["evaluate", file], 2, &["does not state the activation", "add --activation relu"]);
    assert_eq!(run(&["evaluate", file, "--activation", "relu"]).code, Some(0));
    let image = [0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 5, 6];
    let label = [0, 0, 8, 1, 0, 0, 0, 1, 3];
    let folder = folder_of([&image, &label, &image, &label]);
    let data = folder.path().to_str().unwrap();
    assert_fails(&["evaluate", file, "--activation", "relu", "--data", data], 3, &["2 pixels", "784 inputs"]);
}

#[test]
fn truncated_image_file_error_names_file() {
    let [(_, images), (_, labels), (_, test_images), (_, test_labels)] = DataSource::Embedded.files().unwrap();
    let folder = folder_of([&images[..images.len() / 2], &labels, &test_images, &test_labels]);
    let data = folder.path().to_str().unwrap();
    assert_fails(&["--data", data], 3, &["train-images-idx3-ubyte", "truncated file"]);
    let from_environment = collect_output(compare(&["data"]).env("MLP_PARITY_DATA", data).output().unwrap());
    assert_eq!(from_environment.code, Some(3));
}

#[test]
#[cfg(unix)]
fn interrupted_training_keeps_complete_epochs() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("network.safetensors");
    let options =
        ["train", "--implementation", "scratch", "--epochs", "10000", "--hidden", "16", "--train-size", "6400"];
    let interrupted = || {
        let child = compare(&options)
            .args(["--test-size", "100", "--json", "--save", file.to_str().unwrap()])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_secs(2));
        assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
        collect_output(child.wait_with_output().unwrap())
    };
    let result = interrupted();
    assert_eq!(result.code, Some(130), "{}", result.err);
    let document: Value = serde_json::from_str(&result.out).unwrap();
    assert_eq!(document["runs"][0]["complete"], false);
    assert!(!document["runs"][0]["epochs"].as_array().unwrap().is_empty());
    assert_eq!(run(&["evaluate", file.to_str().unwrap()]).code, Some(0));
    // An existing file is not overwritten by an incompletely trained network.
    std::fs::write(&file, "a network").unwrap();
    let result = interrupted();
    assert!(result.code == Some(130) && result.err.contains("is not overwritten"), "{}", result.err);
    assert_eq!(std::fs::read(&file).unwrap(), b"a network");
}

#[test]
#[cfg(target_os = "linux")]
fn unwritable_stderr_does_not_stop_training() {
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("network.safetensors");
    let train = ["train", "--implementation", "scratch", "--epochs", "1", "--train-size", "640", "--hidden", "16"];
    let result =
        collect_output(compare(&train).args(["--save", file.to_str().unwrap()]).stderr(full()).output().unwrap());
    assert!(result.code == Some(0) && result.out.contains("test accuracy") && file.exists(), "{:?}", result.code);
}
