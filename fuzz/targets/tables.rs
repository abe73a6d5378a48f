//! Reads the fuzzer's input as a data set in a table: an `.npz` file or a CSV file. If it is accepted, every image must have all
//! of its pixels.
#![no_main]

#[path = "../../compare/cli/src/input/data/mod.rs"]
#[allow(dead_code, reason = "the search of folders is not used")]
mod data;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let file = tempfile::NamedTempFile::new().expect("cannot create a temporary file");
    std::fs::write(&file, bytes).expect("cannot write a temporary file");
    let Ok(mnist) = data::load(file.path()) else { return };
    for set in [mnist.train, mnist.test] {
        assert_eq!(set.image(set.len() - 1).len(), set.inputs());
    }
});
