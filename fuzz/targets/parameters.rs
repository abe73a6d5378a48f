//! Parameter files, in both precisions. What is read is written, and read back equal.
#![no_main]

mod container;

use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use mlp_parity::{ParameterFile, SafetensorsFile, Scalar};

fuzz_mutator!(|bytes: &mut [u8], size: usize, most: usize, seed: u32| { container::mutate(bytes, size, most, seed) });

fuzz_target!(|bytes: &[u8]| {
    read::<f32>(bytes);
    read::<f64>(bytes);
});

fn read<F: Scalar>(bytes: &[u8]) {
    let Ok(file) = ParameterFile::<F>::from_bytes(bytes, "input") else { return };
    let written = file.to_bytes().expect("what was read can be written");
    let again = ParameterFile::<F>::from_bytes(&written, "written").expect("what was written can be read");
    assert_eq!(again, file);
    assert_eq!(again.to_bytes().expect("what was read can be written"), written);
    // A network or an error.
    let _ = file.config(None);
}
