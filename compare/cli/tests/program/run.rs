//! The program, run.

use std::process::{Command, Output};

use mlp_parity::mnist::FILES;
use serde_json::Value;
use tempfile::TempDir;

pub(crate) fn compare(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_compare"));
    command.args(arguments).env_remove("MLP_PARITY_DATA");
    command
}

pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

pub(crate) fn run(arguments: &[&str]) -> Ran {
    ran(compare(arguments).output().unwrap())
}

pub(crate) fn ran(Output { status, stdout, stderr }: Output) -> Ran {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: status.code(), out: text(stdout), err: text(stderr) }
}

pub(crate) fn json(ran: &Ran) -> Value {
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {}", ran.out))
}

/// The exit code, and every part in the message; nothing on standard output.
pub(crate) fn refused(arguments: &[&str], code: i32, parts: &[&str]) {
    let ran = run(arguments);
    assert_eq!(ran.code, Some(code), "{arguments:?}: {}", ran.err);
    for part in parts {
        assert!(ran.err.contains(part), "{arguments:?}: expected '{part}': {}", ran.err);
    }
    assert!(ran.out.is_empty() && !ran.err.contains("panicked"), "{arguments:?}: {} {}", ran.out, ran.err);
}

/// A folder with these four files, in the order of [`FILES`].
pub(crate) fn folder_of(files: [&[u8]; 4]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in FILES.iter().zip(files) {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

/// Small enough for a fraction of a second.
#[rustfmt::skip]
pub(crate) const SMALL: [&str; 12] = [
    "--train-size", "640", "--test-size", "200", "--hidden", "24,16", "--epochs", "2", "--batch-size", "4",
    "--threads", "2",
];

/// The program with these arguments, made small.
pub(crate) fn small(arguments: &[&str]) -> Ran {
    run(&[arguments, &SMALL].concat())
}
