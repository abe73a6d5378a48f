//! Output folders, which must not contain the files of others, and output files, which must not replace other files of
//! the same command.

use std::io::ErrorKind;
use std::path::Path;

use mlp_parity::storage::{FolderLock, ensure_writable_folder};
use mlp_parity_compare::record::RECORDS;
use mlp_parity_compare::training::CheckpointStore;

use crate::error::{Error, Result};

/// Creates the folder of `--output`, or checks that an existing folder is empty or an earlier output folder, whose
/// files may be replaced. Hidden files are ignored.
///
/// # Errors
///
/// An error about records if the folder contains other files; an I/O error if it cannot be created or written.
pub(crate) fn prepare(folder: &Path) -> Result<()> {
    let is_own = [FolderLock::FILE, RECORDS].iter().any(|name| folder.join(name).exists());
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(mlp_parity::Error::io("read", folder)(error))?,
        entries => entries,
    };
    let names = entries.into_iter().flatten().flatten().map(|entry| entry.file_name());
    let mut others = names.map(|name| name.to_string_lossy().into_owned()).filter(|name| !name.starts_with('.'));
    if let Some(name) = others.next().filter(|_| !is_own) {
        let folder = folder.display();
        return Err(Error::records(format!(
            "{folder} contains '{name}', which this program did not write there; choose a new or an empty folder"
        )));
    }
    Ok(ensure_writable_folder(folder)?)
}

/// Checks that the output file of `option` is not one of the files with which the runs in an output folder are resumed.
///
/// # Errors
///
/// A usage error if it is the lock file, the record file or a checkpoint.
pub(crate) fn check_keeps_runs(folder: &Path, option: &str, file: &Path) -> Result<()> {
    let is_needed = |name: &str| {
        [FolderLock::FILE, RECORDS].contains(&name) || name.ends_with(&format!(".{}", CheckpointStore::SUFFIX))
    };
    // The file may be a link, or not exist yet.
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let in_parent = || Some(parent.canonicalize().ok()?.join(file.file_name()?));
    let path = file.canonicalize().ok().or_else(in_parent);
    let is_in_folder = |path: &Path| path.parent().is_some_and(|parent| is_same(parent, folder));
    let name = path.filter(|path| is_in_folder(path)).and_then(|path| Some(path.file_name()?.to_str()?.to_owned()));
    if name.is_some_and(|name| is_needed(&name)) {
        let [file, folder] = [file.display(), folder.display()];
        let reason = format!("{option}: {file} is needed to resume the runs in {folder}; choose another file");
        return Err(Error::Usage(reason));
    }
    Ok(())
}

/// Checks that an output file is not the input file of the same command.
///
/// # Errors
///
/// A usage error if it is.
pub(crate) fn check_keeps_input(input: &Path, output: &Path) -> Result<()> {
    if is_same(input, output) {
        let output = output.display();
        return Err(Error::Usage(format!("{output}: the output would replace the input; choose another file")));
    }
    Ok(())
}

/// Returns true if both paths name the same existing file or folder.
fn is_same(first: &Path, second: &Path) -> bool {
    first.canonicalize().is_ok_and(|first| second.canonicalize().is_ok_and(|second| first == second))
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
