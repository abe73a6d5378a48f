//! Reads the fuzzer's input as a picture: a PNG, JPEG or IDX file. Every picture that is accepted must have at least one
//! pixel, and those of PNG and JPEG files as many as an image of MNIST.
#![no_main]

#[path = "../../compare/cli/src/input"]
mod input {
    pub(crate) mod picture;
}

/// The items of the program's error module that the reader uses. With the module itself, this target would need Burn.
mod error {
    pub(crate) use mlp_parity::Result;
}

use input::picture;
use libfuzzer_sys::fuzz_target;

/// Number of pixels of an image of MNIST.
const PIXELS: usize = 28 * 28;

fuzz_target!(|bytes: &[u8]| {
    let file = tempfile::NamedTempFile::new().expect("cannot create a temporary file");
    std::fs::write(&file, bytes).expect("cannot write a temporary file");
    let Ok(pictures) = picture::read(file.path()) else { return };
    let is_image = bytes.starts_with(b"\x89PNG") || bytes.starts_with(&[0xff, 0xd8]);
    for picture in pictures {
        assert!(!picture.pixels.is_empty() && !picture.name.is_empty());
        assert!(!is_image || picture.pixels.len() == PIXELS);
    }
});
