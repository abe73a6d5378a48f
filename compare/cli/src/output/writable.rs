//! Checks that output files can be written, made before any work begins.

use std::io::ErrorKind;
use std::path::Path;

use mlp_parity::storage::ensure_writable_folder;

use crate::error::Result;

/// Checks that a file can be written at `path`, and creates its folder. An existing file is not touched.
///
/// # Errors
///
/// An I/O error if `path` is a folder, or if its own folder cannot be created or written.
pub(crate) fn ensure_writable_file(path: &Path) -> Result<()> {
    if path.is_dir() {
        return Err(mlp_parity::Error::io("write", path)(ErrorKind::IsADirectory.into()).into());
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    Ok(ensure_writable_folder(folder.unwrap_or(Path::new(".")))?)
}
