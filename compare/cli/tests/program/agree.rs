//! The main job: what it prints and writes, and how it ends.

use std::path::Path;

use serde_json::Value;

use super::run::{SMALL, compare, json, ran, run, small};

#[test]
fn the_main_job_agrees_under_both_plans() {
    let ran = small(&[]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(ran.out.contains("verdict: agree"), "{}", ran.out);
    for part in ["output_layer.bias", "nesterov, decay", "trajectory", "scratch replica 2", "framework/flex"] {
        assert!(ran.out.contains(part), "expected '{part}': {}", ran.out);
    }
    assert!(!ran.out.contains('\u{1b}') && !ran.err.contains('\u{1b}'), "no colour or animation off a terminal");
    assert!(ran.err.contains("2 of 2 epochs"));
    assert!(small(&["--quiet"]).err.is_empty());
}

#[test]
fn the_json_document_has_the_documented_members() {
    let document = json(&small(&["--json", "--quiet"]));
    assert_eq!(document["format"], "mlp-parity-result/1");
    assert_eq!(document["verdict"], "agree");
    assert_eq!(document["dataset"]["source"], "embedded");
    assert_eq!((&document["dataset"]["train"], &document["dataset"]["test"]), (&640.into(), &200.into()));
    assert_eq!(document["trainings"][1]["optimizer"], "adam");
    assert_eq!(document["trainings"][1]["weight_decay"], 1e-4);
    let checks = document["checks"].as_array().unwrap();
    for stage in ["parameters", "logits", "loss", "gradients", "update", "trajectory", "loop"] {
        for candidate in ["scratch", "framework/flex"] {
            assert!(checks.iter().any(|check| check["stage"] == stage && check["right"] == candidate), "{stage}");
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
fn the_result_does_not_depend_on_the_number_of_threads() {
    let result = |threads| {
        let mut options = SMALL.to_vec();
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
    assert_eq!(result("1"), result("2"));
}

#[test]
fn an_option_of_the_rule_makes_one_plan() {
    let document = json(&small(&["--json", "--quiet", "--optimizer", "momentum", "--nesterov"]));
    assert_eq!(document["trainings"].as_array().unwrap().len(), 1);
    assert_eq!(document["trainings"][0]["nesterov"], true);
    assert_eq!(document["runs"][0]["optimizer"], "momentum");
}

fn check_growth(output: &Path) {
    let divergence = std::fs::read_to_string(output.join("divergence.csv")).unwrap();
    assert_eq!(divergence.lines().next(), Some("training,implementation,step,distance"));
    for line in
        ["from-scratch,scratch replica 2,1,", "from-scratch,framework/flex,256,", "framework,framework/flex,256,"]
    {
        assert!(divergence.contains(line), "expected '{line}': {divergence}");
    }
    let svg = std::fs::read_to_string(output.join("divergence.svg")).unwrap();
    assert!(
        svg.starts_with("<svg")
            && ["10⁻⁷", "scratch replica 1", "training framework"].iter().all(|text| svg.contains(text))
    );
    let png = std::fs::read(output.join("divergence.png")).unwrap();
    assert!(png.starts_with(b"\x89PNG") && png.len() > 5_000);
}

fn check_classes_and_losses(output: &Path) {
    let last: Value = serde_json::from_str(
        std::fs::read_to_string(output.join("records.jsonl"))
            .unwrap()
            .lines()
            .rev()
            .find(|line| line.len() > 1)
            .unwrap(),
    )
    .unwrap();
    let of_last = &last["run"];
    let name = format!(
        "{}.{}.confusion.svg",
        of_last["training"].as_str().unwrap(),
        match of_last["backend"].as_str() {
            Some(backend) => format!("framework-{backend}"),
            None => "scratch".to_owned(),
        }
    );
    let confusion = std::fs::read_to_string(output.join(&name)).unwrap();
    let counts = of_last["confusion"].as_array().unwrap().iter().flat_map(|row| row.as_array().unwrap());
    for count in counts.filter(|count| **count != 0) {
        assert!(confusion.contains(&format!("\n{count}\n")), "{count} in {name}: {confusion}");
    }
    for training in ["from-scratch", "framework"] {
        let losses = std::fs::read_to_string(output.join(format!("{training}.losses.svg"))).unwrap();
        assert!(losses.contains("training loss") && losses.contains("framework/flex"), "{losses}");
        let sheet = image::open(output.join(format!("{training}.misclassified.png"))).unwrap();
        assert_eq!(sheet.width(), 12 * 68 + 12);
    }
}

#[test]
fn output_holds_records_and_parameters_that_can_be_evaluated() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("new").join("folder");
    for lines in [4, 8] {
        let ran = small(&["--output", output.to_str().unwrap(), "--quiet"]);
        assert_eq!((ran.code, ran.err.contains("the last line was never completed")), (Some(0), lines > 4));
        let records = std::fs::read_to_string(output.join("records.jsonl")).unwrap();
        assert_eq!(records.lines().count(), lines, "a second call appends");
        for line in records.lines() {
            let record: Value = serde_json::from_str(line).unwrap();
            assert_eq!(record["format"], "mlp-parity-record/1");
            assert!(record["environment"]["revision"].is_string());
        }
        // As if it had been ended while it wrote.
        std::fs::write(output.join("records.jsonl"), records + "{").unwrap();
    }
    check_growth(&output);
    check_classes_and_losses(&output);

    let file = output.join("framework.framework-flex.safetensors");
    let accuracy = |implementation| {
        let options = ["evaluate", file.to_str().unwrap(), "--implementation", implementation, "--json"];
        json(&run(&options))["test_accuracy"].as_f64().unwrap()
    };
    approx::assert_abs_diff_eq!(accuracy("scratch"), accuracy("framework"), epsilon = 2e-4);
}

#[test]
fn several_seeds_are_judged_by_their_differences() {
    let folder = tempfile::tempdir().unwrap();
    let junit = folder.path().join("junit.xml");
    let ran = small(&["--seeds", "2", "--optimizer", "sgd", "--verbose", "--junit", junit.to_str().unwrap()]);
    assert_eq!(ran.code, Some(4), "{}", ran.err);
    for part in ["over 2 seeds", "seeds would", "McNemar", "label and prediction under training custom", "worst case"] {
        assert!(ran.out.contains(part), "expected '{part}': {}", ran.out);
    }
    let junit = std::fs::read_to_string(junit).unwrap();
    assert!(junit.contains("<skipped message=\"every check holds, but under training custom, over 2 seeds"), "{junit}");
    let document = json(&small(&["--seeds", "3", "--optimizer", "sgd", "--margin", "50", "--json", "--quiet"]));
    let (runs, equivalence) = (document["runs"].as_array().unwrap(), &document["equivalences"][0]);
    let seeds: Vec<u64> = runs.iter().map(|run| run["seed"].as_u64().unwrap()).collect();
    assert_eq!(seeds, [0, 0, 1, 1, 2, 2]);
    assert_eq!((&equivalence["finding"], &equivalence["margin"]), (&"equivalent".into(), &0.5.into()));
    assert_eq!(document["agreements"][2].get("passed"), None, "no control where there are seeds");
}

#[test]
fn a_network_that_learned_nothing_is_degenerate() {
    let ran = small(&["--learning-rate", "0"]);
    assert_eq!(ran.code, Some(4), "{}", ran.err);
    assert!(ran.out.contains("verdict: degenerate") && ran.out.contains("proves nothing"), "{}", ran.out);
}

#[test]
fn a_diverging_run_is_named_and_what_was_complete_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().to_str().unwrap();
    let diverging = ["--optimizer", "sgd", "--learning-rate", "1e38", "--json", "--output", output];
    let ran = small(&diverging);
    assert_eq!(ran.code, Some(5), "{}", ran.err);
    for part in [", training custom", "epoch 1, batch 2", "logits"] {
        assert!(ran.err.contains(part), "expected '{part}': {}", ran.err);
    }
    let document: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(document["verdict"], "failed");
    let ran = small(&["train", "--implementation", "framework", "--optimizer", "sgd", "--learning-rate", "1e38"]);
    assert_eq!(ran.code, Some(5), "{}", ran.err);
    assert!(ran.err.contains("epoch 1, batch 2"), "{}", ran.err);
}

#[test]
#[cfg(target_os = "linux")]
fn a_machine_without_an_adapter_is_told_what_to_install() {
    let mut command = compare(&["--backend", "wgpu"]);
    for (variable, value) in [
        ("VK_DRIVER_FILES", "/nonexistent"),
        ("VK_ICD_FILENAMES", "/nonexistent"),
        ("__EGL_VENDOR_LIBRARY_FILENAMES", "/nonexistent.json"),
    ] {
        command.env(variable, value);
    }
    let ran = ran(command.output().unwrap());
    assert_eq!(ran.code, Some(3), "{}", ran.err);
    assert!(ran.err.contains("mesa-vulkan-drivers") && ran.err.contains("--backend flex"), "{}", ran.err);
    assert!(ran.out.is_empty() && !ran.err.contains("panicked"), "{}", ran.err);
}
