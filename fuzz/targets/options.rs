//! Parses the fuzzer's input as a command line, one argument per line. If it parses, building the training
//! configurations, the network configuration and the images must succeed or return an error.
#![no_main]

mod program;

use std::ffi::OsStr;
use std::iter;
use std::os::unix::ffi::OsStrExt;

use libfuzzer_sys::fuzz_target;
use program::{args, error, input, output};

fuzz_target!(|bytes: &[u8]| {
    let lines = bytes.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    let arguments = lines.map(|line| OsStr::from_bytes(line).to_owned());
    program::parse(iter::once("compare".into()).chain(arguments).collect());
});
