//! Locks on output folders.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
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
    /// [`Error::Io`] if another process has locked the folder, the lock file cannot be created, or something else has its
    /// name.
    pub fn acquire(folder: &Path) -> Result<Self> {
        let path = folder.join(Self::FILE);
        // Opening a pipe would wait for a reader, and a link could create a file elsewhere.
        if path.symlink_metadata().is_ok_and(|found| !found.is_file()) {
            let reason = "it is not a regular file; remove it, or choose another folder";
            return Err(Error::io("lock", &path)(io::Error::other(reason)));
        }
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(Error::io("create", &path))?;
        file.try_lock().map_err(|error| match error {
            TryLockError::Error(error) => Error::io("lock", &path)(error),
            TryLockError::WouldBlock => {
                Error::io("write to", folder)(io::Error::other("another process is writing to this folder"))
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

    #[cfg(unix)]
    #[test]
    fn lock_file_is_neither_link_nor_pipe() {
        let folder = tempfile::tempdir().unwrap();
        let [lock, elsewhere] = [FolderLock::FILE, "elsewhere"].map(|name| folder.path().join(name));
        std::os::unix::fs::symlink(&elsewhere, &lock).unwrap();
        let error = FolderLock::acquire(folder.path()).unwrap_err().to_string();
        assert!(error.contains("not a regular file") && !elsewhere.exists(), "{error}");
        std::fs::remove_file(&lock).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&lock).status().unwrap().success());
        assert!(FolderLock::acquire(folder.path()).is_err());
    }
}
