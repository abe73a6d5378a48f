//! Reads the fuzzer's input as a checkpoint. An accepted checkpoint must be recognized as one, and be equal after
//! writing and reading it again.
#![no_main]

mod container;

use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use mlp_parity::{Checkpoint, SafetensorsFile};

fuzz_mutator!(|bytes: &mut [u8], size: usize, max_size: usize, seed: u32| {
    container::mutate(bytes, size, max_size, seed)
});

fuzz_target!(|bytes: &[u8]| {
    let is_checkpoint = Checkpoint::is_checkpoint(bytes);
    let Ok(checkpoint) = Checkpoint::from_bytes(bytes, "input") else { return };
    assert!(is_checkpoint);
    let written = checkpoint.to_bytes().expect("an accepted checkpoint cannot be written");
    let again = Checkpoint::from_bytes(&written, "written").expect("a checkpoint that was just written was rejected");
    assert_eq!(again, checkpoint);
    assert_eq!(again.to_bytes().expect("a checkpoint cannot be written again"), written);
});
