//! Tests of the pages that `--html` writes.

use std::path::Path;

use super::run::{assert_fails, run, small};
use super::schemas::without_metadata;

/// Runs `compare check` on a trace whose results follow a convention that its metadata do not declare, and returns the page.
pub(crate) fn failing_trace_page(folder: &Path) -> String {
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/concepts/gradients-summed-f64.safetensors");
    let (trace, page) = (folder.join("undeclared.safetensors"), folder.join("trace.html"));
    std::fs::write(&trace, without_metadata(&std::fs::read(golden).unwrap(), "gradients")).unwrap();
    let result = run(&["check", "--trace", trace.to_str().unwrap(), "--html", page.to_str().unwrap(), "--quiet"]);
    assert!(result.code == Some(1) && result.out.contains("verdict: disagree"), "{} {}", result.out, result.err);
    std::fs::read_to_string(page).unwrap()
}

/// Runs a small comparison with these options, and returns its exit code and its page.
pub(crate) fn comparison_page(folder: &Path, options: &[&str]) -> (Option<i32>, String) {
    let page = folder.join("comparison.html");
    let result = small(&[&["--html", page.to_str().unwrap(), "--quiet"], options].concat());
    assert!(result.out.starts_with("verdict: "), "{} {}", result.out, result.err);
    (result.code, std::fs::read_to_string(page).unwrap())
}

/// Asserts that a page contains these parts in this order.
#[track_caller]
fn assert_contains_in_order(page: &str, parts: &[&str]) {
    let mut rest = page;
    for part in parts {
        let position = rest.find(part).unwrap_or_else(|| panic!("expected '{part}' here: {rest}"));
        rest = &rest[position + part.len()..];
    }
}

/// Asserts that a page has no script and loads nothing.
#[track_caller]
fn assert_self_contained(page: &str) {
    for part in ["<script", "src=", "href=\"http", "url(", "@import"] {
        assert!(!page.contains(part), "the page contains '{part}'");
    }
}

#[test]
fn page_of_failing_trace_begins_with_verdict_and_diagnosis() {
    let folder = tempfile::tempdir().unwrap();
    let page = failing_trace_page(folder.path());
    let parts = [
        "id=\"verdict\"",
        "disagree",
        "(gradients-summed)",
        "id=\"diagnosis\"",
        "other convention",
        "What to do",
        "id=\"checks\"",
        "error ratio",
        "class=\"strip\"",
        "error bound (ratio 1)",
        "class=\"fail\"",
        ": error ratio ",
        "Failed checks",
        "id=\"differences\"",
        "class=\"map\"",
        "gradients of ",
        "class=\"axis\"",
        "class=\"worst\"",
        "exceed their error bounds",
        "id=\"provenance\"",
        "producer of the trace",
    ];
    assert_contains_in_order(&page, &parts);
    // Both signs, or one of them, in the map and always in its legend.
    assert!(page.matches("class=\"positive\"").count() > 8 && page.matches("class=\"negative\"").count() >= 8);
    assert_self_contained(&page);
}

#[test]
fn page_of_comparison_shows_trained_networks() {
    let folder = tempfile::tempdir().unwrap();
    let (code, page) = comparison_page(folder.path(), &["--optimizer", "adam"]);
    assert_eq!(code, Some(0));
    let parts = [
        "agree",
        "Check suite, against the float64 reference",
        "After training",
        "control replica 2",
        "Learning curves",
        "\ncontrol replicas\n",
        "\nframework/flex\n",
        "Divergence of the parameters",
        "\nscratch replica 1\n",
        "Misclassified test images",
        "class=\"ink\"",
        "Confusion matrix of scratch, training custom",
        "Confusion matrix of framework/flex, training custom",
        "Check suite after training",
        "class=\"strip\"",
        "--optimizer adam",
        "revision",
        "embedded, 640 for training, 200 for testing; sha256:b2d8f5bf39174ee5ffeefa97e42d673c",
        "784-24-16-10, relu",
        "learning rate 0.01",
    ];
    assert_contains_in_order(&page, &parts);
    let digits = page.matches("<svg role=\"img\" aria-label=\"Test image ").count();
    assert!((1..=24).contains(&digits) && !page.contains("id=\"differences\""), "{digits}");
    assert_self_contained(&page);
}

#[test]
fn page_of_several_seeds_has_tables_of_differences() {
    let folder = tempfile::tempdir().unwrap();
    let (code, page) = comparison_page(folder.path(), &["--optimizer", "sgd", "--seeds", "2"]);
    assert_eq!(code, Some(4));
    let parts =
        ["inconclusive", "After training with 2 seeds", "Differences from scratch", "Predictions compared with"];
    assert_contains_in_order(&page, &parts);
}

#[test]
fn page_is_written_if_training_fails() {
    let folder = tempfile::tempdir().unwrap();
    let (code, page) = comparison_page(folder.path(), &["--learning-rate", "1e38"]);
    assert_eq!(code, Some(5));
    assert_contains_in_order(&page, &["id=\"verdict\"", "failed", "id=\"checks\"", "id=\"provenance\""]);
    assert_self_contained(&page);
}

#[test]
fn page_file_is_checked_before_any_work() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (absent, file) = (path("absent/page.html"), path("file"));
    for command in [&["check"][..], &["--epochs", "1000000"]] {
        assert_fails(&[command, &["--html", &absent]].concat(), 3, &["absent does not exist"]);
        let same = [command, &["--html", &file, "--junit", &file]].concat();
        assert_fails(&same, 2, &["two results would be written to this file"]);
    }
    let trace = path("trace.safetensors");
    assert_eq!(run(&["trace", "--hidden", "8", "--output", &trace]).code, Some(0));
    assert_fails(&["check", "--trace", &trace, "--html", &trace], 2, &["would replace the input"]);
}
