//! Output folders and files, which must not replace the files of others, or the results of other commands.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use mlp_parity::storage::{FolderLock, check_writable, ensure_writable_folder};
use mlp_parity_compare::record::RECORDS;
use mlp_parity_compare::reproduction::GRID_FILE;
use mlp_parity_compare::training::CheckpointStore;

use crate::error::{Error, Result};

/// Largest number of links that are followed from one to the next, as on Linux.
const MAX_LINKS: usize = 40;

/// Creates the folder of `--output`, or checks that an existing folder is empty or an earlier output folder, whose
/// files may be replaced. Hidden files are ignored.
///
/// # Errors
///
/// An error about records if the folder contains other files, or a reproduction; an I/O error if it cannot be created or
/// written.
pub(crate) fn prepare(folder: &Path) -> Result<()> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(mlp_parity::Error::io("read", folder)(error))?,
        entries => entries.into_iter().flatten().flatten(),
    };
    let names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    let rejected = |reason: String| Err(Error::records(format!("{}: {reason}", folder.display())));
    if names.iter().any(|name| name == GRID_FILE) {
        return rejected("the folder contains a reproduction; choose another folder".to_owned());
    }
    match names.iter().find(|name| !name.starts_with('.')) {
        Some(name) if !names.iter().any(|name| is_needed_to_resume(name)) => rejected(format!(
            "the folder contains '{name}', but no checkpoint or record of this program; choose a new or an empty folder"
        )),
        _ => Ok(ensure_writable_folder(folder)?),
    }
}

/// Checks every output file of a command as [`check_output_file`] does, and that all of them are different.
///
/// # Errors
///
/// The errors of [`check_output_file`]; [`Error::Usage`] if two files are the same.
pub(crate) fn check_output_files(paths: &[Option<&Path>], input: Option<&Path>) -> Result<()> {
    let paths: Vec<&Path> = paths.iter().flatten().copied().collect();
    for (index, path) in paths.iter().enumerate() {
        check_output_file(path, input)?;
        if paths.iter().take(index).any(|other| other == path || is_same(other, path)) {
            return Err(Error::Usage(format!("{}: two results would be written to this file", path.display())));
        }
    }
    Ok(())
}

/// Checks that an output file can be written, and that it would replace neither the input of the same command nor a file
/// with which the runs in an output folder are resumed.
///
/// # Errors
///
/// The errors of [`check_writable`]; [`Error::Usage`] if the file is the input, or has the name of such a file.
pub(crate) fn check_output_file(path: &Path, input: Option<&Path>) -> Result<()> {
    let rejected = |reason: &str| Err(Error::Usage(format!("{}: {reason}", path.display())));
    if input.is_some_and(|input| is_same(input, path)) {
        return rejected("the output would replace the input; choose another file");
    }
    // A link may lead to a file that does not exist yet.
    let link_target = |path: &PathBuf| Some(path.parent()?.join(path.read_link().ok()?));
    let is_reserved = |path: PathBuf| path.file_name().is_some_and(|name| is_needed_to_resume(&name.to_string_lossy()));
    if std::iter::successors(Some(path.to_owned()), link_target).take(MAX_LINKS).any(is_reserved) {
        return rejected("a file of this name is needed to resume runs; choose another name");
    }
    Ok(check_writable(path)?)
}

/// Returns true if a file of this name in an output folder is needed to resume its runs.
fn is_needed_to_resume(name: &str) -> bool {
    [FolderLock::FILE, RECORDS].contains(&name) || CheckpointStore::is_checkpoint(name)
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
        std::fs::write(output.join("sgd.scratch.checkpoint.safetensors"), "").unwrap();
        prepare(&output).unwrap();
        std::fs::remove_file(output.join("sgd.scratch.checkpoint.safetensors")).unwrap();
        drop(FolderLock::acquire(&output).unwrap());
        prepare(&output).unwrap();
        std::fs::write(output.join(GRID_FILE), "").unwrap();
        let error = prepare(&output).unwrap_err().to_string();
        assert!(error.contains("contains a reproduction"), "{error}");
    }
}
