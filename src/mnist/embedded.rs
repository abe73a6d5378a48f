//! The copy of MNIST inside the binary: see `data/NOTICE.md`.

use std::sync::OnceLock;

use super::{FILES, Mnist, ORIGINAL_SIZES};
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
pub(super) fn files() -> Result<[Vec<u8>; 4]> {
    let unpack = |index: usize| {
        zstd::bulk::decompress(PACKED[index], LONGEST)
            .map_err(|error| Error::data(format!("embedded {}", FILES[index]), format!("cannot be unpacked: {error}")))
    };
    Ok([unpack(0)?, unpack(1)?, unpack(2)?, unpack(3)?])
}

/// Unpacked once, at the first call.
pub(super) fn load() -> Result<Mnist> {
    static MNIST: OnceLock<Result<Mnist, String>> = OnceLock::new();
    let unpack = || Mnist::from_files(files()?, &FILES.map(|name| format!("embedded {name}")));
    let mnist = MNIST.get_or_init(|| unpack().map_err(|error| error.to_string()));
    mnist.clone().map_err(|reason| Error::data("embedded data", reason))
}
