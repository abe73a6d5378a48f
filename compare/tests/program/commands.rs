//! The commands but for reports: what they print and write, and what they refuse.

use std::path::Path;
use std::process::{Command, Stdio};

use mlp_parity::mnist::DataSource;
use serde_json::Value;

use super::run::{Ran, compare, folder_of, json, ran, refused, run};

/// Small enough for a fraction of a second.
#[rustfmt::skip]
const SMALL: [&str; 12] = [
    "--train-size", "640", "--test-size", "200", "--hidden", "24,16", "--epochs", "2", "--batch-size", "4",
    "--threads", "2",
];

fn small(arguments: &[&str]) -> Ran {
    run(&[arguments, &SMALL].concat())
}

#[test]
fn the_main_job_agrees_under_both_plans() {
    let ran = small(&[]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(ran.out.contains("verdict: agree"), "{}", ran.out);
    for part in ["output_layer.bias", "nesterov, decay", "trajectory", "scratch twin 2", "framework/flex"] {
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
    assert_eq!(document["plans"][1]["optimizer"], "adam");
    assert_eq!(document["plans"][1]["weight_decay"], 1e-4);
    let checks = document["checks"].as_array().unwrap();
    for rung in ["parameters", "logits", "loss", "gradients", "update", "trajectory", "loop"] {
        for participant in ["scratch", "framework/flex"] {
            assert!(checks.iter().any(|check| check["rung"] == rung && check["right"] == participant), "{rung}");
        }
    }
    let gradient = checks.iter().find(|check| check["rung"] == "gradients").unwrap();
    assert_eq!(gradient["tensor"], "output_layer.bias");
    assert!(gradient["max_abs"].as_f64().unwrap() <= gradient["allowed"].as_f64().unwrap());
    let run = &document["runs"][1];
    assert_eq!((&run["implementation"], &run["backend"]), (&"framework".into(), &"flex".into()));
    assert_eq!(run["epochs"].as_array().unwrap().len(), 2);
    assert!(run["epochs"][1]["test_accuracy"].as_f64().unwrap() <= 1.0);
    assert_eq!(document["agreements"][0]["control_disagreements"].as_array().unwrap().len(), 2);
}

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

#[test]
fn a_bench_measures_everyone_with_every_batch_size() {
    let small = ["bench", "--rounds", "3", "--train-size", "640", "--test-size", "200", "--hidden", "16"];
    let ran = run(&[&small[..], &["--batch-size", "8,32", "--optimizer", "adam"]].concat());
    // Ratios of so short times may well differ too much to be stated.
    assert!(matches!(ran.code, Some(0 | 4)), "{}", ran.err);
    assert_eq!(ran.code == Some(4), ran.out.contains("noisy:"), "{}", ran.out);
    for part in ["scratch", "framework/flex", " 8 ", " 32 ", "of dense floor", "test images"] {
        assert!(ran.out.contains(part), "expected '{part}': {}", ran.out);
    }
    assert!(ran.err.contains("warming up") && ran.err.contains("round 3 of 3"), "{}", ran.err);
    let alone = run(&[&small[..], &["--implementation", "framework", "--quiet"]].concat());
    assert!(alone.out.contains("framework/flex") && !alone.out.contains("scratch") && alone.err.is_empty());
    refused(&["bench", "--batch-size", "0"], 2, &["batch"]);
    refused(&["bench", "--rounds", "2"], 2, &["3.."]);
    refused(&["bench", "--activation", "tanh-as-printed"], 2, &["by hand only"]);
}

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
    let plan = &document["plans"][0];
    assert_eq!((&plan["optimizer"], &plan["nesterov"], &plan["epochs"]), (&"momentum".into(), &true.into(), &2.into()));
    let shorter = json(&run(&[&train[..], &["--config", file, "--epochs", "1"]].concat()));
    assert_eq!(shorter["plans"][0]["epochs"], 1);
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
fn costs_are_drawn_for_everyone_and_everything_that_grows() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().to_str().unwrap();
    let ran = run(&["bench", "--output", output, "--implementation", "scratch", "--rounds", "3", "--threads", "2"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), ""), "{}", ran.err);
    assert!(ran.err.contains("images in a batch: 4096") && ran.err.contains("threads: 2"), "{}", ran.err);
    let table = std::fs::read_to_string(folder.path().join("cost.csv")).unwrap();
    // Seven batch sizes, seven widths, and two numbers of threads, each beside the dense floor.
    let cost = |row: &str| -> f64 { row.split(',').nth(3).unwrap().parse().unwrap() };
    let rows: Vec<&str> = table.lines().skip(1).collect();
    assert!(rows.len() == 32 && rows.iter().all(|row| cost(row) > 0.0), "{table}");
    let width = |width: &str| {
        let start = format!("width of the first hidden layer,{width},scratch,");
        cost(rows.iter().find(|row| row.starts_with(&start)).unwrap())
    };
    assert!(width("4096") > 10.0 * width("64"), "{table}");
    let svg = std::fs::read_to_string(folder.path().join("cost.svg")).unwrap();
    assert!(svg.contains("dense floor") && svg.contains("scratch"), "{svg}");
    assert!(std::fs::read(folder.path().join("cost.png")).unwrap().starts_with(b"\x89PNG"));
    // Folders that cannot be written are found before anything is measured.
    refused(&["bench", "--output", "/proc/mlp-parity"], 3, &["/proc/mlp-parity"]);
    refused(&["bench", "--output", output, "--hidden", "8"], 2, &["--hidden"]);
}

#[test]
fn ninety_seven_percent_are_reached_with_every_seed_by_the_recipe_for_it() {
    let ran = run(&["bench", "--time-to", "0.97", "--rounds", "3"]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("3 of 3 reach 97 %") && ran.out.contains("compare train"), "{}", ran.out);
    assert!(ran.err.contains("seed 2: 97."), "{}", ran.err);
    // A sixth of the images are too few, and there is no recipe for everything.
    let [_, _, (_, images), (_, labels)] = DataSource::Embedded.files().unwrap();
    let folder = folder_of([&images, &labels, &images, &labels]);
    let data = folder.path().to_str().unwrap();
    let missed = run(&["bench", "--time-to", "0.97", "--rounds", "3", "--data", data]);
    assert_eq!(missed.code, Some(1), "{}{}", missed.out, missed.err);
    assert!(missed.out.contains("0 of 3 reach"), "{}", missed.out);
    refused(&["bench", "--time-to", "0.999"], 2, &["no recipe for 0.999", "0.97 and 0.98"]);
    refused(&["bench", "--time-to", "NaN"], 2, &["no recipe for NaN"]);
    refused(&["bench", "--time-to", "0.97", "--batch-size", "32"], 2, &["--batch-size"]);
    refused(&["bench", "--time-to", "0.97", "--hidden", "32"], 2, &["--hidden"]);
    refused(&["bench", "--time-to", "0.97", "--rounds", "3", "--data", "dir:nowhere"], 3, &["nowhere"]);
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
    assert_eq!(document["plans"].as_array().unwrap().len(), 1);
    assert_eq!(document["plans"][0]["nesterov"], true);
    assert_eq!(document["runs"][0]["optimizer"], "momentum");
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
    let growth = std::fs::read_to_string(output.join("growth.csv")).unwrap();
    assert_eq!(growth.lines().next(), Some("plan,implementation,step,distance"));
    for line in ["from-scratch,scratch twin 2,1,", "from-scratch,framework/flex,256,", "framework,framework/flex,256,"]
    {
        assert!(growth.contains(line), "expected '{line}': {growth}");
    }
    let svg = std::fs::read_to_string(output.join("growth.svg")).unwrap();
    assert!(
        svg.starts_with("<svg") && ["10⁻⁷", "scratch twin 1", "plan framework"].iter().all(|text| svg.contains(text))
    );
    let png = std::fs::read(output.join("growth.png")).unwrap();
    assert!(png.starts_with(b"\x89PNG") && png.len() > 5_000);

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
        of_last["plan"].as_str().unwrap(),
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
    for plan in ["from-scratch", "framework"] {
        let sheet = image::open(output.join(format!("{plan}.misclassified.png"))).unwrap();
        assert_eq!(sheet.width(), 12 * 68 + 12);
    }

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
    for part in ["over 2 seeds", "seeds would", "McNemar", "label and prediction under plan custom", "worst case"] {
        assert!(ran.out.contains(part), "expected '{part}': {}", ran.out);
    }
    let junit = std::fs::read_to_string(junit).unwrap();
    assert!(junit.contains("<skipped message=\"every check holds, but under plan custom, over 2 seeds"), "{junit}");
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
fn train_saves_what_evaluate_reads() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("network.safetensors");
    let path = file.to_str().unwrap();
    for (implementation, optimizer) in [("scratch", "sgd"), ("framework", "adam")] {
        let trained = json(&small(&["train", "--implementation", implementation, "--save", path, "--json", "--quiet"]));
        assert_eq!(trained["plans"][0]["optimizer"], optimizer, "the report's plan for it");
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
    assert!(document["files"].as_array().unwrap().iter().all(|file| file["original"] == true));
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
fn options_that_make_no_sense_are_wrong_usage() {
    for (arguments, parts) in [
        (&["--batch-size", "0"][..], &["batch-size", "at least one image"][..]),
        (&["--epochs", "0"], &["epochs"]),
        (&["--learning-rate", "-1"], &["learning-rate", "-1"]),
        (&["--learning-rate", "NaN"], &["learning-rate", "NaN"]),
        (&["--weight-decay", "-0.1"], &["weight-decay"]),
        (&["--momentum", "1.5"], &["momentum", "[0, 1)"]),
        (&["--optimizer", "adam", "--momentum", "0.9"], &["belong to the optimizer 'momentum'"]),
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
        (&["--data", "mnist"], &["no source 'mnist'", "embedded"]),
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

#[test]
fn parameters_of_another_network_are_refused() {
    let reference = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/reference");
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
fn a_diverging_run_is_named_and_what_was_complete_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().to_str().unwrap();
    let diverging = ["--optimizer", "sgd", "--learning-rate", "1e38", "--json", "--output", output];
    let ran = small(&diverging);
    assert_eq!(ran.code, Some(5), "{}", ran.err);
    for part in [", plan custom", "epoch 1, batch 2", "logits"] {
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

#[test]
#[cfg(unix)]
fn an_interrupt_ends_the_batch_and_keeps_what_is_complete() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("network.safetensors");
    let options =
        ["train", "--implementation", "scratch", "--epochs", "10000", "--hidden", "16", "--train-size", "6400"];
    let child = compare(&options)
        .args(["--test-size", "100", "--json", "--save", file.to_str().unwrap()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let ran = ran(child.wait_with_output().unwrap());
    assert_eq!(ran.code, Some(130), "{}", ran.err);
    let document: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(document["runs"][0]["complete"], false);
    assert!(!document["runs"][0]["epochs"].as_array().unwrap().is_empty());
    assert_eq!(run(&["evaluate", file.to_str().unwrap()]).code, Some(0));
}
