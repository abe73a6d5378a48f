//! Reads the fuzzer's input as a picture, or as an IDX file. Every picture that is accepted must have as many pixels
//! as the network has inputs: those of an image of MNIST, or 2×2 for an IDX file.
#![no_main]

#[path = "../../compare/cli/src/input"]
mod input {
    pub(crate) mod picture;
}

/// The items of the program's error module that the reader uses. With the module itself, this target would need Burn.
mod error {
    pub(crate) use mlp_parity::Result;
}

use input::picture::{self, PixelLimit};
use libfuzzer_sys::fuzz_target;

/// The smallest limit, because larger pictures take longer.
const LIMIT: PixelLimit = PixelLimit(1);

fuzz_target!(|bytes: &[u8]| {
    // The magic numbers of IDX and gzip.
    let is_idx = bytes.starts_with(&[0, 0, 8]) || bytes.starts_with(&[0x1f, 0x8b]);
    let inputs = if is_idx { 2 * 2 } else { 28 * 28 };
    let file = tempfile::NamedTempFile::new().expect("cannot create a temporary file");
    std::fs::write(&file, bytes).expect("cannot write a temporary file");
    let Ok(pictures) = picture::read(file.path(), inputs, LIMIT) else { return };
    for picture in pictures {
        assert_eq!(picture.image.as_raw().len(), inputs);
        assert!(!picture.name.is_empty());
    }
});
