//! Traces of other programs. What is read is written, read back equal, and judged.
#![no_main]

mod container;

use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use mlp_parity::SafetensorsFile;
use mlp_parity_compare::check::Trace;

fuzz_mutator!(|bytes: &mut [u8], size: usize, most: usize, seed: u32| { container::mutate(bytes, size, most, seed) });

fuzz_target!(|bytes: &[u8]| {
    let Ok(trace) = Trace::from_bytes(bytes, "input") else { return };
    let written = trace.to_bytes().expect("what was read can be written");
    assert_eq!(Trace::from_bytes(&written, "written").expect("what was written can be read"), trace);
    // A verdict or an error.
    let _ = trace.check(&[]);
});
