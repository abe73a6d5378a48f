//! Tests of `compare reproduce` and `compare report`: the runs, the generated files, interruption, shards and bad
//! input.

use std::path::Path;

use serde_json::Value;

use super::run::{assert_fails, run};
use super::study::{GRID, Study, kill_after, ok};

#[test]
fn reproduce_prints_only_selected_tables() {
    let study = Study::new();
    // A row that the runs of the first table measure, too.
    let shared =
        GRID.replace("    { name = \"tanh\"", "    { name = \"relu\", accuracy = 60.0 },\n    { name = \"tanh\"");
    std::fs::write(study.path("shared.toml"), shared).unwrap();
    let (grid, output) = (study.path("shared.toml"), study.path("part"));
    let result = ok(run(&study.arguments(&grid, &output, &["--only", "epochs"])));
    let tables = ["Table 1: ", "Table 3: "].map(|title| result.out.contains(title));
    assert_eq!(tables, [true, false], "{}", result.out);
    assert!(!result.out.contains("Not run: "), "{}", result.out);
    assert!(study.read("part/report.md").contains("Table 3: "), "the pages contain everything that was measured");
}

#[test]
fn reproduce_writes_report_from_records() {
    let study = Study::new();
    let result = ok(study.reproduce("done", &[]));
    for part in ["Table 2: optimizers", "framework/flex", "tanh-as-printed", "The claim is", "report.html"] {
        assert!(result.out.contains(part), "expected '{part}': {}", result.out);
    }
    let lines = study.read("done/records.jsonl");
    let runs: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let count = |key: &str| runs.iter().filter(|record| record[key].is_object()).count();
    // Both rows of table 1 share one run of four epochs; only scratch runs the wrong derivative.
    assert_eq!((count("run"), count("check")), (3 * 7, 5), "{lines}");
    let failures: Vec<&str> = runs.iter().filter_map(|record| record["check"]["failure"]["stage"].as_str()).collect();
    assert_eq!(failures, ["gradients"], "only the checks of the wrong derivative may fail");

    let files = study.generated_files("done");
    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    #[rustfmt::skip]
    assert_eq!(names, [
        "/environment.json", "/grid.toml", "/report.html", "/report.md",
        "figures/figure-1.png", "figures/figure-1.svg", "figures/figure-2.png", "figures/figure-2.svg",
        "tables/activations.csv", "tables/epochs.csv", "tables/optimizers.csv", "tables/pairs.csv", "tables/runs.csv",
    ]);
    let again = ok(run(&["report", &study.path("done")]));
    assert_eq!(again.out, result.out);
    assert!(files == study.generated_files("done"), "the same records must give the same files");

    let table = study.read("done/tables/epochs.csv");
    let rows: Vec<Vec<&str>> = table.lines().skip(1).map(|line| line.split(',').collect()).collect();
    let sgd_runs = runs.iter().filter(|record| record["run"]["training"] == "relu-sgd-0.2-batch-8-hidden-12");
    let scratch_runs = sgd_runs.filter(|record| record["run"]["implementation"] == "scratch");
    let losses: Vec<f64> =
        scratch_runs.map(|record| record["run"]["epochs"][1]["train_loss"].as_f64().unwrap()).collect();
    // Column 14 is the mean training loss.
    let mean: f64 = rows[0][14].parse().unwrap();
    assert_eq!((rows[0][2], losses.len()), ("scratch", 3));
    approx::assert_relative_eq!(mean, losses.iter().sum::<f64>() / 3.0, max_relative = 1e-12);
}

#[test]
fn resumed_reproduction_equals_uninterrupted() {
    let study = Study::new();
    ok(study.reproduce("whole", &[]));
    let arguments = |more: &[&'static str]| -> Vec<String> {
        let (grid, output) = (study.path("grid.toml"), study.path("killed"));
        study.arguments(&grid, &output, more).into_iter().map(str::to_owned).collect()
    };
    for lines in [1, 9, 17] {
        let arguments = arguments(&["--resume", "--quiet"]);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let records = study.path("killed/records.jsonl");
        kill_after(&arguments, &records, lines);
        // Simulate a process that was killed while it wrote a line.
        let mut text = study.read("killed/records.jsonl");
        text.push_str(r#"{"format":"mlp-par"#);
        std::fs::write(&records, text).unwrap();
    }
    let resumed = ok(study.reproduce("killed", &["--resume"]));
    assert!(resumed.err.contains("ignoring the incomplete last line"), "{}", resumed.err);
    assert!(study.generated_files("whole") == study.generated_files("killed"));
    assert_eq!(study.read("killed/records.jsonl").lines().count(), 26, "each job must be run once");
}

#[test]
fn merged_shards_equal_single_run() {
    let study = Study::new();
    ok(study.reproduce("whole", &[]));
    let shards: Vec<String> = (1..=3).map(|index| format!("shard-{index}")).collect();
    for (index, name) in shards.iter().enumerate() {
        let result = ok(study.reproduce(name, &["--shard", &format!("{}/3", index + 1)]));
        assert!(result.out.contains(&format!("shard {}/3", index + 1)), "{}", result.out);
    }
    let folders: Vec<String> = shards.iter().map(|name| study.path(name)).collect();
    let merged = study.path("merged");
    let report = |folders: &[&String]| -> Vec<String> {
        let folders = folders.iter().map(|folder| (*folder).clone());
        ["report".to_owned()].into_iter().chain(folders).chain(["--output".to_owned(), merged.clone()]).collect()
    };
    let assert_rejects = |folders: &[&String], parts: &[&str]| {
        let arguments = report(folders);
        assert_fails(&arguments.iter().map(String::as_str).collect::<Vec<_>>(), 3, parts);
        assert!(!Path::new(&merged).exists(), "no file is written");
    };
    assert_rejects(&[&folders[0], &folders[2]], &["shard 2/3 is missing"]);
    assert_rejects(&[&folders[0], &folders[1], &folders[2], &folders[1]], &["duplicate record of"]);
    let complete = study.read("shard-3/records.jsonl");
    let shorter: String = complete.lines().skip(1).map(|line| format!("{line}\n")).collect();
    std::fs::write(study.path("shard-3/records.jsonl"), shorter).unwrap();
    assert_rejects(&[&folders[0], &folders[1], &folders[2]], &["shard 3/3 has", "finish it with --resume"]);
    std::fs::write(study.path("shard-3/records.jsonl"), complete).unwrap();

    let into_a_shard = ["report", &folders[0], &folders[1], &folders[2], "--output", &folders[0]];
    assert_fails(&into_a_shard, 2, &["is one of the folders to merge"]);
    let (grid, other_shard) = (study.path("grid.toml"), ["--shard", "2/3", "--resume"]);
    assert_fails(&study.arguments(&grid, &folders[0], &other_shard), 3, &["contains records of another shard"]);

    let arguments = report(&[&folders[2], &folders[0], &folders[1]]);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    for _ in 0..2 {
        ok(run(&arguments));
        assert!(
            study.generated_files("whole") == study.generated_files("merged"),
            "merging must not depend on the order of the folders, and merging again must change nothing"
        );
    }
    std::fs::write(study.path("merged/records.jsonl"), "").unwrap();
    assert_fails(&arguments, 3, &["merged contains another reproduction"]);
}

#[test]
fn partial_reproduction_can_be_completed() {
    let study = Study::new();
    ok(study.reproduce("whole", &[]));
    ok(study.reproduce("part", &["--only", "optimizers,figure-1", "--seeds", "2"]));
    let part = study.read("part/report.md");
    assert!(part.contains("Not run: activation tanh") && !part.contains("**tanh**"), "missing rows are listed: {part}");
    ok(study.reproduce("part", &["--resume"]));
    assert!(study.generated_files("whole") == study.generated_files("part"));
}

#[test]
fn reproduce_rejects_mismatched_records() {
    let study = Study::new();
    let (grid, done) = (study.path("grid.toml"), study.path("done"));
    ok(study.reproduce("done", &["--only", "optimizers"]));
    let before = study.generated_files("done");
    let assert_rejects =
        |more: &[&str], code: i32, parts: &[&str]| assert_fails(&study.arguments(&grid, &done, more), code, parts);
    assert_rejects(&[], 2, &["contains 8 records", "--resume"]);
    assert_rejects(&["--resume", "--train-size", "320"], 2, &["cannot be used multiple times"]);
    assert_fails(
        &["reproduce", "--grid", &grid, "--output", &done, "--resume", "--train-size", "320"],
        3,
        &["different data", "640 training", "320 training"],
    );
    let other = study.path("other.toml");
    std::fs::write(&other, GRID.replace("learning_rate = 0.2", "learning_rate = 0.3")).unwrap();
    assert_fails(&study.arguments(&other, &done, &["--resume"]), 3, &["contains the reproduction of another grid"]);

    let records = study.read("done/records.jsonl");
    let mixed = records.replacen("\"revision\":\"", "\"revision\":\"other-", 1);
    std::fs::write(study.path("done/records.jsonl"), mixed).unwrap();
    assert_fails(&["report", &done], 3, &["different revisions", "--allow-mixed"]);
    ok(run(&["report", &done, "--allow-mixed"]));
    let corrupt: Vec<&str> =
        records.lines().enumerate().map(|(i, line)| if i == 4 { &line[1..] } else { line }).collect();
    std::fs::write(study.path("done/records.jsonl"), corrupt.join("\n") + "\n").unwrap();
    assert_fails(&["report", &done], 3, &["records.jsonl, line 5"]);
    assert_rejects(&["--resume"], 3, &["records.jsonl, line 5"]);
    std::fs::write(study.path("done/records.jsonl"), records).unwrap();
    ok(run(&["report", &done]));
    assert!(before == study.generated_files("done"));
    assert_fails(&["report", &study.path("nowhere")], 3, &["grid.toml not found"]);
}

#[test]
fn reproduce_does_not_overwrite_unrelated_files() {
    let study = Study::new();
    let (grid, own) = (study.path("grid.toml"), study.path("own"));
    std::fs::create_dir(&own).unwrap();
    std::fs::write(study.path("own/report.md"), "mine").unwrap();
    assert_fails(&study.arguments(&grid, &own, &[]), 3, &["'report.md' was not written by a reproduction"]);
    let done = study.path("done");
    ok(study.reproduce("done", &["--only", "optimizers"]));
    assert_fails(&["report", &done, "--output", &own], 3, &["'report.md' was not written by a reproduction"]);
    assert_eq!((study.read("own/report.md").as_str(), std::fs::read_dir(&own).unwrap().count()), ("mine", 1));
}

#[test]
fn invalid_grid_is_rejected_with_location() {
    let study = Study::new();
    let (grid, output) = (study.path("bad.toml"), study.path("never"));
    let assert_rejects = |from: &str, to: &str, parts: &[&str]| {
        let text = GRID.replacen(from, to, 1);
        assert_ne!(text, GRID, "{from}");
        std::fs::write(&grid, text).unwrap();
        assert_fails(&study.arguments(&grid, &output, &[]), 3, parts);
    };
    assert_rejects(
        "varies = \"epochs\"",
        "varies = \"epochs\"\nrows = 3",
        &["bad.toml", "unknown field `rows`", "line"],
    );
    assert_rejects("epochs = 4 }", "epoch = 4 }", &["unknown field `epoch`"]);
    assert_rejects("epochs = 4 }", "epochs = 0 }", &["table 'epochs', row '4'", "at least one epoch"]);
    assert_rejects(
        "learning_rate = 0.01",
        "learning_rate = -1.0",
        &["table 'optimizers', row 'adam'", "learning-rate"],
    );
    assert_rejects("\"adam\", learning", "\"adagrad\", learning", &["unknown optimizer 'adagrad'", "momentum"]);
    assert_rejects(
        "accuracy = 60.0, training_loss = 1.5",
        "accuracy = 160.0",
        &["accuracy 160 is out of range", "0 to 100"],
    );
    assert_rejects("name = \"optimizers\"", "name = \"../optimizers\"", &["invalid name '../optimizers'", "file name"]);
    assert_rejects("row = \"adam\"", "row = \"adagrad\"", &["the claim", "'adagrad'"]);
    assert_rejects("name = \"figure-2\"", "name = \"figure-1\"", &["duplicate name 'figure-1'"]);
    assert_rejects("hidden = [12]", "", &["'hidden' is not set"]);
    assert_rejects("by = \"framework\"", "by = \"numpy\"", &["table 'optimizers'", "'numpy'", "scratch, framework"]);
    assert_rejects("only = \"scratch\"", "only = \"numpy\"", &["table 'activations'", "'numpy'"]);
    std::fs::write(&grid, "title = 3").unwrap();
    assert_fails(&study.arguments(&grid, &output, &[]), 3, &["bad.toml", "line 1"]);
    assert_fails(&study.arguments(&study.path("nowhere"), &output, &[]), 3, &["cannot read", "nowhere"]);
    assert_fails(&["reproduce", "--only", "table-9", "--output", &output], 2, &["'table-9'", "table-1", "figure-4"]);
    assert_fails(&["reproduce", "--shard", "5/4"], 2, &["5/4"]);
    assert!(!Path::new(&output).exists(), "no file is written");
}

#[test]
fn report_inserts_results_between_readme_markers() {
    let study = Study::new();
    ok(study.reproduce("done", &["--only", "epochs"]));
    let readme = study.path("README.md");
    let splice = || run(&["report", &study.path("done"), "--readme", &readme]);
    std::fs::write(&readme, "before\n").unwrap();
    let result = splice();
    assert_eq!(result.code, Some(3));
    assert!(result.err.contains("<!-- results: begin -->"), "{}", result.err);
    std::fs::write(&readme, "before\n<!-- results: begin -->\nold results\n<!-- results: end -->\nafter\n").unwrap();
    ok(splice());
    let text = study.read("README.md");
    assert!(
        text.starts_with("before\n")
            && text.ends_with("<!-- results: end -->\nafter\n")
            && !text.contains("old results")
    );
    let command = "compare reproduce --seeds 3 --output done --grid done/grid.toml --only epochs --train-size 640 --test-size 200";
    for part in [command, "compare report done --readme README.md", "done/figures/figure-1.svg", "60.00 % · 1.5000"] {
        assert!(text.contains(part), "expected '{part}': {text}");
    }
    ok(splice());
    assert_eq!(text, study.read("README.md"), "inserting the results again must change nothing");
    std::fs::write(&readme, text.replace('\n', "\r\n")).unwrap();
    ok(splice());
    assert_eq!(text.replace('\n', "\r\n"), study.read("README.md"), "line breaks are kept");
    let ambiguous = format!("{text}<!-- results: begin -->\nkept\n<!-- results: end -->\n");
    std::fs::write(&readme, &ambiguous).unwrap();
    let result = splice();
    assert!(result.code == Some(3) && result.err.contains("once each"), "{}", result.err);
    assert_eq!(ambiguous, study.read("README.md"));
    std::fs::write(&readme, &text).unwrap();
    ok(study.reproduce("two", &["--only", "epochs", "--backend", "flex", "--backend", "ndarray"]));
    ok(run(&["report", &study.path("two"), "--readme", &readme]));
    let text = study.read("README.md");
    assert!(text.contains(" --only epochs --backend flex --backend ndarray --train-size 640"), "{text}");
}

/// The page of the documentation that contains the results.
const PAGE: &str = "docs/reproduction.md";

#[test]
fn committed_report_matches_committed_records() {
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = tempfile::tempdir().unwrap();
    let record = folder.path().join("compare/record");
    std::fs::create_dir_all(&record).unwrap();
    std::fs::create_dir(folder.path().join("docs")).unwrap();
    for file in [PAGE, "compare/record/records.jsonl", "compare/record/grid.toml"] {
        std::fs::copy(committed.join(file), folder.path().join(file)).unwrap();
    }
    let readme = folder.path().join(PAGE);
    ok(run(&["report", record.to_str().unwrap(), "--readme", readme.to_str().unwrap()]));
    let generated = |file: &str| std::fs::read_to_string(folder.path().join(file)).unwrap();
    for entry in record_files(&record).chain([PAGE.to_owned()]) {
        let current = std::fs::read_to_string(committed.join(&entry)).ok();
        // PNG images and the HTML page, which contains all figures, are not committed.
        if !entry.ends_with(".png") && !entry.ends_with(".html") {
            let command = format!("cargo run --release -- report compare/record --readme {PAGE}");
            assert!(
                current.is_some_and(|current| current == generated(&entry)),
                "{entry} is out of date; update it with: {command}"
            );
        }
    }
    let page = generated(PAGE);
    let summary = page.lines().find(|line| line.starts_with("Of the ")).unwrap().split_once(". ").unwrap().0;
    let overview = std::fs::read_to_string(committed.join("README.md")).unwrap();
    assert!(overview.contains(summary), "README.md is out of date; expected '{summary}'");
}

/// Returns the files in the record folder and its subfolders, relative to the root of the repository.
fn record_files(record: &Path) -> impl Iterator<Item = String> {
    let files = ["", "tables", "figures"].map(|sub| record.join(sub)).into_iter().flat_map(|sub| {
        let entries = std::fs::read_dir(&sub).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.is_file()).collect::<Vec<_>>()
    });
    let root = record.parent().unwrap().parent().unwrap().to_owned();
    files
        .map(move |path| path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned())
        .collect::<Vec<_>>()
        .into_iter()
}
