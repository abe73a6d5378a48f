//! Tests of the commands that every build has, also one without default features.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::process::{Command, Output};

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_compare")).args(arguments).output().unwrap()
}

/// Asserts the exit code of the program, and that its output contains every part.
#[track_caller]
fn assert_prints(arguments: &[&str], code: i32, parts: &[&str]) {
    let Output { status, stdout, stderr } = run(arguments);
    let text = String::from_utf8([stdout, stderr].concat()).unwrap();
    assert_eq!(status.code(), Some(code), "{arguments:?}: {text}");
    for part in parts {
        assert!(text.contains(part), "{arguments:?}: expected '{part}': {text}");
    }
}

#[test]
fn checker_checks_and_explains_traces() {
    let golden = |name: &str| format!("{}/../../tests/golden/concepts/{name}", env!("CARGO_MANIFEST_DIR"));
    let sound = golden("gradients-summed-f64.safetensors");
    assert_prints(&["check", "--trace", &sound], 0, &["verdict: agree", "scratch"]);
    let folder = tempfile::tempdir().unwrap();
    let undeclared = folder.path().join("undeclared.safetensors");
    let bytes = std::fs::read(&sound).unwrap();
    let position = bytes.windows(9).position(|window| window == b"\"summed\"}" || window == b"\"summed\",").unwrap();
    let mut changed = bytes;
    changed[position..position + 8].copy_from_slice(b"\"raw\"   ");
    std::fs::write(&undeclared, changed).unwrap();
    let page = folder.path().join("page.html");
    let arguments = ["check", "--trace", undeclared.to_str().unwrap(), "--html", page.to_str().unwrap()];
    assert_prints(&arguments, 1, &["verdict: disagree", "(gradients-summed)"]);
    let page = std::fs::read_to_string(page).unwrap();
    for part in ["(gradients-summed)", "class=\"strip\"", "class=\"map\"", "producer of the trace"] {
        assert!(page.contains(part), "expected '{part}': {page}");
    }
}

#[test]
fn checker_records_and_checks_its_own_trace() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("trace.safetensors");
    let path = trace.to_str().unwrap();
    assert_prints(&["trace", "--output", path, "--hidden", "8", "--steps", "2"], 0, &[]);
    assert_prints(&["check", "--trace", path, "--quiet"], 0, &["verdict: agree"]);
    assert_prints(&["check", "--hidden", "8", "--batch-size", "8"], 0, &["verdict: agree"]);
    assert_prints(&["doctor"], 0, &["scratch"]);
    assert_prints(&["check", "--trace", "missing.npz"], 3, &["missing.npz"]);
}

#[test]
#[cfg(not(feature = "full"))]
fn checker_says_what_it_lacks() {
    assert_prints(&[], 2, &["Checks the computations", "check --trace"]);
    assert_prints(&["train", "--implementation", "scratch"], 2, &["train"]);
    assert_prints(&["trace", "--output", "unused", "--implementation", "framework"], 2, &["built without Burn"]);
}
