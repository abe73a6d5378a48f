//! The files of MNIST that `burn-dataset` has downloaded into its cache.

use mlp_parity::mnist::{Collection, FILES, md5};
use mlp_parity::{Error, Result};

/// Reads the four unpacked files of MNIST, in the order of [`FILES`], each with its path, from the cache of `burn-dataset`,
/// which neither finishes nor verifies a download. They are verified here.
///
/// # Errors
///
/// [`Error::Configuration`] if this user has no folder for caches, [`Error::Io`] if a file cannot be read, [`Error::Data`] if
/// one is not MNIST's.
pub fn burn_dataset_cache() -> Result<[(String, Vec<u8>); 4]> {
    let none = || Error::configuration("data", "this user has no folder for caches, and so none of Burn");
    let folder = dirs::cache_dir().ok_or_else(none)?.join("burn-dataset").join("mnist");
    let read = |index: usize| {
        let path = folder.join(if index < 2 { "train" } else { "test" }).join(FILES[index]);
        let bytes = std::fs::read(&path).map_err(Error::io("read", &path))?;
        let origin = path.display().to_string();
        if Collection::MNIST.unpacked_md5.is_none_or(|digests| md5(&bytes) != digests[index]) {
            let reason = "is not MNIST's file, perhaps half of it; remove it, for Burn fetches what is missing";
            return Err(Error::data(origin, reason));
        }
        Ok((origin, bytes))
    };
    Ok([read(0)?, read(1)?, read(2)?, read(3)?])
}
