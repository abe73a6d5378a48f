//! The data: what the bytes say in the place of one of the four files, which the first of them chooses.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mlp_parity::mnist::{DataSource, FILES};

/// Two images of 2×2 to train with and two to test with.
const GOOD: [&[u8]; 4] = [IMAGES, LABELS, IMAGES, LABELS];
const IMAGES: &[u8] = &[0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8];
const LABELS: &[u8] = &[0, 0, 8, 1, 0, 0, 0, 2, 3, 9];

fuzz_target!(|bytes: &[u8]| {
    let Some((&choice, bytes)) = bytes.split_first() else { return };
    let mut files = GOOD;
    files[usize::from(choice) % files.len()] = bytes;
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    for (name, bytes) in FILES.iter().zip(files) {
        std::fs::write(folder.path().join(name), bytes).expect("a temporary file can be written");
    }
    let source = DataSource::Directory(folder.path().to_owned());
    let Ok(mnist) = source.load() else { return };
    for set in [mnist.train, mnist.test] {
        assert_eq!(set.image(set.len() - 1).len(), set.inputs());
    }
});
