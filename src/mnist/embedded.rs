//! The copy of MNIST that is embedded in the binary. `data/NOTICE.md` states its origin and license.

use std::sync::OnceLock;

use super::files::{FILES, NamedFile, ORIGINAL_SIZES, for_each_file};
use super::sets::Mnist;
use crate::{Error, Result};

/// The four files, in the order of [`FILES`], compressed with Zstandard.
const PACKED: [&[u8]; 4] = [
    include_bytes!("data/train-images-idx3-ubyte.zst"),
    include_bytes!("data/train-labels-idx1-ubyte.zst"),
    include_bytes!("data/t10k-images-idx3-ubyte.zst"),
    include_bytes!("data/t10k-labels-idx1-ubyte.zst"),
];

/// Length in bytes of the longest decompressed file: the training images and their 16-byte header.
const LONGEST: usize = ORIGINAL_SIZES.0 * 28 * 28 + 16;

/// Decompresses the four files. Each comes with its name, for messages.
fn files() -> Result<[NamedFile; 4]> {
    for_each_file(|index| {
        let name = FILES[index];
        let unpacked = zstd::bulk::decompress(PACKED[index], LONGEST)
            .map_err(|error| Error::data(format!("embedded {name}"), format!("cannot be decompressed: {error}")))?;
        Ok((name.to_owned(), unpacked))
    })
}

/// Returns the embedded data set. Only the first call in a process decompresses it; all results share its pixels.
pub(super) fn load() -> Result<Mnist> {
    static MNIST: OnceLock<Result<Mnist, String>> = OnceLock::new();
    // The cell keeps the message of an error, because an `Error` cannot be cloned.
    let unpack = || Mnist::from_files(files()?);
    let mnist = MNIST.get_or_init(|| unpack().map_err(|error| error.to_string()));
    mnist.clone().map_err(|reason| Error::data("embedded MNIST", reason))
}
