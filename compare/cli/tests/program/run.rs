//! Helpers that run the program `compare`.

use std::path::Path;
use std::process::{Command, Output};

use mlp_parity::mnist::FILES;
use serde_json::Value;
use tempfile::TempDir;

/// Returns a command that runs the program with these arguments, on a terminal so wide that it need not leave out or wrap
/// anything, and without `MLP_PARITY_DATA` in its environment.
pub(crate) fn compare(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_compare"));
    command.args(arguments).env("COLUMNS", "1000").env_remove("MLP_PARITY_DATA");
    command
}

/// Exit code and output of a finished program.
pub(crate) struct CommandResult {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs the program and waits for its end.
pub(crate) fn run(arguments: &[&str]) -> CommandResult {
    collect_output(compare(arguments).output().unwrap())
}

/// Converts the output of a process to text.
pub(crate) fn collect_output(Output { status, stdout, stderr }: Output) -> CommandResult {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    CommandResult { code: status.code(), out: text(stdout), err: text(stderr) }
}

/// Asserts success, and parses standard output as JSON.
pub(crate) fn json(result: &CommandResult) -> Value {
    assert_eq!(result.code, Some(0), "{}", result.err);
    serde_json::from_str(&result.out).unwrap_or_else(|error| panic!("{error}: {}", result.out))
}

/// Asserts that the program fails with this exit code, prints nothing on standard output, and that its error message
/// contains every part.
pub(crate) fn assert_fails(arguments: &[&str], code: i32, parts: &[&str]) {
    let result = run(arguments);
    assert_eq!(result.code, Some(code), "{arguments:?}: {}", result.err);
    for part in parts {
        assert!(result.err.contains(part), "{arguments:?}: expected '{part}': {}", result.err);
    }
    assert!(
        result.out.is_empty() && !result.err.contains("internal error"),
        "{arguments:?}: {} {}",
        result.out,
        result.err
    );
}

/// Creates a temporary folder with four IDX files, given in the order of [`FILES`].
pub(crate) fn folder_of(files: [&[u8]; 4]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in FILES.iter().zip(files) {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

/// Returns the names of the files and folders in a folder, in alphabetical order.
pub(crate) fn files_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort_unstable();
    names
}

/// Options of a comparison that takes a fraction of a second.
#[rustfmt::skip]
pub(crate) const SMALL: [&str; 12] = [
    "--train-size", "640", "--test-size", "200", "--hidden", "24,16", "--epochs", "2", "--batch-size", "4",
    "--threads", "2",
];

/// Runs the program with these arguments and the options of [`SMALL`].
pub(crate) fn small(arguments: &[&str]) -> CommandResult {
    run(&[arguments, &SMALL].concat())
}
