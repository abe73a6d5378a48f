//! Options: from the command line, from a file, completed by a shell, and refused.

use super::run::{json, refused, run};

#[test]
fn shells_and_man_know_every_command() {
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let script = run(&["completions", shell]);
        assert_eq!(script.code, Some(0), "{}", script.err);
        assert!(script.out.contains("predict") && script.out.contains("learning-rate"), "{shell}: {}", script.out);
    }
    refused(&["completions", "dos"], 2, &["'dos'", "zsh"]);
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(run(&["man", folder.path().to_str().unwrap()]).code, Some(0));
    let page = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    assert!(page("compare.1").contains("compare\\-reproduce(1)"), "{}", page("compare.1"));
    assert!(page("compare-train.1").contains("learning\\-rate"), "{}", page("compare-train.1"));
    refused(&["man", "/proc/mlp-parity"], 3, &["/proc/mlp-parity"]);
}

#[test]
fn a_file_of_options_is_as_good_as_options() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("recipe.toml");
    let file = path.to_str().unwrap();
    let train = ["train", "--implementation", "scratch", "--train-size", "640", "--test-size", "100", "--hidden", "16"];
    std::fs::write(&path, "optimizer = 'momentum'\nnesterov = true\nepochs = 2\njson = true\n").unwrap();
    let document = json(&run(&[&train[..], &["--config", file]].concat()));
    let training = &document["trainings"][0];
    assert_eq!(
        (&training["optimizer"], &training["nesterov"], &training["epochs"]),
        (&"momentum".into(), &true.into(), &2.into())
    );
    let shorter = json(&run(&[&train[..], &["--config", file, "--epochs", "1"]].concat()));
    assert_eq!(shorter["trainings"][0]["epochs"], 1);
    let effective = run(&[&["config"], &train[..], &["--config", file]].concat());
    assert!(
        effective.out.contains("nesterov = true\nweight-decay")
            || effective.out.contains("nesterov = true\n# weight-decay"),
        "{}",
        effective.out
    );
    std::fs::write(&path, "optimiser = 'adam'").unwrap();
    refused(&[&train[..], &["--config", file]].concat(), 2, &["recipe.toml", "no 'optimiser'", "'optimizer' is near"]);
    refused(&[&train[..], &["--config", "nowhere.toml"]].concat(), 3, &["nowhere.toml"]);
}

#[test]
fn options_that_make_no_sense_are_wrong_usage() {
    for (arguments, parts) in [
        (&["--batch-size", "0"][..], &["batch-size", "at least one image"][..]),
        (&["--epochs", "0"], &["epochs"]),
        (&["--learning-rate", "-1"], &["learning-rate", "-1"]),
        (&["--learning-rate", "NaN"], &["learning-rate", "NaN"]),
        (&["--weight-decay", "-0.1"], &["weight-decay"]),
        (&["--momentum", "1.5"], &["momentum", "[0, 1)"]),
        (&["--optimizer", "adam", "--momentum", "0.9"], &["adam has no momentum"]),
        (&["--optimizer", "sdg"], &["sdg", "momentum"]),
        (&["--hidden", "500,0"], &["hidden", "layer 2 has width 0"]),
        (&["--hidden", "1000000000000"], &["hidden", "weights"]),
        (&["--hidden", "wide"], &["'wide' is no width"]),
        (&["--train-size", "60001"], &["--train-size", "60000"]),
        (&["--test-size", "0"], &["--test-size", "10000"]),
        (&["--seeds", "0"], &["--seeds", "1.."]),
        (&["--margin", "0"], &["--margin", "above 0"]),
        (&["--threads", "0"], &["--threads", "from 1 to 1024"]),
        (&["--threads", "1025"], &["--threads", "from 1 to 1024"]),
        (&["--activation", "gelu"], &["gelu", "sigmoid, relu, tanh"]),
        (&["--activation", "tanh-as-printed"], &["by hand only"]),
        (&["--backend", "tpu"], &["'tpu'", "flex", "--features"]),
        (&["--backend", "cuda"], &["not in this program", "--features cuda"]),
        (&["--data", "digits"], &["no source 'digits'", "embedded", "fashion-mnist"]),
        (&["train"], &["--implementation"]),
        (&["train", "--implementation", "scratch", "--backend", "flex"], &["--implementation framework"]),
        (&["train", "--implementation", "framework", "--activation", "tanh-as-printed"], &["by hand only"]),
    ] {
        refused(arguments, 2, parts);
    }
}

#[test]
fn input_that_cannot_be_read_and_output_that_cannot_be_written_are_found_before_training() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("file"), "").unwrap();
    refused(&["--data", &path("absent")], 3, &["absent", "no such folder"]);
    refused(&["--data", folder.path().to_str().unwrap()], 3, &["train-images-idx3-ubyte", "missing"]);
    refused(&["--output", &path("file/below")], 3, &["file/below"]);
    refused(&["--junit", &path("file/junit.xml")], 3, &["file"]);
    refused(&["--output", "/proc/mlp-parity"], 3, &["/proc/mlp-parity"]);
    refused(&["train", "--implementation", "scratch", "--save", &path("file/x/y")], 3, &["file/x"]);
    refused(&["train", "--implementation", "scratch", "--save", &path(".")], 3, &["directory"]);
    refused(&["evaluate", &path("absent")], 3, &["absent"]);
    refused(&["evaluate", &path("file")], 3, &["not a whole safetensors file"]);
}
