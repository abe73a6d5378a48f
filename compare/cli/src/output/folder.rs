//! Output folders and files, which must not replace the files of others, or the results of other commands.

use std::io::ErrorKind;
use std::path::Path;

use mlp_parity::Checkpoint;
use mlp_parity::storage::{FolderLock, MAX_SAFETENSORS_LENGTH, check_writable, ensure_writable_folder, read_file};
use mlp_parity_compare::record::RECORDS;
use mlp_parity_compare::reproduction::GRID_FILE;
use mlp_parity_compare::training::CheckpointStore;

use crate::error::{Error, Result};

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
    let is_own =
        |name: &String| [FolderLock::FILE, RECORDS].contains(&name.as_str()) || CheckpointStore::is_checkpoint(name);
    let rejected = |reason: String| Err(Error::records(format!("{}: {reason}", folder.display())));
    if names.iter().any(|name| name == GRID_FILE) {
        return rejected("the folder contains a reproduction; choose another folder".to_owned());
    }
    match names.iter().find(|name| !name.starts_with('.')) {
        Some(name) if !names.iter().any(is_own) => rejected(format!(
            "the folder contains '{name}', but no checkpoint or record of this program; choose a new or an empty folder"
        )),
        _ => Ok(ensure_writable_folder(folder)?),
    }
}

/// Checks that a network or a trace can be written to `path`, and that there is no checkpoint, from which a run could
/// be resumed.
///
/// # Errors
///
/// The errors of [`check_writable`]; [`Error::Usage`] if there is a checkpoint.
pub(crate) fn check_replaceable(path: &Path) -> Result<()> {
    check_writable(path)?;
    if path.is_file() && Checkpoint::is_checkpoint(&read_file(path, MAX_SAFETENSORS_LENGTH)?) {
        return Err(Error::Usage(format!("{}: there is a checkpoint; choose another file", path.display())));
    }
    Ok(())
}

/// Checks that the output file of `option` is not one of the files with which the runs in an output folder are resumed.
///
/// # Errors
///
/// A usage error if it is the lock file, the record file or a checkpoint.
pub(crate) fn check_keeps_runs(folder: &Path, option: &str, file: &Path) -> Result<()> {
    let is_needed = |name: &str| [FolderLock::FILE, RECORDS].contains(&name) || CheckpointStore::is_checkpoint(name);
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
