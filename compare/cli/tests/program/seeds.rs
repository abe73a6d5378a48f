//! Tests of `--seeds auto`: interruption, shards and bad input.

use serde_json::Value;

use super::run::{assert_fails, json, run, small};
use super::study::{Study, kill_after, ok};

/// Options of a reproduction whose claim, which compares different optimizers, so few seeds do not decide.
const AUTO: [&str; 4] = ["--seeds", "auto", "--max-seeds", "10"];

/// Returns the numbers of runs of each training configuration and implementation.
fn runs(lines: &str) -> Vec<usize> {
    let mut counts = std::collections::BTreeMap::new();
    for line in lines.lines() {
        let record: Value = serde_json::from_str(line).unwrap();
        if record["run"].is_object() {
            let run = &record["run"];
            *counts.entry((run["training"].to_string(), run["implementation"].to_string())).or_insert(0) += 1;
        }
    }
    counts.into_values().collect()
}

#[test]
fn reproduction_adds_seeds_and_resumes_to_same_results() {
    let study = Study::new();
    let whole = ok(study.reproduce("whole", &AUTO));
    assert!(whole.out.contains("Seeds were added until each pair was decided, at most 10"), "{}", whole.out);
    let counts = runs(&study.read("whole/records.jsonl"));
    // The two trainings of the claim, by two implementations; tanh by both, and with the wrong derivative by scratch.
    let of = |seeds: usize| counts.iter().filter(|count| **count == seeds).count();
    assert_eq!((of(10), of(5)), (4, 3), "{counts:?}");
    let (grid, output) = (study.path("grid.toml"), study.path("killed"));
    let arguments = study.arguments(&grid, &output, &[&AUTO[..], &["--resume", "--quiet"]].concat());
    for lines in [3, 14] {
        kill_after(&arguments, &study.path("killed/records.jsonl"), lines);
    }
    ok(run(&arguments));
    assert!(study.generated_files("whole") == study.generated_files("killed"));
    assert_eq!(runs(&study.read("killed/records.jsonl")), counts);

    // Two shards, each of which adds seeds to its own pairs.
    for index in ["1/2", "2/2"] {
        ok(study.reproduce(&index.replace('/', "-of-"), &[&AUTO[..], &["--shard", index]].concat()));
    }
    let folders = ["1-of-2", "2-of-2", "merged"].map(|name| study.path(name));
    ok(run(&["report", &folders[0], &folders[1], "--output", &folders[2]]));
    assert_eq!(runs(&study.read("merged/records.jsonl")), counts);
    let tables = |name: &str| study.read(&format!("{name}/tables/pairs.csv"));
    assert_eq!(tables("merged"), tables("whole"));

    // Another plan would have other error rates.
    let other = [&AUTO[..2], &["--max-seeds", "20", "--resume"]].concat();
    assert_fails(&study.arguments(&grid, &output, &other), 3, &["--max-seeds 10", "20"]);
}

#[test]
fn records_of_fixed_seeds_are_continued_with_auto() {
    let study = Study::new();
    ok(study.reproduce("done", &["--seeds", "3"]));
    let before = study.read("done/records.jsonl");
    ok(study.reproduce("done", &[&AUTO[..], &["--resume"]].concat()));
    let after = study.read("done/records.jsonl");
    assert!(after.starts_with(&before), "the runs of three seeds are kept");
    assert!(runs(&after).contains(&10));
    ok(study.reproduce("whole", &AUTO));
    assert!(study.generated_files("whole") == study.generated_files("done"), "the same seeds give the same results");
}

#[test]
fn comparison_adds_seeds_until_decided() {
    let result = small(&["--optimizer", "sgd", "--seeds", "auto", "--max-seeds", "7", "--margin", "40", "--json"]);
    let document = json(&result);
    let equivalence = &document["equivalences"][0];
    assert_eq!((&document["verdict"], &equivalence["seeds"]), (&"agree".into(), &5.into()));
    assert_eq!(equivalence["max_seeds"], 7);
    assert!(equivalence["detectable"].is_number() && equivalence["spread"]["p"].is_number());
    // Such large steps drive networks apart. With a margin that no number of seeds can show, the last look ends the comparison.
    let apart = ["--optimizer", "adam", "--learning-rate", "0.05", "--epochs", "4", "--hidden", "24,16"];
    let size = ["--train-size", "640", "--test-size", "200", "--batch-size", "4", "--threads", "2"];
    let auto = ["--seeds", "auto", "--max-seeds", "7", "--margin", "0.001", "--json"];
    let open = run(&[&apart[..], &size, &auto].concat());
    let document: Value = serde_json::from_str(&open.out).unwrap_or_else(|error| panic!("{error}: {}", open.err));
    let equivalence = &document["equivalences"][0];
    assert_eq!((&equivalence["verdict"], &equivalence["seeds"]), (&"inconclusive".into(), &7.into()));
}

#[test]
fn impossible_numbers_of_seeds_are_rejected() {
    for (arguments, parts) in [
        (
            ["--seeds", "auto", "--max-seeds", "4"],
            ["invalid value '4'", "from 5, the fewest that can decide, to 65535"],
        ),
        (["--seeds", "8", "--max-seeds", "9"], ["--max-seeds", "'--seeds auto'"]),
        (["--seeds", "auto", "--max-seeds", "many"], ["--max-seeds", "whole number from 5"]),
        (["--max-seeds", "9", "--seeds", "0"], ["from 1 to 65535", "or 'auto'"]),
    ] {
        assert_fails(&arguments, 2, &parts);
        assert_fails(&[&["reproduce"], &arguments[..]].concat(), 2, &parts);
    }
}
