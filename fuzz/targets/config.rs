//! Reads the fuzzer's input as a file of options (`--config`). Its first line is the command, and empty for the full
//! comparison; the remaining lines are the file. The resulting command line has the same properties as in `options`.
#![no_main]

mod program;

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use libfuzzer_sys::fuzz_target;
use program::{args, error, input, output};

fuzz_target!(|bytes: &[u8]| {
    let end = bytes.iter().position(|&byte| byte == b'\n').unwrap_or(bytes.len());
    let (command, toml) = bytes.split_at(end);
    let file = tempfile::NamedTempFile::new().expect("cannot create a temporary file");
    std::fs::write(&file, toml).expect("cannot write a temporary file");
    let mut arguments = vec![OsString::from("compare")];
    if !command.is_empty() {
        arguments.push(OsStr::from_bytes(command).to_owned());
    }
    arguments.extend(["--config".into(), file.path().into()]);
    if let Some(arguments) = program::expand(arguments) {
        program::parse(arguments);
    }
});
