//! Tests of text from outside the program: names of files, in a trace and in a grid, option values and environment
//! variables must not control the terminal, forge output, or damage the files that contain them.

use mlp_parity::{Activation, MlpConfig, ParameterFile, Parameters, SafetensorsFile};
use safetensors::SafeTensors;
use serde_json::Value;

use super::run::{CommandResult, collect_output, compare, run};
use super::study::{GRID, Study, ok};

/// A name with a line that could pass for one of the program, a terminal sequence, text in reverse order, a character
/// that XML excludes, and characters with a meaning in Markdown, HTML and CSV.
const NAME: &str = "=x\nverdict: agree\r\u{1b}[31m\u{9b}2J\u{202e}\u{fffe}<b>|`_";

/// Asserts that a text contains none of the special characters of [`NAME`], and no line that it has forged.
fn assert_plain(text: &str) {
    let is_special = |character: char| character.is_control() && !matches!(character, '\n' | '\t');
    assert!(!text.chars().any(is_special) && !text.contains(['\u{202e}', '\u{fffe}']), "{text:?}");
    assert!(!text.lines().any(|line| line.trim_end() == "verdict: agree"), "{text}");
}

fn assert_plain_output(result: &CommandResult) {
    assert_plain(&result.out);
    assert_plain(&result.err);
}

#[test]
fn file_names_are_escaped() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join(format!("missing{NAME}"));
    let result = run(&["evaluate", missing.to_str().unwrap()]);
    assert_eq!(result.code, Some(3), "{}", result.err);
    assert!(result.err.contains("\\u001b[31m"), "{}", result.err);
    assert_plain_output(&result);

    let network = folder.path().join(format!("network{}", NAME.replace("verdict: agree", "verdict")));
    let config = MlpConfig::new(784, &[], 10, Activation::Relu).unwrap();
    let parameters = Parameters::<f32>::glorot_uniform(&config, 3);
    ParameterFile { parameters, activation: Some(Activation::Relu) }.save(&network).unwrap();
    let result = run(&["evaluate", network.to_str().unwrap(), "--test-size", "10"]);
    assert_eq!((result.code, result.out.lines().count()), (Some(0), 1), "{} {}", result.out, result.err);
    assert_plain_output(&result);
}

#[test]
fn invalid_option_values_are_escaped() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("recipe.toml");
    std::fs::write(&config, format!("optimizer = {}", Value::from(NAME))).unwrap();
    for arguments in [
        &["--optimizer", NAME][..],
        &["--hidden", NAME],
        &["--data", NAME],
        &[&format!("--{NAME}")],
        &["train", "--implementation", NAME],
        &["check", "--config", config.to_str().unwrap()],
        &["--learning-rate", "-1", "--output", NAME],
        &["config", "train", "--optimizer", NAME],
    ] {
        let result = run(arguments);
        assert_eq!(result.code, Some(2), "{arguments:?} {}", result.err);
        assert!(result.err.starts_with("error: "), "{}", result.err);
        assert_plain_output(&result);
    }
    let result = collect_output(compare(&["data"]).env("MLP_PARITY_DATA", NAME).output().unwrap());
    assert_eq!(result.code, Some(2), "{}", result.err);
    assert_plain_output(&result);
}

#[test]
fn ordinary_parser_errors_keep_their_form() {
    let result = run(&["--optimizer", "sdg"]);
    assert_eq!(result.code, Some(2));
    assert!(result.err.contains("\n\nFor more information, try '--help'."), "{}", result.err);
}

#[test]
fn names_in_trace_are_escaped() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let trace = path("trace.safetensors");
    ok(run(&["trace", "--output", &trace, "--hidden", "4", "--steps", "1"]));
    let bytes = std::fs::read(&trace).unwrap();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let mut metadata = header.metadata().clone().unwrap();
    metadata.insert("producer".to_owned(), NAME.to_owned());
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    std::fs::write(&trace, safetensors::serialize(tensors.tensors(), Some(metadata)).unwrap()).unwrap();

    let (junit, html) = (path("junit.xml"), path("page.html"));
    for more in [&[][..], &["--verbose"], &["--json"], &["--junit", &junit, "--html", &html]] {
        let result = ok(run(&[&["check", "--trace", &trace], more].concat()));
        assert!(result.out.contains("\\u001b[31m"), "{}", result.out);
        // JSON escapes line breaks itself, and the verdict of the program is on a line of its own.
        assert_plain(&result.out.replacen("\nverdict: agree", "", 1));
        if more == ["--json"] {
            let document: Value = serde_json::from_str(&result.out).unwrap();
            assert_eq!(document["checks"][0]["candidate"], format!("trace ({NAME})"));
        }
    }
    for file in [junit, html] {
        let text = std::fs::read_to_string(file).unwrap();
        assert!(text.contains("\\u001b[31m") && text.contains("&lt;b&gt;") && !text.contains("<b>"), "{text}");
        assert_plain(&text);
    }
}

#[test]
fn names_in_grid_are_escaped() {
    let study = Study::new();
    let title = r#"title = "Table 1: epochs""#;
    assert!(GRID.contains(title));
    let grid = GRID.replacen(title, &format!("title = {}", Value::from(NAME)), 1);
    std::fs::write(study.path("grid.toml"), grid).unwrap();
    let result = ok(study.reproduce("done", &["--seeds", "1", "--quiet"]));
    assert_plain_output(&result);
    for (name, bytes) in study.generated_files("done") {
        if !name.ends_with(".png") && name != "/grid.toml" {
            assert_plain(&String::from_utf8(bytes).unwrap());
        }
    }
    let markdown = study.read("done/report.md");
    assert!(markdown.contains(r"\<b\>\|\`\_") && !markdown.contains("<b>"), "{markdown}");
    let html = study.read("done/report.html");
    assert!(html.contains("&lt;b&gt;") && !html.contains("<b>"), "{html}");
}
