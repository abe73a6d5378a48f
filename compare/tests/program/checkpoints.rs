//! Runs that are killed and go on.

use std::path::Path;
use std::time::Duration;

use mlp_parity_compare::checkpoint::CHECKPOINT;

use super::run::{compare, json, ran, refused, run};

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
    let with = |more: &[&'static str]| [&small[..], more].concat();
    assert_eq!(run(&with(&["--epochs", "1"])).code, Some(0));
    refused(&with(&["--epochs", "1"]), 2, &["--resume", CHECKPOINT]);
    refused(&with(&["--resume", "--seed", "1"]), 3, &[CHECKPOINT, "the plan was", "\"seed\":0", "\"seed\":1"]);
    refused(&with(&["--resume", "--activation", "tanh"]), 3, &["the network was", "relu", "tanh"]);
    refused(&["train", "--implementation", "scratch", "--resume"], 2, &["--output"]);
    // A longer run goes on; one whose learning rates know its end does not.
    let longer = ran(compare(&with(&["--resume", "--epochs", "3"])).output().unwrap());
    assert!(longer.code == Some(0) && longer.out.lines().count() == 5, "{}{}", longer.out, longer.err);
    refused(&with(&["--resume", "--epochs", "3", "--schedule", "cosine"]), 3, &["the plan was"]);
    refused(&with(&["--resume", "--epochs", "2"]), 3, &["the plan was"]);

    let path = folder.path().join(CHECKPOINT);
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    refused(&with(&["--resume", "--epochs", "3"]), 3, &[CHECKPOINT, "damaged"]);
    std::fs::write(&path, &bytes[..middle]).unwrap();
    refused(&with(&["--resume", "--epochs", "3"]), 3, &[CHECKPOINT, "truncated"]);
}
