//! Atomic file replacement: even after a crash, a file has either its old or its complete new contents.

use std::io::Write;
use std::path::Path;

use tempfile::NamedTempFile;

use crate::{Error, Result};

/// Writes `bytes` to the file at `path`, atomically: even after a crash or power failure, the file has either its old
/// contents or the complete new ones. The bytes are written to a temporary file in the same folder, which is synced to
/// disk and then renamed to `path`.
///
/// # Errors
///
/// [`Error::Io`] if the folder does not exist or the file cannot be written. The file at `path` is then unchanged,
/// unless only the final sync of the folder failed.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    // A bare file name has the parent "", which is not a folder; joined with "." it has one. Joining keeps absolute
    // paths.
    let in_folder = Path::new(".").join(path);
    let folder = in_folder.parent().unwrap_or(&in_folder);
    let failed = || Error::io("write", path);
    let mut file = new_temporary(folder).map_err(failed())?;
    file.write_all(bytes).map_err(failed())?;
    file.as_file().sync_all().map_err(failed())?;
    file.persist(path).map_err(|error| failed()(error.error))?;
    sync_folder(folder).map_err(failed())
}

/// Creates the folder, including its parents, if it does not exist, and verifies that files can be created in it.
///
/// # Errors
///
/// [`Error::Io`] if the folder cannot be created, or no file can be created in it.
pub fn ensure_writable_folder(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    // The temporary file is deleted immediately, when it is dropped.
    new_temporary(folder).map_err(Error::io("write to", folder))?;
    Ok(())
}

/// Creates a temporary file in `folder` with the permissions of an ordinary file (0666 minus the umask). The default
/// for temporary files, 0600, would make the final file unreadable to other users.
fn new_temporary(folder: &Path) -> std::io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
}

/// Syncs a folder to disk, so that files created or renamed in it survive a power failure.
///
/// # Errors
///
/// The error of the operating system if the folder cannot be opened or synced.
#[cfg(unix)]
pub fn sync_folder(folder: &Path) -> std::io::Result<()> {
    std::fs::File::open(folder)?.sync_all()
}

/// Does nothing: on this platform, folders cannot be synced.
///
/// # Errors
///
/// Never returns an error; the signature is that of the Unix version.
#[cfg(not(unix))]
pub fn sync_folder(_: &Path) -> std::io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn write_atomically_replaces_file_and_leaves_no_temporary() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        write_atomically(&path, b"old").unwrap();
        write_atomically(&path, b"new").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn storage_functions_reject_file_in_place_of_folder() {
        let file = NamedTempFile::new().unwrap();
        let error = ensure_writable_folder(&file.path().join("below")).unwrap_err().to_string();
        assert!(error.contains("below"), "{error}");
        assert!(write_atomically(&file.path().join("below"), b"").is_err());
    }
}
