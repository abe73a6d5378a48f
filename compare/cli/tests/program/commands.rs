//! The commands beside the main job: what they print and write, and what they refuse.

use std::path::Path;
use std::process::{Command, Stdio};

use mlp_parity::mnist::DataSource;
use serde_json::Value;

use super::run::{compare, folder_of, json, ran, refused, run, small};

#[test]
fn a_check_alone_says_how_close_everyone_came() {
    let ran = run(&["check", "--hidden", "8", "--batch-size", "8", "--backend", "flex", "--backend", "ndarray"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(ran.out.contains("verdict: agree") && ran.out.contains("within what rounding may do"), "{}", ran.out);
    let document = json(&run(&["check", "--hidden", "8", "--batch-size", "8", "--json"]));
    assert_eq!((&document["format"], &document["verdict"]), (&"mlp-parity-check/1".into(), &"agree".into()));
    let rows = |options: &[&str]| {
        run(&[&["check", "--hidden", "8", "--batch-size", "8"], options].concat()).out.lines().count()
    };
    assert!(rows(&["--verbose"]) > 3 * rows(&[]));
    refused(&["check", "--activation", "tanh-as-printed"], 2, &["by hand only"]);
    refused(&["check", "--trace", "nowhere.safetensors"], 3, &["nowhere.safetensors"]);
}

/// Those of this machine at least.
#[test]
fn the_ladder_holds_for_the_kernels_of_every_instruction_set() {
    let check = ["check", "--hidden", "80,70", "--batch-size", "70", "--threads", "2"];
    let with = |kernels: &str| ran(compare(&check).env("MLP_PARITY_KERNELS", kernels).output().unwrap());
    let refused = with("mmx");
    assert_eq!(refused.code, Some(2), "{}", refused.err);
    let names = refused.err.split_once("which has ").unwrap().1;
    let names: Vec<&str> = names.trim().split(", ").collect();
    assert!(names.contains(&"portable"), "{names:?}");
    for kernels in names {
        let ran = with(kernels);
        assert_eq!(ran.code, Some(0), "{kernels}: {}{}", ran.out, ran.err);
    }
}

#[test]
fn a_trace_takes_part_and_a_broken_one_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace.safetensors");
    let file = path.to_str().unwrap();
    let ran = run(&["trace", "--output", file, "--implementation", "framework", "--hidden", "8", "--steps", "2"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), ""), "{}", ran.err);
    let ran = run(&["check", "--trace", file, "--verbose"]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("trace (mlp-parity framework/flex)"), "{}", ran.out);

    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle + 3] ^= 0x10;
    std::fs::write(&path, &bytes).unwrap();
    let ran = run(&["check", "--trace", file]);
    assert!(matches!(ran.code, Some(1 | 3)), "a damaged value is found: {}{}", ran.out, ran.err);
    std::fs::write(&path, &bytes[..middle]).unwrap();
    refused(&["check", "--trace", file], 3, &["truncated"]);
    refused(&["trace", "--output", "/proc/nowhere/trace"], 3, &["/proc/nowhere"]);
}

#[test]
fn train_saves_what_evaluate_reads() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("network.safetensors");
    let path = file.to_str().unwrap();
    for (implementation, optimizer) in [("scratch", "sgd"), ("framework", "adam")] {
        let trained = json(&small(&["train", "--implementation", implementation, "--save", path, "--json", "--quiet"]));
        assert_eq!(trained["trainings"][0]["optimizer"], optimizer, "the report's training for it");
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
    let table = small(&["train", "--implementation", "scratch", "--activation", "tanh-as-printed"]);
    assert_eq!(table.code, Some(0), "{}", table.err);
    assert!(table.out.contains("test accuracy"), "{}", table.out);
}

#[test]
fn data_are_listed_and_verified() {
    let ran = run(&["data"]);
    assert_eq!(ran.code, Some(0));
    assert!(ran.out.contains("6bbc9ace898e44ae57da46a324031adb") && ran.out.contains("60000 training"), "{}", ran.out);
    let document = json(&run(&["data", "--json"]));
    assert!(document["files"].as_array().unwrap().iter().all(|file| file["collection"] == "MNIST"));
    refused(&["data", "download", "emnist"], 2, &["no collection 'emnist'", "mnist, fashion-mnist, kmnist"]);
}

#[test]
#[cfg(target_os = "linux")]
fn caches_are_taken_if_they_are_what_was_published() {
    let cache = tempfile::tempdir().unwrap();
    let with = |arguments: &[&str]| ran(compare(arguments).env("XDG_CACHE_HOME", cache.path()).output().unwrap());
    let refused = |arguments: &[&str], part: &str| {
        let ran = with(arguments);
        assert!(ran.code == Some(3) && ran.err.contains(part), "{arguments:?}: expected '{part}': {}", ran.err);
    };
    refused(&["data", "--data", "fashion-mnist"], "'compare data download fashion-mnist' fetches it");
    refused(
        &["data", "download", "kmnist", "--mirror", "http://127.0.0.1:1"],
        "127.0.0.1:1/train-images-idx3-ubyte.gz",
    );
    let mnist = cache.path().join("mlp-parity/mnist");
    std::fs::create_dir_all(&mnist).unwrap();
    std::fs::write(mnist.join("train-images-idx3-ubyte.gz"), "half").unwrap();
    refused(&["--data", "download"], "not the file that was published");

    let burn = cache.path().join("burn-dataset/mnist");
    refused(&["data", "--data", "burn-cache"], "burn-dataset/mnist/train");
    for (index, (name, bytes)) in DataSource::Embedded.files().unwrap().iter().enumerate() {
        let folder = burn.join(if index < 2 { "train" } else { "test" });
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(name), bytes).unwrap();
    }
    let ran = with(&["data", "--data", "burn-cache", "--json"]);
    assert_eq!(json(&ran)["digest"], mlp_parity::mnist::ORIGINAL_DIGEST);
    std::fs::write(burn.join("test/t10k-labels-idx1-ubyte"), "half").unwrap();
    refused(&["data", "--data", "burn-cache"], "perhaps half of it");
}

#[test]
fn doctor_says_what_runs_and_why_not() {
    let document = json(&run(&["doctor", "--json"]));
    let implementations = document["implementations"].as_array().unwrap();
    let find = |name: &str| implementations.iter().find(|found| found["name"] == name).unwrap();
    assert!(find("scratch")["device"].is_string() && find("framework/flex")["device"].is_string());
    assert!(find("framework/cuda")["problem"].as_str().unwrap().contains("--features cuda"));
    assert!(run(&["doctor"]).out.contains("framework/wgpu"));
}

#[test]
fn parameters_of_another_network_are_refused() {
    let reference = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden");
    let file = reference.join("report.safetensors");
    let file = file.to_str().unwrap();
    refused(&["evaluate", file], 2, &["activation", "the file does not tell it"]);
    assert_eq!(run(&["evaluate", file, "--activation", "relu"]).code, Some(0));
    let image = [0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 5, 6];
    let label = [0, 0, 8, 1, 0, 0, 0, 1, 3];
    let folder = folder_of([&image, &label, &image, &label]);
    let data = folder.path().to_str().unwrap();
    refused(&["evaluate", file, "--activation", "relu", "--data", data], 3, &["2 pixels", "784 inputs"]);
}

#[test]
fn a_cut_image_file_is_refused_with_its_name() {
    let [(_, images), (_, labels), (_, test_images), (_, test_labels)] = DataSource::Embedded.files().unwrap();
    let folder = folder_of([&images[..images.len() / 2], &labels, &test_images, &test_labels]);
    let data = folder.path().to_str().unwrap();
    refused(&["--data", data], 3, &["train-images-idx3-ubyte", "is truncated"]);
    let from_environment = ran(compare(&["data"]).env("MLP_PARITY_DATA", data).output().unwrap());
    assert_eq!(from_environment.code, Some(3));
}

#[test]
#[cfg(unix)]
fn an_interrupt_ends_the_batch_and_keeps_what_is_complete() {
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
        ran(child.wait_with_output().unwrap())
    };
    let ran = interrupted();
    assert_eq!(ran.code, Some(130), "{}", ran.err);
    let document: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(document["runs"][0]["complete"], false);
    assert!(!document["runs"][0]["epochs"].as_array().unwrap().is_empty());
    assert_eq!(run(&["evaluate", file.to_str().unwrap()]).code, Some(0));
    // What was there before is not replaced by what was not trained to its end.
    std::fs::write(&file, "a network").unwrap();
    let ran = interrupted();
    assert!(ran.code == Some(130) && ran.err.contains("stays as it was"), "{}", ran.err);
    assert_eq!(std::fs::read(&file).unwrap(), b"a network");
}

#[test]
#[cfg(target_os = "linux")]
fn who_reads_no_progress_gets_the_result_all_the_same() {
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("network.safetensors");
    let train = ["train", "--implementation", "scratch", "--epochs", "1", "--train-size", "640", "--hidden", "16"];
    let ran = ran(compare(&train).args(["--save", file.to_str().unwrap()]).stderr(full()).output().unwrap());
    assert!(ran.code == Some(0) && ran.out.contains("test accuracy") && file.exists(), "{:?}", ran.code);
}
