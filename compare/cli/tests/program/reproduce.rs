//! `compare reproduce` and `compare report` from outside: what is run, what is written, and what survives.

use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use super::run::{compare, refused, run};
use super::study::{GRID, Study, ok};

#[test]
fn a_grid_is_run_once_and_everything_follows_from_its_records() {
    let study = Study::new();
    let ran = ok(study.reproduce("done", &[]));
    for part in ["Table 2: rules", "framework/flex", "tanh-as-printed", "The claim is", "report.html"] {
        assert!(ran.out.contains(part), "expected '{part}': {}", ran.out);
    }
    let lines = study.read("done/records.jsonl");
    let runs: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let count = |key: &str| runs.iter().filter(|record| record[key].is_object()).count();
    // Both rows of table 1 are one run of four epochs; the slip is made by hand alone.
    assert_eq!((count("run"), count("check")), (3 * 7, 5), "{lines}");
    let failures: Vec<&str> = runs.iter().filter_map(|record| record["check"]["failure"]["stage"].as_str()).collect();
    assert_eq!(failures, ["gradients"], "the slip alone fails");

    let made = study.made("done");
    let names: Vec<&str> = made.keys().map(String::as_str).collect();
    #[rustfmt::skip]
    assert_eq!(names, [
        "/environment.json", "/grid.toml", "/report.html", "/report.md",
        "figures/figure-1.png", "figures/figure-1.svg", "figures/figure-2.png", "figures/figure-2.svg",
        "tables/activations.csv", "tables/epochs.csv", "tables/rules.csv", "tables/runs.csv",
    ]);
    let again = ok(run(&["report", &study.path("done")]));
    assert_eq!(again.out, ran.out);
    assert!(made == study.made("done"), "the same records make the same files");

    let table = study.read("done/tables/epochs.csv");
    let rows: Vec<Vec<&str>> = table.lines().skip(1).map(|line| line.split(',').collect()).collect();
    let short = runs.iter().filter(|record| record["run"]["training"] == "relu-sgd-0.2-batch-8-hidden-12");
    let of_scratch = short.filter(|record| record["run"]["implementation"] == "scratch");
    let losses: Vec<f64> =
        of_scratch.map(|record| record["run"]["epochs"][1]["train_loss"].as_f64().unwrap()).collect();
    let mean: f64 = rows[0][14].parse().unwrap();
    assert_eq!((rows[0][2], losses.len()), ("scratch", 3));
    approx::assert_relative_eq!(mean, losses.iter().sum::<f64>() / 3.0, max_relative = 1e-12);
}

#[test]
fn what_was_killed_is_resumed_and_comes_to_the_same() {
    let study = Study::new();
    ok(study.reproduce("whole", &[]));
    let arguments = |more: &[&'static str]| -> Vec<String> {
        let (training, output) = (study.path("grid.toml"), study.path("killed"));
        study.arguments(&training, &output, more).into_iter().map(str::to_owned).collect()
    };
    for lines in [1, 9, 17] {
        let arguments = arguments(&["--resume", "--quiet"]);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let mut child = compare(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let records = study.path("killed/records.jsonl");
        let there = || std::fs::read_to_string(&records).map_or(0, |text| text.lines().count());
        while there() < lines && child.try_wait().unwrap().is_none() {
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // As if it had been killed while it wrote.
        let mut text = study.read("killed/records.jsonl");
        text.push_str(r#"{"format":"mlp-par"#);
        std::fs::write(&records, text).unwrap();
    }
    let resumed = ok(study.reproduce("killed", &["--resume"]));
    assert!(resumed.err.contains("the last line was never completed"), "{}", resumed.err);
    assert!(study.made("whole") == study.made("killed"));
    assert_eq!(study.read("killed/records.jsonl").lines().count(), 26, "nothing was run twice");
}

#[test]
fn shares_come_to_the_same_as_the_whole() {
    let study = Study::new();
    ok(study.reproduce("whole", &[]));
    let shares: Vec<String> = (1..=3).map(|index| format!("share-{index}")).collect();
    for (index, name) in shares.iter().enumerate() {
        let ran = ok(study.reproduce(name, &["--shard", &format!("{}/3", index + 1)]));
        assert!(ran.out.contains(&format!("share {}/3", index + 1)), "{}", ran.out);
    }
    let folders: Vec<String> = shares.iter().map(|name| study.path(name)).collect();
    let merged = study.path("merged");
    let report = |folders: &[&String]| -> Vec<String> {
        let folders = folders.iter().map(|folder| (*folder).clone());
        ["report".to_owned()].into_iter().chain(folders).chain(["--output".to_owned(), merged.clone()]).collect()
    };
    let refuse = |folders: &[&String], parts: &[&str]| {
        let arguments = report(folders);
        refused(&arguments.iter().map(String::as_str).collect::<Vec<_>>(), 3, parts);
        assert!(!Path::new(&merged).exists(), "nothing is written");
    };
    refuse(&[&folders[0], &folders[2]], &["share 2/3 is missing"]);
    refuse(&[&folders[0], &folders[1], &folders[2], &folders[1]], &["there are two records of"]);
    let cut = study.read("share-3/records.jsonl");
    let shorter: String = cut.lines().skip(1).map(|line| format!("{line}\n")).collect();
    std::fs::write(study.path("share-3/records.jsonl"), shorter).unwrap();
    refuse(&[&folders[0], &folders[1], &folders[2]], &["share 3/3 has", "finish it with --resume"]);
    std::fs::write(study.path("share-3/records.jsonl"), cut).unwrap();

    let into_a_part = ["report", &folders[0], &folders[1], &folders[2], "--output", &folders[0]];
    refused(&into_a_part, 2, &["holds one of the parts"]);
    let (training, of_another) = (study.path("grid.toml"), ["--shard", "2/3", "--resume"]);
    refused(&study.arguments(&training, &folders[0], &of_another), 3, &["holds records of another share"]);

    let arguments = report(&[&folders[2], &folders[0], &folders[1]]);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    for _ in 0..2 {
        ok(run(&arguments));
        assert!(study.made("whole") == study.made("merged"), "in whatever order they come, and once more");
    }
    std::fs::write(study.path("merged/records.jsonl"), "").unwrap();
    refused(&arguments, 3, &["merged holds another reproduction"]);
}

#[test]
fn a_part_is_run_and_later_the_rest() {
    let study = Study::new();
    ok(study.reproduce("whole", &[]));
    ok(study.reproduce("part", &["--only", "rules,figure-1", "--seeds", "2"]));
    let part = study.read("part/report.md");
    assert!(
        part.contains("Not run: activation tanh") && !part.contains("**tanh**"),
        "what was not run is said: {part}"
    );
    ok(study.reproduce("part", &["--resume"]));
    assert!(study.made("whole") == study.made("part"));
}

#[test]
fn what_does_not_belong_together_stays_apart() {
    let study = Study::new();
    let (training, done) = (study.path("grid.toml"), study.path("done"));
    ok(study.reproduce("done", &["--only", "rules"]));
    let before = study.made("done");
    let refuse =
        |more: &[&str], code: i32, parts: &[&str]| refused(&study.arguments(&training, &done, more), code, parts);
    refuse(&[], 2, &["holds 8 records", "--resume"]);
    refuse(&["--resume", "--train-size", "320"], 2, &["cannot be used multiple times"]);
    refused(
        &["reproduce", "--grid", &training, "--output", &done, "--resume", "--train-size", "320"],
        3,
        &["different data", "640 training", "320 training"],
    );
    let other = study.path("other.toml");
    std::fs::write(&other, GRID.replace("learning_rate = 0.2", "learning_rate = 0.3")).unwrap();
    refused(&study.arguments(&other, &done, &["--resume"]), 3, &["holds another grid"]);

    let records = study.read("done/records.jsonl");
    let mixed = records.replacen("\"revision\":\"", "\"revision\":\"other-", 1);
    std::fs::write(study.path("done/records.jsonl"), mixed).unwrap();
    refused(&["report", &done], 3, &["different revisions", "--allow-mixed"]);
    ok(run(&["report", &done, "--allow-mixed"]));
    let corrupt: Vec<&str> =
        records.lines().enumerate().map(|(i, line)| if i == 4 { &line[1..] } else { line }).collect();
    std::fs::write(study.path("done/records.jsonl"), corrupt.join("\n") + "\n").unwrap();
    refused(&["report", &done], 3, &["records.jsonl, line 5"]);
    refuse(&["--resume"], 3, &["records.jsonl, line 5"]);
    std::fs::write(study.path("done/records.jsonl"), records).unwrap();
    ok(run(&["report", &done]));
    assert!(before == study.made("done"));
    refused(&["report", &study.path("nowhere")], 3, &["there is no grid.toml"]);
}

#[test]
fn a_folder_with_files_of_others_is_left_alone() {
    let study = Study::new();
    let (training, own) = (study.path("grid.toml"), study.path("own"));
    std::fs::create_dir(&own).unwrap();
    std::fs::write(study.path("own/report.md"), "mine").unwrap();
    refused(&study.arguments(&training, &own, &[]), 3, &["'report.md' that is not of a reproduction"]);
    let done = study.path("done");
    ok(study.reproduce("done", &["--only", "rules"]));
    refused(&["report", &done, "--output", &own], 3, &["'report.md' that is not of a reproduction"]);
    assert_eq!((study.read("own/report.md").as_str(), std::fs::read_dir(&own).unwrap().count()), ("mine", 1));
}

#[test]
fn a_plan_that_cannot_be_run_is_refused_with_its_place() {
    let study = Study::new();
    let (training, output) = (study.path("bad.toml"), study.path("never"));
    let refuse = |from: &str, to: &str, parts: &[&str]| {
        let text = GRID.replacen(from, to, 1);
        assert_ne!(text, GRID, "{from}");
        std::fs::write(&training, text).unwrap();
        refused(&study.arguments(&training, &output, &[]), 3, parts);
    };
    refuse("varies = \"epochs\"", "varies = \"epochs\"\nrows = 3", &["bad.toml", "unknown field `rows`", "line"]);
    refuse("epochs = 4 }", "epoch = 4 }", &["unknown field `epoch`"]);
    refuse("epochs = 4 }", "epochs = 0 }", &["table 'epochs', row '4'", "at least one epoch"]);
    refuse("learning_rate = 0.01", "learning_rate = -1.0", &["table 'rules', row 'adam'", "learning-rate"]);
    refuse("\"adam\", learning", "\"adagrad\", learning", &["unknown optimizer 'adagrad'", "momentum"]);
    refuse("accuracy = 60.0, training_loss = 1.5", "accuracy = 160.0", &["160 is not from 0 to 100 %"]);
    refuse("name = \"rules\"", "name = \"../rules\"", &["'../rules' becomes the name of a file"]);
    refuse("row = \"adam\"", "row = \"adagrad\"", &["the claim", "'adagrad'"]);
    refuse("name = \"figure-2\"", "name = \"figure-1\"", &["'figure-1' is there twice"]);
    refuse("hidden = [12]", "", &["'hidden' is not set"]);
    refuse("by = \"framework\"", "by = \"numpy\"", &["table 'rules'", "'numpy'", "scratch, framework"]);
    refuse("only = \"scratch\"", "only = \"numpy\"", &["table 'activations'", "'numpy'"]);
    std::fs::write(&training, "title = 3").unwrap();
    refused(&study.arguments(&training, &output, &[]), 3, &["bad.toml", "line 1"]);
    refused(&study.arguments(&study.path("nowhere"), &output, &[]), 3, &["cannot read", "nowhere"]);
    refused(&["reproduce", "--only", "table-9", "--output", &output], 2, &["'table-9'", "table-1", "figure-4"]);
    refused(&["reproduce", "--shard", "5/4"], 2, &["5/4"]);
    assert!(!Path::new(&output).exists(), "nothing is written");
}

#[test]
fn a_readme_takes_the_result_between_its_marks() {
    let study = Study::new();
    ok(study.reproduce("done", &["--only", "epochs"]));
    let readme = study.path("README.md");
    let splice = || run(&["report", &study.path("done"), "--readme", &readme]);
    std::fs::write(&readme, "before\n").unwrap();
    let ran = splice();
    assert_eq!(ran.code, Some(3));
    assert!(ran.err.contains("<!-- results: begin -->"), "{}", ran.err);
    std::fs::write(&readme, "before\n<!-- results: begin -->\nwhat was there\n<!-- results: end -->\nafter\n").unwrap();
    ok(splice());
    let text = study.read("README.md");
    assert!(
        text.starts_with("before\n")
            && text.ends_with("<!-- results: end -->\nafter\n")
            && !text.contains("what was there")
    );
    let command = "compare reproduce --seeds 3 --output done --grid done/grid.toml --only epochs --train-size 640 --test-size 200";
    for part in [command, "compare report done --readme README.md", "done/figures/figure-1.svg", "60.00 % · 1.5000"] {
        assert!(text.contains(part), "expected '{part}': {text}");
    }
    ok(splice());
    assert_eq!(text, study.read("README.md"), "again the same");
    ok(study.reproduce("two", &["--only", "epochs", "--backend", "flex", "--backend", "ndarray"]));
    ok(run(&["report", &study.path("two"), "--readme", &readme]));
    let text = study.read("README.md");
    assert!(text.contains(" --only epochs --backend flex --backend ndarray --train-size 640"), "{text}");
}

#[test]
fn the_readme_says_what_the_committed_records_say() {
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = tempfile::tempdir().unwrap();
    let record = folder.path().join("compare/record");
    std::fs::create_dir_all(&record).unwrap();
    for file in ["README.md", "compare/record/records.jsonl", "compare/record/grid.toml"] {
        std::fs::copy(committed.join(file), folder.path().join(file)).unwrap();
    }
    let readme = folder.path().join("README.md");
    ok(run(&["report", record.to_str().unwrap(), "--readme", readme.to_str().unwrap()]));
    let made = |file: &str| std::fs::read_to_string(folder.path().join(file)).unwrap();
    for entry in walk(&record).chain(["README.md".to_owned()]) {
        let there = std::fs::read_to_string(committed.join(&entry)).ok();
        // Pictures in pixels, and the page that holds them all, are not committed.
        if !entry.ends_with(".png") && !entry.ends_with(".html") {
            let how = "cargo run --release -- report compare/record --readme README.md";
            assert!(there.is_some_and(|there| there == made(&entry)), "{entry} is not current: {how}");
        }
    }
}

/// The files of the committed record, from the repository's root.
fn walk(record: &Path) -> impl Iterator<Item = String> {
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
