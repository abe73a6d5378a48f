//! Tests of the width and colours of terminal output.

use unicode_width::UnicodeWidthStr;

use super::run::{SMALL, collect_output, compare, run};
use super::study::{Study, ok};

/// Returns standard output on a terminal of this width.
fn at_width(arguments: &[&str], columns: &str) -> String {
    let result = collect_output(compare(arguments).env("COLUMNS", columns).output().unwrap());
    assert!(matches!(result.code, Some(0 | 1 | 4 | 5)), "{arguments:?}: {:?}: {}", result.code, result.err);
    result.out
}

/// Returns the number of rows of each table: of the lines between a rule and an empty line.
fn rows_of_tables(text: &str) -> Vec<usize> {
    let tables = text.split("\n\n").filter_map(|block| block.lines().rev().position(|line| line.starts_with('─')));
    tables.collect()
}

/// Asserts that no line is wider than the terminal, except one that is a single word, and that every row of a table takes one
/// line.
#[track_caller]
fn assert_fits(arguments: &[&str]) {
    let rows = rows_of_tables(&at_width(arguments, "1000"));
    assert!(!rows.is_empty(), "{arguments:?}");
    for columns in [80, 100, 160] {
        let text = at_width(arguments, &columns.to_string());
        for line in text.lines() {
            assert!(line.width() <= columns || !line.contains(' '), "{arguments:?} at {columns}: {line}");
        }
        assert_eq!(rows_of_tables(&text), rows, "{arguments:?} at {columns}: {text}");
    }
}

#[test]
fn every_output_fits_terminal() {
    let golden = format!("{}/../../tests/golden/concepts/gradients-summed-f64.safetensors", env!("CARGO_MANIFEST_DIR"));
    let check = ["check", "--hidden", "8", "--batch-size", "8"];
    let small = |options: &[&'static str]| [options, &SMALL].concat();
    assert_fits(&check);
    assert_fits(&[&check[..], &["--verbose"]].concat());
    assert_fits(&["check", "--trace", &golden]);
    assert_fits(&small(&["--quiet", "--verbose"]));
    assert_fits(&small(&["--seeds", "3", "--optimizer", "sgd"]));
    assert_fits(&small(&["train", "--implementation", "scratch"]));
    for listing in ["doctor", "data"] {
        assert_fits(&[listing]);
    }
}

#[test]
fn bench_and_predictions_fit_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let network = folder.path().join("network.safetensors");
    let path = network.to_str().unwrap();
    assert_eq!(run(&[&["train", "--implementation", "scratch", "--save", path], &SMALL[..]].concat()).code, Some(0));
    let picture = |name: &str| format!("{}/../../examples/handwriting/{name}", env!("CARGO_MANIFEST_DIR"));
    let both = ["predict", path, &picture("seven.png"), &picture("three.jpg"), "--implementation", "scratch,framework"];
    assert_fits(&both);
    assert_fits(&["bench", "--rounds", "3", "--train-size", "640", "--test-size", "200", "--hidden", "16", "--quiet"]);
}

#[test]
fn reproduction_fits_terminal() {
    let study = Study::new();
    ok(study.reproduce("done", &["--quiet"]));
    assert_fits(&["report", &study.path("done")]);
}

#[test]
fn width_that_is_no_width_is_ignored() {
    let check = ["check", "--hidden", "8", "--batch-size", "8"];
    let expected = at_width(&check, "80");
    for columns in ["0", "", "-5", "wide", "99999999999999999999999"] {
        assert_eq!(at_width(&check, columns), expected, "{columns}");
    }
    let narrow = at_width(&check, "20");
    assert!(rows_of_tables(&narrow) == rows_of_tables(&expected) && narrow.contains("verdict: agree"), "{narrow}");
}

#[test]
fn colors_are_for_terminals_and_repeat_words() {
    let check = ["check", "--hidden", "8", "--batch-size", "8"];
    let with = |variable: &str, value: &str| collect_output(compare(&check).env(variable, value).output().unwrap()).out;
    let plain = with("TERM", "xterm");
    assert!(!plain.contains('\u{1b}'), "standard output is no terminal");
    let colored = with("CLICOLOR_FORCE", "1");
    assert!(colored.contains("verdict: \u{1b}[1m\u{1b}[32magree\u{1b}[0m"), "{colored}");
    assert_eq!(anstream::adapter::strip_str(&colored).to_string(), plain);
}
