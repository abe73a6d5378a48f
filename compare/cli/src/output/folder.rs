//! Output folders, which must not contain the files of others.

use std::path::Path;

use mlp_parity::storage::{FolderLock, ensure_writable_folder};
use mlp_parity_compare::record::RECORDS;

use crate::error::{Error, Result};

/// Creates the folder of `--output`, or checks that an existing folder is empty or an earlier output folder, whose
/// files may be replaced. Hidden files are ignored.
///
/// # Errors
///
/// An error about records if the folder contains other files; an I/O error if it cannot be created or written.
pub(crate) fn prepare(folder: &Path) -> Result<()> {
    let is_own = [FolderLock::FILE, RECORDS].iter().any(|name| folder.join(name).exists());
    let names = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.file_name());
    let mut others = names.map(|name| name.to_string_lossy().into_owned()).filter(|name| !name.starts_with('.'));
    if let Some(name) = others.next().filter(|_| !is_own) {
        let folder = folder.display();
        return Err(Error::records(format!(
            "{folder} contains '{name}', which this program did not write there; choose a new or an empty folder"
        )));
    }
    Ok(ensure_writable_folder(folder)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prepare_accepts_new_empty_and_own_folders_only() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("output");
        prepare(&output).unwrap();
        std::fs::write(output.join(".hidden"), "").unwrap();
        prepare(&output).unwrap();
        std::fs::write(output.join("notes.txt"), "").unwrap();
        let error = prepare(&output).unwrap_err().to_string();
        assert!(error.contains("'notes.txt'"), "{error}");
        drop(FolderLock::acquire(&output).unwrap());
        prepare(&output).unwrap();
    }
}
