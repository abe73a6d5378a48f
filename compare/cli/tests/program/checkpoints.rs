//! Tests of checkpoints: killed runs that are resumed, and checkpoints that are rejected.

use std::path::Path;
use std::time::Duration;

use mlp_parity::{Checkpoint, SafetensorsFile};

use serde_json::Value;

use super::run::{SMALL, assert_fails, collect_output, compare, json, run};

/// File name of the checkpoint that `train` writes for scratch with a custom training configuration.
const CHECKPOINT: &str = "custom.scratch.checkpoint.safetensors";

/// Arguments of a training run that takes a few hundred milliseconds on two threads.
const TRAIN: [&str; 13] = [
    "train",
    "--train-size",
    "6000",
    "--test-size",
    "500",
    "--hidden",
    "300,100",
    "--epochs",
    "6",
    "--schedule",
    "cosine",
    "--threads",
    "2",
];

/// Returns the arguments that train `implementation` with `optimizer`.
fn train<'a>(implementation: &'a str, optimizer: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&TRAIN[..], &["--implementation", implementation, "--optimizer", optimizer], more].concat()
}

/// Reads a file of parameters as bytes.
fn parameters(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap()
}

#[test]
fn killed_run_resumes_to_identical_parameters() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let [whole, pieces, output] = [path("whole.safetensors"), path("pieces.safetensors"), path("run")];
    for (implementation, optimizer) in [
        ("scratch", "sgd"),
        ("scratch", "momentum"),
        ("scratch", "adam"),
        ("framework", "momentum"),
        ("framework", "adamw"),
    ] {
        let expected = json(&run(&train(implementation, optimizer, &["--save", &whole, "--json"])));
        let resume = ["--output", &output, "--resume", "--save", &pieces, "--json"];
        let mut killed = 0;
        for moment in 0..5_u64 {
            let mut child = compare(&train(implementation, optimizer, &resume))
                .stdout(std::process::Stdio::null())
                .spawn()
                .unwrap();
            // Kill the process at moments that are spread over the run and do not coincide with ends of epochs.
            std::thread::sleep(Duration::from_millis(130 + moment * 97 % 400));
            child.kill().unwrap();
            killed += usize::from(!child.wait().unwrap().success());
        }
        assert!(killed > 0, "every process finished before it could be killed");
        let resumed = json(&run(&train(implementation, optimizer, &resume)));
        assert_eq!(parameters(Path::new(&pieces)), parameters(Path::new(&whole)), "{implementation}, {optimizer}");
        let losses = |document: &serde_json::Value| {
            let epochs = document["runs"][0]["epochs"].as_array().unwrap().clone();
            epochs
                .into_iter()
                .map(|epoch| (epoch["train_loss"].clone(), epoch["test_accuracy"].clone()))
                .collect::<Vec<_>>()
        };
        assert_eq!(losses(&resumed), losses(&expected));
        assert_eq!(resumed["runs"][0]["confusion"], expected["runs"][0]["confusion"]);
        std::fs::remove_dir_all(&output).unwrap();
    }
}

/// If Burn is built with a GPU backend, it restores the optimizer state on the GPU unless told otherwise. A run on the
/// CPU must therefore be resumable on a machine without a graphics adapter.
#[test]
fn cpu_run_resumes_without_graphics_adapter() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().to_str().unwrap();
    let train = |epochs: &str| {
        let small =
            ["train", "--implementation", "framework", "--train-size", "640", "--test-size", "100", "--hidden", "16"];
        let mut command = compare(&[&small[..], &["--output", output, "--resume", "--epochs", epochs]].concat());
        command.env("VK_DRIVER_FILES", "/nonexistent").env("VK_ICD_FILENAMES", "/nonexistent");
        collect_output(command.env("__EGL_VENDOR_LIBRARY_FILENAMES", "/nonexistent.json").output().unwrap())
    };
    assert_eq!(train("1").code, Some(0));
    let resumed = train("2");
    assert_eq!(resumed.code, Some(0), "{}", resumed.err);
    assert!(
        resumed.err.contains("resuming after epoch 1 of 2") && resumed.err.contains("2 of 2 epochs"),
        "{}",
        resumed.err
    );
    assert!(!resumed.err.contains("XDG_RUNTIME_DIR"), "{}", resumed.err);
}

#[test]
fn killed_comparison_resumes_to_same_verdict() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().to_str().unwrap();
    #[rustfmt::skip]
    let small = [
        "--train-size", "6000", "--test-size", "500", "--hidden", "60,30", "--epochs", "4", "--threads", "2", "--json",
    ];
    let expected = json(&run(&small));
    let resume = [&small[..], &["--output", output, "--resume"]].concat();
    for moment in [900, 1300, 700] {
        let mut child = compare(&resume).stdout(std::process::Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(moment));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let resumed = json(&run(&resume));
    for part in ["verdict", "reason", "agreements"] {
        assert_eq!(resumed[part], expected[part], "{part}");
    }
    let figures = |document: &serde_json::Value| -> Vec<_> {
        let runs = document["runs"].as_array().unwrap().clone();
        runs.into_iter().map(|run| (run["confusion"].clone(), run["epochs"][3]["train_loss"].clone())).collect()
    };
    assert_eq!(figures(&resumed), figures(&expected));
    // A further resume finds every run complete, and appends no record.
    let records = || std::fs::read_to_string(folder.path().join("records.jsonl")).unwrap();
    let before = records();
    assert_eq!(json(&run(&resume))["agreements"], expected["agreements"]);
    assert_eq!(records(), before);
    assert_eq!(before.lines().count(), 4, "{before}");
}

#[test]
fn resume_rejects_mismatched_and_damaged_checkpoints() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().to_str().unwrap();
    let small = [
        "train",
        "--implementation",
        "scratch",
        "--train-size",
        "640",
        "--test-size",
        "100",
        "--hidden",
        "16",
        "--output",
        output,
    ];
    let with = |more: &[&'static str]| [&small[..], &["--optimizer", "sgd"], more].concat();
    let another = collect_output(compare(&[&small[..], &["--epochs", "1"]].concat()).output().unwrap());
    assert_eq!(another.code, Some(0), "{}", another.err);
    let resumed = collect_output(compare(&with(&["--resume", "--epochs", "2"])).output().unwrap());
    assert!(
        resumed.err.contains("no checkpoint of this training configuration found (only of sgd), starting at epoch 1"),
        "{}",
        resumed.err
    );
    let complete = parameters(&folder.path().join(CHECKPOINT));
    assert_fails(&with(&["--epochs", "2"]), 2, &[CHECKPOINT, "with 2 of 2 epochs complete", "--resume"]);
    assert!(parameters(&folder.path().join(CHECKPOINT)) == complete);
    assert_fails(&with(&["--resume", "--seed", "1"]), 3, &[CHECKPOINT, "its seed is 0, this run's is 1"]);
    assert_fails(&with(&["--resume", "--activation", "tanh"]), 3, &["its network is", "relu", "tanh"]);
    assert_fails(&["train", "--implementation", "scratch", "--resume"], 2, &["--output"]);
    // A resumed run may have more epochs, unless its schedule depends on the number of epochs.
    let longer = collect_output(compare(&with(&["--resume", "--epochs", "3"])).output().unwrap());
    assert!(longer.code == Some(0) && longer.out.lines().count() == 5, "{}{}", longer.out, longer.err);
    assert_fails(
        &with(&["--resume", "--epochs", "3", "--schedule", "cosine"]),
        3,
        &["schedule is constant, this run's is cosine"],
    );
    assert_fails(&with(&["--resume", "--epochs", "2"]), 3, &["its number of epochs is 3, this run's is 2"]);
    let resume = with(&["--resume", "--epochs", "3"]);
    let fewer: Vec<&str> = resume.iter().map(|&argument| if argument == "100" { "99" } else { argument }).collect();
    assert_fails(&fewer, 3, &["its number of test images is 100, this run's is 99"]);
    let mut checkpoint = Checkpoint::load(&folder.path().join(CHECKPOINT)).unwrap();
    checkpoint.training = checkpoint.training.with_epochs(4);
    checkpoint.save(&folder.path().join(CHECKPOINT)).unwrap();
    assert_fails(&with(&["--epochs", "4"]), 2, &[CHECKPOINT, "with 3 of 4 epochs complete", "--resume"]);

    let path = folder.path().join(CHECKPOINT);
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    assert_fails(&with(&["--resume", "--epochs", "4"]), 3, &[CHECKPOINT, "damaged", "delete the file"]);
    std::fs::write(&path, &bytes[..middle]).unwrap();
    assert_fails(&with(&["--resume", "--epochs", "4"]), 3, &[CHECKPOINT, "truncated"]);
}

#[test]
fn checkpoint_of_other_processor_is_resumed_only_if_mixed_rounding_errors_are_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().to_str().unwrap();
    let with = |kernels: &str, epochs: &'static str, more: &[&'static str]| {
        let sizes = ["--train-size", "640", "--test-size", "100", "--hidden", "16", "--resume", "--output", output];
        let arguments = [&["train", "--implementation", "scratch", "--epochs", epochs], &sizes[..], more].concat();
        collect_output(compare(&arguments).env("MLP_PARITY_KERNELS", kernels).output().unwrap())
    };
    let fastest = mlp_parity_scratch::kernels::instruction_set().unwrap();
    assert_eq!(with("portable", "1", &[]).code, Some(0));
    assert_eq!(with("portable", "2", &[]).code, Some(0));
    let refused = with(fastest, "3", &[]);
    // Only on a processor without vector instructions is the fastest instruction set the portable one.
    if fastest != "portable" {
        assert_eq!(refused.code, Some(3), "{}", refused.err);
        for part in ["sgd.scratch.checkpoint", "processor", "portable", fastest, "--allow-mixed"] {
            assert!(refused.err.contains(part), "expected '{part}': {}", refused.err);
        }
    }
    assert_eq!(with(fastest, "3", &["--allow-mixed"]).code, Some(0));
    assert_fails(&["train", "--implementation", "scratch", "--output", output, "--allow-mixed"], 2, &["--resume"]);
}

#[test]
fn checkpoint_with_impossible_results_is_rejected() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().to_str().unwrap();
    let sizes = ["--train-size", "640", "--test-size", "100", "--hidden", "16", "--optimizer", "sgd"];
    let with = |more: &[&'static str]| {
        [&["train", "--implementation", "scratch", "--output", output], &sizes[..], more].concat()
    };
    assert_eq!(run(&with(&["--epochs", "1"])).code, Some(0));
    let checkpoint = Checkpoint::load(&folder.path().join(CHECKPOINT)).unwrap();
    for (field, value, part) in [
        ("epoch", 9.into(), "increasing numbers from 1 to 1"),
        ("test_accuracy", 7.5.into(), "test_accuracy of epoch 1 is 7.5"),
        ("train_loss", "NaN".into(), "train_loss of epoch 1 is NaN"),
    ] {
        let mut changed = checkpoint.clone();
        changed.notes["records"][0][field] = value;
        changed.save(&folder.path().join(CHECKPOINT)).unwrap();
        assert_fails(&with(&["--epochs", "2", "--resume"]), 3, &[CHECKPOINT, part, "delete the file"]);
    }
}

#[test]
fn checks_from_checkpoint_continue_the_run_with_every_implementation() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().to_str().unwrap();
    let trained =
        run(&[&["train", "--implementation", "scratch", "--optimizer", "adam", "--output", output], &SMALL[..]]
            .concat());
    assert_eq!(trained.code, Some(0), "{}", trained.err);
    let path = folder.path().join(CHECKPOINT);
    let checkpoint = path.to_str().unwrap();
    let document = json(&run(&["check", "--from", checkpoint, "--json"]));
    let checks = document["checks"].as_array().unwrap();
    for candidate in ["scratch", "framework/flex"] {
        for stage in ["parameters", "gradients", "update", "trajectory", "training-loop"] {
            let is_same = |check: &&Value| check["candidate"] == candidate && check["stage"] == stage;
            let check = checks.iter().find(is_same).unwrap_or_else(|| panic!("{stage} of {candidate}"));
            assert_eq!(check["scenario"], "adam after epoch 2");
        }
    }
    // The number of updates of the run is known from the data set in the checkpoint: 640 images in batches of 4.
    let updates: Vec<&Value> = checks.iter().filter(|check| check["tensor"] == "updates").collect();
    assert_eq!((updates.len(), &updates[0]["expected"]), (2, &320.0.into()));
    let mut wrong = Checkpoint::load(&path).unwrap();
    wrong.optimizer.steps = 300;
    wrong.save(&path).unwrap();
    let page = folder.path().join("page.html");
    let result = run(&["check", "--from", checkpoint, "--html", page.to_str().unwrap()]);
    assert_eq!(result.code, Some(1), "{}", result.err);
    let page = std::fs::read_to_string(page).unwrap();
    for text in [result.out, page] {
        assert!(["disagree", "updates", "300", "adam after epoch 2"].iter().all(|part| text.contains(part)), "{text}");
    }
}

#[test]
fn checks_from_file_without_optimizer_state_are_rejected() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (output, saved) = (file("run"), file("network.safetensors"));
    let options = ["train", "--implementation", "scratch", "--output", &output, "--save", &saved];
    assert_eq!(run(&[&options, &SMALL[..]].concat()).code, Some(0));
    assert_fails(&["check", "--from", &saved], 3, &["not a checkpoint", "--initial", "no optimizer state"]);
    assert_fails(&["check", "--from", &file("missing")], 3, &["missing"]);
    let path = folder.path().join("run/sgd.scratch.checkpoint.safetensors");
    let checkpoint = path.to_str().unwrap();
    for other in [&["--initial", &saved][..], &["--hidden", "10"], &["--optimizer", "sgd"], &["--trace", &saved]] {
        assert_fails(&[&["check", "--from", checkpoint], other].concat(), 2, &["cannot be used with"]);
    }
    // A run on other images: they must be named.
    let mut other = Checkpoint::load(&path).unwrap();
    other.notes["dataset"]["digest"] = "sha256:0".into();
    other.save(&path).unwrap();
    assert_fails(&["check", "--from", checkpoint], 2, &["other images than MNIST", "--data"]);
    let named = run(&["check", "--from", checkpoint, "--data", "embedded"]);
    assert_eq!(named.code, Some(0), "{}", named.err);
    assert!(named.err.contains("not the images of the run"), "{}", named.err);
    assert!(named.out.contains("from the state after training: sgd after epoch 2"), "{}", named.out);
}
