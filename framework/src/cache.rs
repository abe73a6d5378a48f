//! Reads MNIST from the cache into which the crate `burn-dataset` downloads it.

use mlp_parity::mnist::{Collection, FILES, md5};
use mlp_parity::storage::{MAX_IDX_LENGTH, read_file};
use mlp_parity::{Error, Result};

/// Reads the four decompressed files of MNIST from the cache of `burn-dataset`, in the order of [`FILES`], each with
/// its path.
///
/// `burn-dataset` does not verify its downloads, and an interrupted one leaves an incomplete file, so this function
/// verifies every file by its MD5 digest.
///
/// # Errors
///
/// [`Error::Configuration`] if the user has no cache folder, [`Error::Io`] if a file cannot be read, [`Error::Data`] if
/// a file is not the original.
pub fn burn_dataset_cache() -> Result<[(String, Vec<u8>); 4]> {
    let no_cache =
        || Error::configuration("data", "cannot locate the cache of burn-dataset: the user has no cache folder");
    let folder = dirs::cache_dir().ok_or_else(no_cache)?.join("burn-dataset").join("mnist");
    let read = |index: usize| {
        let path = folder.join(if index < 2 { "train" } else { "test" }).join(FILES[index]);
        let bytes = read_file(&path, MAX_IDX_LENGTH)?;
        let origin = path.display().to_string();
        if Collection::MNIST.unpacked_md5.is_none_or(|digests| md5(&bytes) != digests[index]) {
            let reason = "not the original file of MNIST, possibly an incomplete download; \
                          delete it to let Burn download it again";
            return Err(Error::data(origin, reason));
        }
        Ok((origin, bytes))
    };
    Ok([read(0)?, read(1)?, read(2)?, read(3)?])
}
