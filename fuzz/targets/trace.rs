//! Reads the fuzzer's input as a trace, a recorded training computation, checks it, and explains results that disagree. An
//! accepted trace must be written to the same bytes after it was written and read again, and neither the check nor the
//! diagnosis may panic.
#![no_main]

mod container;

use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use mlp_parity::SafetensorsFile;
use mlp_parity_compare::check::Trace;
use mlp_parity_compare::diagnosis::check_trace;

fuzz_mutator!(|bytes: &mut [u8], size: usize, max_size: usize, seed: u32| {
    container::mutate(bytes, size, max_size, seed)
});

fuzz_target!(|bytes: &[u8]| {
    let Ok(trace) = Trace::from_bytes(bytes, "input") else { return };
    let written = trace.to_bytes().expect("an accepted trace cannot be written");
    // Bytes and not traces: results may be NaN, and what was assumed is written out.
    let read = Trace::from_bytes(&written, "written").expect("a written trace was rejected");
    assert_eq!(read.to_bytes().expect("a trace that was read cannot be written"), written);
    // Returns a verdict or an error, but must not panic.
    let _ = check_trace(&trace, &[], &[]);
});
