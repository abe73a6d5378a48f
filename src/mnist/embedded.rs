//! The copy of MNIST inside the binary: see `data/NOTICE.md`.

use std::sync::OnceLock;

use super::files::{FILES, NamedFile, ORIGINAL_SIZES, four};
use super::sets::Mnist;
use crate::{Error, Result};

const PACKED: [&[u8]; 4] = [
    include_bytes!("data/train-images-idx3-ubyte.zst"),
    include_bytes!("data/train-labels-idx1-ubyte.zst"),
    include_bytes!("data/t10k-images-idx3-ubyte.zst"),
    include_bytes!("data/t10k-labels-idx1-ubyte.zst"),
];

/// Longest of the four unpacked files: the training images and their header.
const LONGEST: usize = ORIGINAL_SIZES.0 * 28 * 28 + 16;

/// The unpacked files.
pub(super) fn files() -> Result<[NamedFile; 4]> {
    four(|index| {
        let name = FILES[index];
        let unpacked = zstd::bulk::decompress(PACKED[index], LONGEST)
            .map_err(|error| Error::data(format!("embedded {name}"), format!("cannot be unpacked: {error}")))?;
        Ok((name.to_owned(), unpacked))
    })
}

/// Unpacked once, at the first call.
pub(super) fn load() -> Result<Mnist> {
    static MNIST: OnceLock<Result<Mnist, String>> = OnceLock::new();
    let unpack = || Mnist::from_files(files()?);
    let mnist = MNIST.get_or_init(|| unpack().map_err(|error| error.to_string()));
    mnist.clone().map_err(|reason| Error::data("embedded data", reason))
}
