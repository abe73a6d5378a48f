//! Tests of options: from the command line and from a file, shell completion, and rejected values.

use serde_json::Value;

use super::run::{assert_fails, json, run};

#[test]
fn completions_and_man_pages_cover_commands() {
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let script = run(&["completions", shell]);
        assert_eq!(script.code, Some(0), "{}", script.err);
        assert!(script.out.contains("predict") && script.out.contains("learning-rate"), "{shell}: {}", script.out);
    }
    assert_fails(&["completions", "dos"], 2, &["'dos'", "zsh"]);
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(run(&["man", folder.path().to_str().unwrap()]).code, Some(0));
    let page = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    assert!(page("compare.1").contains("compare\\-reproduce(1)"), "{}", page("compare.1"));
    assert!(page("compare-train.1").contains("learning\\-rate"), "{}", page("compare-train.1"));
    assert_fails(&["man", "/proc/mlp-parity"], 3, &["/proc/mlp-parity"]);
}

#[test]
fn config_file_options_apply_like_arguments() {
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
    assert_fails(
        &[&train[..], &["--config", file]].concat(),
        2,
        &["recipe.toml", "unknown option 'optimiser'", "did you mean 'optimizer'"],
    );
    assert_fails(&[&train[..], &["--config", "nowhere.toml"]].concat(), 3, &["nowhere.toml"]);
}

#[test]
fn option_values_ignore_case() {
    #[rustfmt::skip]
    let train = [
        "train", "--implementation", "Scratch", "--train-size", "640", "--test-size", "100", "--hidden", "None",
        "--epochs", "1", "--json",
    ];
    let custom = [
        &train[..],
        &["--activation", "ReLU", "--optimizer", "AdamW", "--schedule", "One-Cycle", "--data", "Embedded"],
    ];
    let document = json(&run(&custom.concat()));
    assert_eq!(
        (&document["config"]["activation"], &document["config"]["hidden"]),
        (&"relu".into(), &Value::Array(vec![]))
    );
    let training = &document["trainings"][0];
    assert_eq!((&training["optimizer"], &training["schedule"]), (&"adamw".into(), &"one-cycle".into()));
    let framework = ["train", "--implementation", "FRAMEWORK", "--backend", "Flex"];
    let document = json(&run(&[&framework[..], &train[3..]].concat()));
    assert_eq!(document["runs"][0]["backend"], "flex");
    assert_eq!(run(&["completions", "Bash"]).code, Some(0));
}

#[test]
fn config_file_values_ignore_case() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("recipe.toml");
    let file = path.to_str().unwrap();
    let recipe = "implementation = 'Framework'\nbackend = 'FLEX'\nactivation = 'Tanh'\noptimizer = 'Momentum'\n\
                  schedule = 'Cosine'\nhidden = 'NONE'\ndata = 'EMBEDDED'\nepochs = 1\n";
    std::fs::write(&path, recipe).unwrap();
    let train = ["train", "--config", file, "--train-size", "640", "--test-size", "100", "--json"];
    let document = json(&run(&train));
    assert_eq!(
        (&document["config"]["activation"], &document["config"]["hidden"]),
        (&"tanh".into(), &Value::Array(vec![]))
    );
    let training = &document["trainings"][0];
    assert_eq!((&training["optimizer"], &training["schedule"]), (&"momentum".into(), &"cosine".into()));
    assert_eq!(
        (&document["runs"][0]["implementation"], &document["runs"][0]["backend"]),
        (&"framework".into(), &"flex".into())
    );
}

#[test]
fn invalid_options_are_usage_errors() {
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
        (&["--hidden", "wide"], &["'wide' is not a layer width"]),
        (&["--train-size", "60001"], &["--train-size", "60000"]),
        (&["--test-size", "0"], &["--test-size", "10000"]),
        (&["--seeds", "0"], &["--seeds", "a whole number from 1 to 65535"]),
        (&["--margin", "0"], &["--margin", "more than 0"]),
        (&["--threads", "0"], &["--threads", "expected 1 to 1024"]),
        (&["--threads", "1025"], &["--threads", "expected 1 to 1024"]),
        (&["--activation", "gelu"], &["gelu", "sigmoid, relu, tanh"]),
        (&["--backend", "tpu"], &["'tpu'", "flex", "--features"]),
        (&["--backend", "cuda"], &["not part of this build", "--features cuda"]),
        (&["--data", "digits"], &["unknown data source 'digits'", "embedded", "fashion-mnist"]),
        (&["train"], &["--implementation"]),
        (&["train", "--implementation", "scratch", "--backend", "flex"], &["--implementation framework"]),
    ] {
        assert_fails(arguments, 2, parts);
    }
}

#[test]
fn extreme_hyper_parameters_are_no_disagreement() {
    let check = ["check", "--hidden", "4", "--batch-size", "4", "--quiet"];
    for optimizer in [
        &["--optimizer", "sgd"][..],
        &["--nesterov", "--weight-decay", "1"],
        &["--optimizer", "momentum", "--weight-decay", "3e38"],
        &["--optimizer", "adam"],
        &["--optimizer", "adam", "--weight-decay", "3e38"],
        &["--optimizer", "adamw", "--weight-decay", "1e3"],
    ] {
        for rate in ["0", "1e-45", "1e30", "1e37", "1e38", "3.4e38"] {
            let result = run(&[&check[..], optimizer, &["--learning-rate", rate]].concat());
            let overflows = result.out.contains("not compared, because the numbers may overflow: step ");
            let code = if overflows { 4 } else { 0 };
            assert_eq!(result.code, Some(code), "{optimizer:?} {rate}: {} {}", result.out, result.err);
            // Every update by such a rate exceeds the largest number, and none by such a small one does.
            if ["1e-45", "3.4e38"].contains(&rate) && !optimizer.contains(&"3e38") {
                assert_eq!(overflows, rate == "3.4e38", "{optimizer:?} {rate}");
            }
        }
    }
    let range = "a number from 1e-45 to 3.4028235e38";
    for rate in ["1e39", "1e-46"] {
        assert_fails(&["--learning-rate", rate], 2, &["--learning-rate", rate, range]);
        assert_fails(&["--weight-decay", rate], 2, &["--weight-decay", rate, range]);
    }
}

#[test]
fn unusable_paths_are_reported_before_training() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("file"), "").unwrap();
    assert_fails(&["--data", &path("absent")], 3, &["absent", "the folder does not exist"]);
    assert_fails(&["--data", folder.path().to_str().unwrap()], 3, &["train-images-idx3-ubyte", "missing"]);
    assert_fails(&["--output", &path("file/below")], 3, &["file/below"]);
    assert_fails(&["--junit", &path("file/junit.xml")], 3, &["file"]);
    assert_fails(&["--output", "/proc/mlp-parity"], 3, &["/proc/mlp-parity"]);
    assert_fails(&["train", "--implementation", "scratch", "--save", &path("file/x/y")], 3, &["file/x"]);
    assert_fails(&["train", "--implementation", "scratch", "--save", &path(".")], 3, &["directory"]);
    assert_fails(&["evaluate", &path("absent")], 3, &["absent"]);
    assert_fails(&["evaluate", &path("file")], 3, &["the file is empty"]);
}
