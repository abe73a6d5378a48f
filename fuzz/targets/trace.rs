//! Reads the fuzzer's input as a trace, a recorded training computation, and checks it. An accepted trace must be equal
//! after writing and reading it again, and checking it must not panic.
#![no_main]

mod container;

use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use mlp_parity::SafetensorsFile;
use mlp_parity_compare::check::Trace;

fuzz_mutator!(|bytes: &mut [u8], size: usize, max_size: usize, seed: u32| {
    container::mutate(bytes, size, max_size, seed)
});

fuzz_target!(|bytes: &[u8]| {
    let Ok(trace) = Trace::from_bytes(bytes, "input") else { return };
    let written = trace.to_bytes().expect("an accepted trace cannot be written");
    assert_eq!(Trace::from_bytes(&written, "written").expect("a written trace was rejected"), trace);
    // Returns a verdict or an error, but must not panic.
    let _ = trace.check(&[]);
});
