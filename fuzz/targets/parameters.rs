//! Reads the fuzzer's input as a parameter file in both precisions. An accepted file must be equal after writing and
//! reading it again.
#![no_main]

mod container;

use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use mlp_parity::{ParameterFile, SafetensorsFile, Scalar};

fuzz_mutator!(|bytes: &mut [u8], size: usize, max_size: usize, seed: u32| {
    container::mutate(bytes, size, max_size, seed)
});

fuzz_target!(|bytes: &[u8]| {
    read::<f32>(bytes);
    read::<f64>(bytes);
});

/// Reads `bytes` as a parameter file with values of type `F`, and tests the round trip if the file is accepted.
fn read<F: Scalar>(bytes: &[u8]) {
    let Ok(file) = ParameterFile::<F>::from_bytes(bytes, "input") else { return };
    let written = file.to_bytes().expect("an accepted file cannot be written");
    let again = ParameterFile::<F>::from_bytes(&written, "written").expect("a file that was just written was rejected");
    assert_eq!(again, file);
    assert_eq!(again.to_bytes().expect("a file cannot be written again"), written);
    // Returns a network configuration or an error, but must not panic.
    let _ = file.config(None);
}
