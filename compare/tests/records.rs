//! Tests of record files: incomplete lines, foreign text, impossible values, and failed writes.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use mlp_parity_compare::record::{Journal, RecordFile};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A record of a training run of two epochs.
fn record() -> Value {
    let epoch = |epoch: usize| json!({"epoch": epoch, "train_loss": 0.5, "test_loss": 0.25, "test_accuracy": 0.75, "seconds": 1.5});
    json!({
        "format": "mlp-parity-record/2",
        "config": {"inputs": 4, "hidden": [3], "classes": 2, "activation": "relu"},
        "training": {
            "name": "sgd", "optimizer": "sgd", "weight_decay": 0.0, "learning_rate": 0.01, "schedule": "constant",
            "batch_size": 8, "epochs": 2, "seed": 7
        },
        "run": {
            "training": "sgd", "implementation": "scratch", "backend": null, "device": "cpu", "kernels": "avx2",
            "optimizer": "sgd", "seed": 7, "epochs": [epoch(1), epoch(2)], "confusion": [[3, 1], [0, 4]],
            "complete": true
        },
        "dataset": {"source": "embedded", "digest": "sha256:0", "train": 16, "test": 8},
        "environment": {"version": "0.1.0", "revision": "unknown", "os": "linux", "arch": "x86_64", "threads": 2}
    })
}

/// A record file in a temporary folder, and its path.
fn file_of(text: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records.jsonl");
    std::fs::write(&path, text).unwrap();
    (folder, path)
}

fn parse(text: &str) -> Result<RecordFile, String> {
    RecordFile::parse(text.as_bytes(), Path::new("records.jsonl")).map_err(|error| error.to_string())
}

#[test]
fn journal_removes_incomplete_record_and_appends_after_it() {
    let line = format!("{}\n", record());
    for rest in ["", "{", r#"{"format":"mlp-parity-record/2","config":{"inp"#] {
        let (_folder, path) = file_of(&format!("{line}\n{line}{rest}"));
        let (mut journal, contents) = Journal::open(&path).unwrap();
        assert_eq!((contents.records.len(), contents.is_incomplete), (2, !rest.is_empty()));
        assert!(Journal::open(&path).unwrap_err().to_string().contains("another process"));
        journal.append(&contents.records[0]).unwrap();
        drop(journal);
        let contents = RecordFile::read(&path).unwrap();
        assert_eq!((contents.records.len(), contents.is_incomplete), (3, false));
    }
}

#[test]
fn journal_keeps_complete_record_without_newline() {
    let (_folder, path) = file_of(&record().to_string());
    let (mut journal, contents) = Journal::open(&path).unwrap();
    assert_eq!((contents.records.len(), contents.is_incomplete), (1, false));
    journal.append(&contents.records[0]).unwrap();
    assert_eq!(RecordFile::read(&path).unwrap().records.len(), 2);
}

#[test]
fn journal_leaves_foreign_text_unchanged() {
    let line = record().to_string();
    for text in ["shopping: milk, eggs", "{\"a\": 1}", &format!("{line}\nnotes"), &format!("{{}}\n{line}")] {
        let (_folder, path) = file_of(text);
        let error = Journal::open(&path).unwrap_err().to_string();
        assert!(error.contains("not a record"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), *text);
    }
}

#[test]
fn journal_removes_rest_of_failed_write() {
    let line = format!("{}\n", record());
    let (_folder, path) = file_of(&line);
    let (mut journal, contents) = Journal::open(&path).unwrap();
    // Simulate a write that failed in the middle of a line, and could not be removed.
    let text = std::fs::read_to_string(&path).unwrap() + &line[..40];
    std::fs::write(&path, text).unwrap();
    journal.append(&contents.records[0]).unwrap();
    assert_eq!(RecordFile::read(&path).unwrap().records.len(), 2);
}

#[test]
#[cfg(unix)]
fn journal_reports_changes_by_other_programs_and_keeps_them() {
    type Change = fn(&Path, &str);
    let changes: [(Change, &str); 5] = [
        (|path, _| std::fs::remove_file(path).unwrap(), "removed or replaced"),
        (|path, line| std::fs::rename(file_of(line).1, path).unwrap(), "removed or replaced"),
        (|path, _| std::fs::write(path, "").unwrap(), "changed"),
        (|path, line| std::fs::write(path, line.repeat(2)).unwrap(), "changed"),
        (|path, line| std::fs::write(path, format!("{line}notes")).unwrap(), "changed"),
    ];
    let line = format!("{}\n", record());
    for (change, part) in changes {
        let (folder, path) = file_of(&line);
        let (mut journal, contents) = Journal::open(&path).unwrap();
        change(&path, &line);
        let before = std::fs::read(&path).ok();
        let error = journal.append(&contents.records[0]).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
        assert!(std::fs::read(&path).ok() == before && folder.path().exists());
    }
}

#[test]
fn reader_rejects_impossible_values() {
    assert_eq!(parse(&record().to_string()).unwrap().records.len(), 1);
    let rejected = |pointer: &str, value: Value, part: &str| {
        let mut record = record();
        *record.pointer_mut(pointer).unwrap() = value;
        let error = parse(&format!("{record}\n")).unwrap_err();
        assert!(error.contains("line 1") && error.contains(part), "{pointer}: {error}");
    };
    for value in [json!("NaN"), json!("Infinity"), json!(-1), json!(1e300)] {
        rejected("/run/epochs/1/train_loss", value.clone(), "train_loss of epoch 2");
        rejected("/run/epochs/0/test_loss", value.clone(), "test_loss of epoch 1");
        rejected("/run/epochs/0/test_accuracy", value, "test_accuracy of epoch 1");
    }
    rejected("/run/epochs/0/test_accuracy", json!(1.5), "from 0 to 1");
    rejected("/run/epochs/0/seconds", json!(-0.5), "seconds of epoch 1");
    rejected("/run/epochs/0/epoch", json!(2), "increasing numbers from 1 to 2");
    rejected("/run/epochs/1/epoch", json!(3), "[1, 3]");
    rejected("/run/epochs", json!([]), "increasing numbers");
    rejected("/run/seed", json!(8), "8, but the training configuration has sgd and 7");
    rejected("/run/confusion/0/0", json!(usize::MAX), "confusion");
    rejected("/run/confusion", json!([[8]]), "2 rows of 2 numbers");
    rejected("/dataset/test", json!(0), "at least 1");
}

#[test]
fn reader_ignores_only_last_line() {
    let line = record().to_string();
    let error = parse(&format!("{}\n{line}\n", &line[..50])).unwrap_err();
    assert!(error.contains("line 1"), "{error}");
}
