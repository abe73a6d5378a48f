//! Validation of JSON and JUnit output against the published schemas.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::run::{assert_fails, run};
use super::study::{Study, ok};

/// If this environment variable is set, the test fails instead of being skipped when there are no validators.
const REQUIRE_SCHEMAS: &str = "MLP_PARITY_REQUIRE_SCHEMAS";

/// Environment variable with a Python interpreter that has the packages jsonschema and xmlschema; the default is
/// `python3`.
const PYTHON: &str = "MLP_PARITY_PYTHON";

/// Returns the path of a file in the repository.
fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

fn python() -> Command {
    Command::new(std::env::var_os(PYTHON).unwrap_or_else(|| "python3".into()))
}

/// Returns true if the interpreter has both packages.
fn has_validators() -> bool {
    let output = python().args(["-c", "import jsonschema, xmlschema"]).output();
    output.is_ok_and(|output| output.status.success())
}

/// Output of the program to be validated against the schemas.
struct Documents {
    folder: tempfile::TempDir,
    /// The schema and the path of each document.
    pairs: Vec<(PathBuf, PathBuf)>,
}

impl Documents {
    /// Runs the program with `--json`, and adds its output to the documents. `OUTPUT` and `JUNIT` in the arguments
    /// stand for paths in the temporary folder; `files` lists the schema of each output file, where `printed.json` is
    /// standard output.
    fn run(&mut self, name: &str, codes: &[i32], arguments: &[&str], files: &[(&str, &str)]) {
        let path = |file: &str| self.folder.path().join(format!("{name}-{file}"));
        let folder = path("output");
        let arguments: Vec<String> = arguments
            .iter()
            .map(|argument| argument.replace("OUTPUT", folder.to_str().unwrap()))
            .map(|argument| argument.replace("JUNIT", path("junit.xml").to_str().unwrap()))
            .collect();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).chain(["--json", "--quiet"]).collect();
        let result = run(&arguments);
        assert!(
            result.code.is_some_and(|code| codes.contains(&code)),
            "{arguments:?}: {:?} {}",
            result.code,
            result.err
        );
        std::fs::write(path("printed.json"), result.out).unwrap();
        for (schema, file) in files {
            let file = if *file == "records.jsonl" { folder.join(file) } else { path(file) };
            self.pairs.push((repository("compare/schemas").join(schema), file));
        }
    }
    /// Adds the check of a trace whose convention is not declared, and its diagnosis.
    fn run_diagnosis(&mut self) {
        let undeclared = self.folder.path().join("undeclared.safetensors");
        let declared = repository("tests/golden/concepts/gradients-summed-f64.safetensors");
        std::fs::write(&undeclared, without_metadata(&std::fs::read(declared).unwrap(), "gradients")).unwrap();
        let files = [("check.schema.json", "printed.json"), ("junit.xsd", "junit.xml")];
        let arguments = ["check", "--trace", undeclared.to_str().unwrap(), "--junit", "JUNIT"];
        self.run("diagnosis", &[1], &arguments, &files);
        let printed = std::fs::read_to_string(self.folder.path().join("diagnosis-printed.json")).unwrap();
        assert!(printed.contains("\"id\": \"gradients-summed\""), "{printed}");
        // The metadata can declare this convention.
        assert!(!run(&arguments[..3]).out.contains("--accept"));
        self.run("accepted", &[0], &[&arguments[..3], &["--accept", "gradients-summed"]].concat(), &files[..1]);
        assert_fails(
            &[&arguments[..3], &["--accept", "gradient-summed"]].concat(),
            2,
            &["--accept", "'gradients-summed'"],
        );
        let junit = std::fs::read_to_string(self.folder.path().join("diagnosis-junit.xml")).unwrap();
        assert!(junit.contains("the results are those of a program that"), "{junit}");
    }
}

/// Options that make a run take a fraction of a second.
#[rustfmt::skip]
const SMALL: [&str; 10] =
    ["--train-size", "640", "--test-size", "200", "--hidden", "24,16", "--epochs", "2", "--batch-size", "4"];

/// Returns a safetensors file without a key of its metadata.
pub(crate) fn without_metadata(file: &[u8], key: &str) -> Vec<u8> {
    let (length, rest) = file.split_first_chunk().unwrap();
    let (header, data) = rest.split_at(u64::from_le_bytes(*length) as usize);
    let mut header: serde_json::Value = serde_json::from_slice(header).unwrap();
    header["__metadata__"].as_object_mut().unwrap().remove(key).unwrap();
    let header = serde_json::to_vec(&header).unwrap();
    [&(header.len() as u64).to_le_bytes()[..], &header, data].concat()
}

#[test]
fn json_and_junit_outputs_conform_to_schemas() {
    if !has_validators() {
        assert!(
            std::env::var_os(REQUIRE_SCHEMAS).is_none(),
            "{REQUIRE_SCHEMAS} is set, but the interpreter lacks jsonschema or xmlschema; set {PYTHON}"
        );
        eprintln!("SKIPPED: the Python interpreter lacks jsonschema or xmlschema; set {PYTHON} to one that has them");
        return;
    }
    let mut documents = Documents { folder: tempfile::tempdir().unwrap(), pairs: Vec::new() };
    let printed = ("result.schema.json", "printed.json");
    let junit = ("junit.xsd", "junit.xml");
    let small = |arguments: &[&'static str]| [arguments, &SMALL].concat();
    documents.run(
        "agree",
        &[0],
        &small(&["--output", "OUTPUT", "--junit", "JUNIT"]),
        &[printed, junit, ("record.schema.json", "records.jsonl")],
    );
    documents.run(
        "seeds",
        &[4],
        &small(&["--seeds", "2", "--optimizer", "sgd", "--junit", "JUNIT"]),
        &[printed, junit],
    );
    documents.run("nesterov", &[0], &small(&["--nesterov"]), &[printed]);
    documents.run("degenerate", &[4], &small(&["--learning-rate", "0", "--junit", "JUNIT"]), &[printed, junit]);
    documents.run("failed", &[5], &small(&["--learning-rate", "1e38", "--junit", "JUNIT"]), &[printed, junit]);
    documents.run("train", &[0], &small(&["train", "--implementation", "scratch"]), &[printed]);
    let bench = ["bench", "--rounds", "3", "--batch-size", "4,16", "--noise"];
    let size = ["--train-size", "640", "--test-size", "200", "--hidden", "24,16"];
    // Such short times may vary too much for a ratio to be shown (exit code 4).
    documents.run("bench", &[0, 4], &[&bench[..], &size].concat(), &[("bench.schema.json", "printed.json")]);
    let time_to = ["bench", "--time-to", "0.97", "--rounds", "3"];
    documents.run("time-to", &[0], &time_to, &[("time-to.schema.json", "printed.json")]);
    let parameters = repository("tests/golden/report.safetensors");
    let image = [&[0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 28, 0, 0, 0, 28][..], &[7; 784]].concat();
    let images = documents.folder.path().join("images");
    std::fs::write(&images, image).unwrap();
    let predict = ["predict", parameters.to_str().unwrap(), images.to_str().unwrap(), "--activation", "relu"];
    documents.run("predict", &[0], &predict, &[("predictions.schema.json", "printed.json")]);
    let check = ("check.schema.json", "printed.json");
    documents.run("check", &[0], &["check", "--hidden", "8", "--batch-size", "8", "--junit", "JUNIT"], &[check, junit]);
    let trace = repository("tests/golden/traces/relu-adam-f32.safetensors");
    documents.run("trace", &[0], &["check", "--trace", trace.to_str().unwrap()], &[check]);
    documents.run_diagnosis();
    let study = Study::new();
    let grid = study.path("grid.toml");
    let files = [("reproduction.schema.json", "printed.json"), ("record.schema.json", "records.jsonl")];
    documents.run("one-seed", &[0], &study.arguments(&grid, "OUTPUT", &["--seeds", "1"]), &files);
    documents.run("reproduce", &[0], &study.arguments(&grid, "OUTPUT", &[]), &files);
    ok(study.reproduce("shard", &["--shard", "1/3"]));
    documents.pairs.push((repository("compare/schemas/record.schema.json"), study.path("shard/records.jsonl").into()));

    let files = documents.pairs.iter().flat_map(|(schema, file)| [schema, file]);
    let output = python().arg(repository("tests/golden/validate.py")).args(files).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
}
