//! Files that are either whole or absent.

use std::io::Write;
use std::path::Path;

use tempfile::NamedTempFile;

use crate::{Error, Result};

/// Replaces `path` by a file with these bytes. At no moment, not even when the machine stops, does `path` hold
/// anything but the old bytes or the new ones: they are written to a temporary file beside it, synced, and renamed.
///
/// # Errors
///
/// [`Error::Io`] if the folder does not exist or cannot be written; `path` is then unchanged.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    // A path without a folder is one in this folder; an absolute path stays as it is.
    let in_folder = Path::new(".").join(path);
    let folder = in_folder.parent().unwrap_or(&in_folder);
    let failed = || Error::io("write", path);
    let mut file = new_temporary(folder).map_err(failed())?;
    file.write_all(bytes).map_err(failed())?;
    file.as_file().sync_all().map_err(failed())?;
    file.persist(path).map_err(|error| failed()(error.error))?;
    sync_folder(folder).map_err(failed())
}

/// Creates the folder if need be and shows that a file can be written there, leaving none.
///
/// # Errors
///
/// [`Error::Io`] if not.
pub fn ensure_writable_folder(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    new_temporary(folder).map_err(Error::io("write to", folder))?;
    Ok(())
}

/// Temporary files are private by default; ours become ordinary files, with the permissions that the umask leaves.
fn new_temporary(folder: &Path) -> std::io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
}

/// Makes the names of new files in a folder last, where that needs doing.
///
/// # Errors
///
/// The operating system's.
#[cfg(unix)]
pub fn sync_folder(folder: &Path) -> std::io::Result<()> {
    std::fs::File::open(folder)?.sync_all()
}

/// Makes the names of new files in a folder last, where that needs doing.
///
/// # Errors
///
/// None.
#[cfg(not(unix))]
pub fn sync_folder(_: &Path) -> std::io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        write_atomically(&path, b"old").unwrap();
        write_atomically(&path, b"new").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_in_the_place_of_the_folder_is_an_error() {
        let file = NamedTempFile::new().unwrap();
        let error = ensure_writable_folder(&file.path().join("below")).unwrap_err().to_string();
        assert!(error.contains("below"), "{error}");
        assert!(write_atomically(&file.path().join("below"), b"").is_err());
    }
}
