//! Locks on output folders.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

use crate::{Error, Result};

/// The exclusive right of this process to write to an output folder. It ends when the value is dropped, or the process
/// ends in any way.
#[derive(Debug)]
pub struct FolderLock {
    _file: File,
}

impl FolderLock {
    /// Name of the lock file in an output folder. It stays there, empty, because its removal would race with other
    /// processes.
    pub const FILE: &str = ".lock";

    /// Locks the folder, which must exist.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if another process has locked the folder, or the lock file cannot be created.
    pub fn acquire(folder: &Path) -> Result<Self> {
        let path = folder.join(Self::FILE);
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(Error::io("create", &path))?;
        file.try_lock().map_err(|error| match error {
            TryLockError::Error(error) => Error::io("lock", &path)(error),
            TryLockError::WouldBlock => {
                Error::io("write to", folder)(std::io::Error::other("another process is writing to this folder"))
            }
        })?;
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folder_is_locked_until_lock_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let lock = FolderLock::acquire(folder.path()).unwrap();
        let error = FolderLock::acquire(folder.path()).unwrap_err().to_string();
        assert!(error.contains("another process"), "{error}");
        drop(lock);
        FolderLock::acquire(folder.path()).unwrap();
    }
}
