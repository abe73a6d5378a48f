//! Checks of output paths.

use std::io::ErrorKind;
use std::path::Path;

use mlp_parity::storage::ensure_writable_folder;

use crate::error::Result;

/// Checks that a file can be written here, and creates its folder.
pub(crate) fn writable(path: &Path) -> Result<()> {
    if path.is_dir() {
        return Err(mlp_parity::Error::io("write", path)(ErrorKind::IsADirectory.into()).into());
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    Ok(ensure_writable_folder(folder.unwrap_or(Path::new(".")))?)
}
