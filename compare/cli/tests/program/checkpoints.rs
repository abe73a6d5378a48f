//! Runs that are killed and go on.

use std::path::Path;
use std::time::Duration;

use mlp_parity::{Checkpoint, SafetensorsFile};

use super::run::{compare, json, ran, refused, run};

/// What `train` calls it there.
const CHECKPOINT: &str = "custom.scratch.checkpoint.safetensors";

/// Some hundred milliseconds of training on two threads.
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

fn train<'a>(implementation: &'a str, optimizer: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&TRAIN[..], &["--implementation", implementation, "--optimizer", optimizer], more].concat()
}

fn parameters(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap()
}

#[test]
fn a_killed_run_goes_on_to_the_same_parameters() {
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
            // Spread over the run, and not in step with its epochs.
            std::thread::sleep(Duration::from_millis(130 + moment * 97 % 400));
            child.kill().unwrap();
            killed += usize::from(!child.wait().unwrap().success());
        }
        assert!(killed > 0, "each came to its end before it could be killed");
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

/// Burn would restore what an optimizer remembers on a graphics card if it is built for one.
#[test]
fn a_run_on_the_processor_goes_on_without_a_graphics_adapter() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().to_str().unwrap();
    let train = |epochs: &str| {
        let small =
            ["train", "--implementation", "framework", "--train-size", "640", "--test-size", "100", "--hidden", "16"];
        let mut command = compare(&[&small[..], &["--output", output, "--resume", "--epochs", epochs]].concat());
        command.env("VK_DRIVER_FILES", "/nonexistent").env("VK_ICD_FILENAMES", "/nonexistent");
        ran(command.env("__EGL_VENDOR_LIBRARY_FILENAMES", "/nonexistent.json").output().unwrap())
    };
    assert_eq!(train("1").code, Some(0));
    let resumed = train("2");
    assert_eq!(resumed.code, Some(0), "{}", resumed.err);
    assert!(
        resumed.err.contains("going on after epoch 1 of 2") && resumed.err.contains("2 of 2 epochs"),
        "{}",
        resumed.err
    );
    assert!(!resumed.err.contains("XDG_RUNTIME_DIR"), "{}", resumed.err);
}

#[test]
fn a_killed_comparison_goes_on_to_the_same_verdict() {
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
    // Another time, everything is there, and nothing is written twice.
    let records = || std::fs::read_to_string(folder.path().join("records.jsonl")).unwrap();
    let before = records();
    assert_eq!(json(&run(&resume))["agreements"], expected["agreements"]);
    assert_eq!(records(), before);
    assert_eq!(before.lines().count(), 4, "{before}");
}

#[test]
fn a_checkpoint_of_another_run_or_a_damaged_one_is_refused() {
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
    let another = ran(compare(&[&small[..], &["--epochs", "1"]].concat()).output().unwrap());
    assert_eq!(another.code, Some(0), "{}", another.err);
    let resumed = ran(compare(&with(&["--resume", "--epochs", "2"])).output().unwrap());
    assert!(
        resumed.err.contains("no checkpoint of this training here, but of from-scratch: beginning"),
        "{}",
        resumed.err
    );
    // A complete run may be made again, and a longer one is one that is not complete.
    assert_eq!(run(&with(&["--epochs", "2"])).code, Some(0));
    assert_eq!(run(&with(&["--epochs", "1"])).code, Some(0));
    refused(&with(&["--resume", "--seed", "1"]), 3, &[CHECKPOINT, "the seed was 0, and now 1"]);
    refused(&with(&["--resume", "--activation", "tanh"]), 3, &["the network was", "relu", "tanh"]);
    refused(&["train", "--implementation", "scratch", "--resume"], 2, &["--output"]);
    // A longer run goes on; one whose learning rates know its end does not.
    let longer = ran(compare(&with(&["--resume", "--epochs", "3"])).output().unwrap());
    assert!(longer.code == Some(0) && longer.out.lines().count() == 5, "{}{}", longer.out, longer.err);
    refused(
        &with(&["--resume", "--epochs", "3", "--schedule", "cosine"]),
        3,
        &["schedule was constant, and now cosine"],
    );
    refused(&with(&["--resume", "--epochs", "2"]), 3, &["the number of epochs was 3, and now 2"]);
    let resume = with(&["--resume", "--epochs", "3"]);
    let fewer: Vec<&str> = resume.iter().map(|&argument| if argument == "100" { "99" } else { argument }).collect();
    refused(&fewer, 3, &["the number of test images was 100, and now 99"]);
    let mut checkpoint = Checkpoint::load(&folder.path().join(CHECKPOINT)).unwrap();
    checkpoint.training = checkpoint.training.with_epochs(4);
    checkpoint.save(&folder.path().join(CHECKPOINT)).unwrap();
    refused(&with(&["--epochs", "4"]), 2, &[CHECKPOINT, "after 3 of 4 epochs", "--resume"]);

    let path = folder.path().join(CHECKPOINT);
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    refused(&with(&["--resume", "--epochs", "4"]), 3, &[CHECKPOINT, "damaged", "remove it"]);
    std::fs::write(&path, &bytes[..middle]).unwrap();
    refused(&with(&["--resume", "--epochs", "4"]), 3, &[CHECKPOINT, "truncated"]);
}
