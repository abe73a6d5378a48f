//! Reads a data set in MNIST's format, in which the fuzzer's input replaces one of the four files. The first byte of
//! the input selects the file, the remaining bytes are its contents. If the data set is accepted, every image must have
//! all of its pixels.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mlp_parity::mnist::{DataSource, FILES};

/// Four valid files: two training images and two test images of 2×2 pixels.
const VALID: [&[u8]; 4] = [IMAGES, LABELS, IMAGES, LABELS];
const IMAGES: &[u8] = &[0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8];
const LABELS: &[u8] = &[0, 0, 8, 1, 0, 0, 0, 2, 3, 9];

fuzz_target!(|bytes: &[u8]| {
    let Some((&choice, bytes)) = bytes.split_first() else { return };
    let mut files = VALID;
    files[usize::from(choice) % files.len()] = bytes;
    let folder = tempfile::tempdir().expect("cannot create a temporary folder");
    for (name, bytes) in FILES.iter().zip(files) {
        std::fs::write(folder.path().join(name), bytes).expect("cannot write a temporary file");
    }
    let source = DataSource::Directory(folder.path().to_owned());
    let Ok(mnist) = source.load() else { return };
    for set in [mnist.train, mnist.test] {
        assert_eq!(set.image(set.len() - 1).len(), set.inputs());
    }
});
