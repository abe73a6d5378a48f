//! Tests of the full comparison (`compare` without a command).

use std::path::Path;

use mlp_parity::{Checkpoint, SafetensorsFile};
use serde_json::Value;

use super::run::{SMALL, collect_output, compare, json, run, small};

#[test]
fn comparison_agrees_for_both_report_configurations() {
    let result = small(&[]);
    assert_eq!(result.code, Some(0), "{}", result.err);
    assert!(result.out.contains("verdict: agree"), "{}", result.out);
    for part in ["output_layer.bias", "nesterov with weight decay", "trajectory", "control replica 2", "framework/flex"]
    {
        assert!(result.out.contains(part), "expected '{part}': {}", result.out);
    }
    assert!(
        !result.out.contains('\u{1b}') && !result.err.contains('\u{1b}'),
        "no colour or animation unless on a terminal"
    );
    assert!(result.err.contains("2 of 2 epochs"));
    assert!(small(&["--quiet"]).err.is_empty());
}

#[test]
fn comparison_json_has_documented_members() {
    let document = json(&small(&["--json", "--quiet"]));
    assert_eq!(document["format"], "mlp-parity-result/2");
    assert_eq!(document["verdict"], "agree");
    assert_eq!(document["dataset"]["source"], "embedded");
    assert_eq!((&document["dataset"]["train"], &document["dataset"]["test"]), (&640.into(), &200.into()));
    assert_eq!(document["trainings"][1]["optimizer"], "adam");
    assert_eq!(document["trainings"][1]["weight_decay"], 1e-4);
    let checks = document["checks"].as_array().unwrap();
    for stage in ["parameters", "logits", "loss", "gradients", "update", "trajectory", "training-loop"] {
        for candidate in ["scratch", "framework/flex"] {
            assert!(checks.iter().any(|check| check["stage"] == stage && check["candidate"] == candidate), "{stage}");
        }
    }
    let gradient = checks.iter().find(|check| check["stage"] == "gradients").unwrap();
    assert_eq!(gradient["tensor"], "output_layer.bias");
    assert!(gradient["error"].as_f64().unwrap() <= gradient["bound"].as_f64().unwrap());
    let run = &document["runs"][1];
    assert_eq!((&run["implementation"], &run["backend"]), (&"framework".into(), &"flex".into()));
    assert_eq!(run["epochs"].as_array().unwrap().len(), 2);
    assert!(run["epochs"][1]["test_accuracy"].as_f64().unwrap() <= 1.0);
    assert_eq!(document["agreements"][0]["control_disagreements"].as_array().unwrap().len(), 2);
}

#[test]
fn comparison_is_independent_of_thread_count() {
    let without_times = |threads| {
        let mut options = SMALL.to_vec();
        // The last option is the number of threads.
        options[11] = threads;
        let mut document = json(&run(&[&["--json", "--quiet"], options.as_slice()].concat()));
        document["environment"]["threads"] = Value::Null;
        for run in document["runs"].as_array_mut().unwrap() {
            for epoch in run["epochs"].as_array_mut().unwrap() {
                epoch["seconds"] = Value::Null;
            }
        }
        document
    };
    assert_eq!(without_times("1"), without_times("2"));
}

#[test]
fn optimizer_option_selects_one_custom_configuration() {
    let document = json(&small(&["--json", "--quiet", "--optimizer", "momentum", "--nesterov"]));
    assert_eq!(document["trainings"].as_array().unwrap().len(), 1);
    assert_eq!(document["trainings"][0]["nesterov"], true);
    assert_eq!(document["runs"][0]["optimizer"], "momentum");
}

/// Checks the table and the plots of the divergence, the distance between the candidates' parameters during training.
fn check_divergence(output: &Path) {
    let divergence = std::fs::read_to_string(output.join("divergence.csv")).unwrap();
    assert_eq!(divergence.lines().next(), Some("training,candidate,step,distance"));
    for line in ["sgd,scratch replica 2,1,", "sgd,framework/flex,256,", "adam,framework/flex,256,"] {
        assert!(divergence.contains(line), "expected '{line}': {divergence}");
    }
    let svg = std::fs::read_to_string(output.join("divergence.svg")).unwrap();
    assert!(
        svg.starts_with("<svg") && ["10⁻⁷", "scratch replica 1", "training adam"].iter().all(|text| svg.contains(text))
    );
    let png = std::fs::read(output.join("divergence.png")).unwrap();
    assert!(png.starts_with(b"\x89PNG") && png.len() > 5_000);
}

/// Checks the confusion matrix of the last run, and the plots of losses and of misclassified images.
fn check_plots(output: &Path) {
    let last: Value = serde_json::from_str(
        std::fs::read_to_string(output.join("records.jsonl"))
            .unwrap()
            .lines()
            .rev()
            .find(|line| line.len() > 1)
            .unwrap(),
    )
    .unwrap();
    let last_run = &last["run"];
    let name = format!(
        "{}.{}.confusion.svg",
        last_run["training"].as_str().unwrap(),
        match last_run["backend"].as_str() {
            Some(backend) => format!("framework-{backend}"),
            None => "scratch".to_owned(),
        }
    );
    let confusion = std::fs::read_to_string(output.join(&name)).unwrap();
    let counts = last_run["confusion"].as_array().unwrap().iter().flat_map(|row| row.as_array().unwrap());
    for count in counts.filter(|count| **count != 0) {
        assert!(confusion.contains(&format!("\n{count}\n")), "{count} in {name}: {confusion}");
    }
    for training in ["sgd", "adam"] {
        let losses = std::fs::read_to_string(output.join(format!("{training}.losses.svg"))).unwrap();
        assert!(losses.contains("training loss") && losses.contains("framework/flex"), "{losses}");
        let sheet = image::open(output.join(format!("{training}.misclassified.png"))).unwrap();
        assert_eq!(sheet.width(), 12 * 68 + 12);
    }
}

#[test]
fn output_folder_has_records_plots_and_parameters() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("new").join("folder");
    for resume in [&[][..], &["--resume"]] {
        let result = small(&[&["--output", output.to_str().unwrap(), "--quiet"], resume].concat());
        let is_resumed = !resume.is_empty();
        assert_eq!((result.code, result.err.contains("ignoring the incomplete last line")), (Some(0), is_resumed));
        let records = std::fs::read_to_string(output.join("records.jsonl")).unwrap();
        assert_eq!(records.lines().count(), 4, "a resumed run must not append the same records again");
        for line in records.lines() {
            let record: Value = serde_json::from_str(line).unwrap();
            assert_eq!(record["format"], "mlp-parity-record/2");
            assert!(record["environment"]["revision"].is_string());
        }
        // Simulate a process that was killed while it wrote a line.
        std::fs::write(output.join("records.jsonl"), records + "{").unwrap();
    }
    check_divergence(&output);
    check_plots(&output);

    let file = output.join("adam.framework-flex.safetensors");
    let accuracy = |implementation| {
        let options = ["evaluate", file.to_str().unwrap(), "--implementation", implementation, "--json"];
        let document = json(&run(&options));
        assert_eq!(document["format"], "mlp-parity-evaluation/2");
        assert_eq!(document["candidate"]["implementation"], implementation);
        document["test_accuracy"].as_f64().unwrap()
    };
    approx::assert_abs_diff_eq!(accuracy("scratch"), accuracy("framework"), epsilon = 2e-4);
}

#[test]
fn comparison_of_several_seeds_tests_equivalence() {
    let folder = tempfile::tempdir().unwrap();
    let junit = folder.path().join("junit.xml");
    let result = small(&["--seeds", "2", "--optimizer", "sgd", "--verbose", "--junit", junit.to_str().unwrap()]);
    assert_eq!(result.code, Some(4), "{}", result.err);
    for part in [
        "training configuration custom, over 2 seeds",
        "at least 3 seeds",
        "McNemar",
        "Confusion matrix of framework/flex, training custom",
        "worst-case bound",
    ] {
        assert!(result.out.contains(part), "expected '{part}': {}", result.out);
    }
    let junit = std::fs::read_to_string(junit).unwrap();
    assert!(
        junit.contains("<skipped message=\"all checks pass, but with training configuration custom, over 2 seeds"),
        "{junit}"
    );
    let document = json(&small(&["--seeds", "3", "--optimizer", "sgd", "--margin", "50", "--json", "--quiet"]));
    let (runs, equivalence) = (document["runs"].as_array().unwrap(), &document["equivalences"][0]);
    let seeds: Vec<u64> = runs.iter().map(|run| run["seed"].as_u64().unwrap()).collect();
    assert_eq!(seeds, [0, 0, 1, 1, 2, 2]);
    assert_eq!((&equivalence["verdict"], &equivalence["margin"]), (&"equivalent".into(), &0.5.into()));
    assert_eq!(document["agreements"][2].get("passed"), None, "control replicas are used only with a single seed");
}

#[test]
fn output_folder_with_records_of_other_version_is_rejected() {
    let folder = tempfile::tempdir().unwrap();
    let (output, records) = (folder.path().to_str().unwrap(), folder.path().join("records.jsonl"));
    let line = "{\"format\":\"mlp-parity-record/1\"}\n";
    std::fs::write(&records, line).unwrap();
    for resume in [&[][..], &["--resume"]] {
        let result = small(&[&["--output", output], resume].concat());
        assert_eq!((result.code, result.out.as_str()), (Some(3), ""), "{}", result.err);
        assert!(result.err.contains("'mlp-parity-record/1'") && result.err.contains("'mlp-parity-record/2'"));
        assert_eq!(std::fs::read_to_string(&records).unwrap(), line, "the file must not change");
    }
}

#[test]
fn finished_output_folder_requires_resume() {
    let folder = tempfile::tempdir().unwrap();
    let (output, records) = (folder.path().to_str().unwrap(), folder.path().join("records.jsonl"));
    let compare = |more: &[&str]| small(&[&["--output", output, "--optimizer", "sgd"], more].concat());
    assert_eq!(compare(&[]).code, Some(0));
    let before = std::fs::read_to_string(&records).unwrap();
    let refused = compare(&[]);
    let expected = format!("error: {output} contains 2 records; use --resume to continue, or choose another folder\n");
    assert_eq!((refused.code, refused.out.as_str(), refused.err), (Some(2), "", expected));
    let resumed = compare(&["--resume"]);
    assert_eq!(resumed.code, Some(0), "{}", resumed.err);
    assert!(!resumed.err.contains("of 2 epochs,"), "no network must be trained again: {}", resumed.err);
    assert_eq!(std::fs::read_to_string(&records).unwrap(), before);
}

#[test]
fn unfinished_run_is_reported_before_check_suite() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().to_str().unwrap();
    let compare = |more: &[&str]| small(&[&["--output", output, "--optimizer", "sgd"], more].concat());
    assert_eq!(compare(&[]).code, Some(0));
    // The state after an interrupted run: a checkpoint without a record.
    std::fs::remove_file(folder.path().join("records.jsonl")).unwrap();
    let path = folder.path().join("custom.framework-flex.checkpoint.safetensors");
    let mut checkpoint = Checkpoint::load(&path).unwrap();
    checkpoint.training = checkpoint.training.with_epochs(3);
    checkpoint.save(&path).unwrap();
    let refused = compare(&[]);
    let expected = format!(
        "error: {} contains a run with 2 of 3 epochs complete; use --resume to continue it, or choose another \
         folder\n",
        path.display()
    );
    assert_eq!((refused.code, refused.out.as_str(), refused.err), (Some(2), "", expected));
    // A checkpoint of another run is also reported before the check suite.
    let refused = compare(&["--resume", "--seed", "1"]);
    assert_eq!((refused.code, refused.out.as_str()), (Some(3), ""), "{}", refused.err);
    assert_eq!(refused.err.matches("belongs to a different run").count(), 1, "{}", refused.err);
}

#[test]
fn comparison_of_untrained_networks_is_degenerate() {
    let result = small(&["--learning-rate", "0"]);
    assert_eq!(result.code, Some(4), "{}", result.err);
    assert!(result.out.contains("verdict: degenerate") && result.out.contains("proves nothing"), "{}", result.out);
}

#[test]
fn diverging_run_is_reported_with_epoch_and_batch() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().to_str().unwrap();
    let diverging = ["--optimizer", "sgd", "--learning-rate", "1e38", "--json", "--output", output];
    let result = small(&diverging);
    assert_eq!(result.code, Some(5), "{}", result.err);
    for part in ["training custom of ", "epoch 1, batch 2", "logits"] {
        assert!(result.err.contains(part), "expected '{part}': {}", result.err);
    }
    let document: Value = serde_json::from_str(&result.out).unwrap();
    assert_eq!(document["verdict"], "failed");
    let result = small(&["train", "--implementation", "framework", "--optimizer", "sgd", "--learning-rate", "1e38"]);
    assert_eq!(result.code, Some(5), "{}", result.err);
    assert!(result.err.contains("epoch 1, batch 2"), "{}", result.err);
}

#[test]
#[cfg(target_os = "linux")]
fn missing_graphics_adapter_error_names_remedy() {
    let mut command = compare(&["--backend", "wgpu"]);
    for (variable, value) in [
        ("VK_DRIVER_FILES", "/nonexistent"),
        ("VK_ICD_FILENAMES", "/nonexistent"),
        ("__EGL_VENDOR_LIBRARY_FILENAMES", "/nonexistent.json"),
    ] {
        command.env(variable, value);
    }
    let result = collect_output(command.output().unwrap());
    assert_eq!(result.code, Some(3), "{}", result.err);
    assert!(result.err.contains("mesa-vulkan-drivers") && result.err.contains("--backend flex"), "{}", result.err);
    assert!(result.out.is_empty() && !result.err.contains("internal error"), "{}", result.err);
}
