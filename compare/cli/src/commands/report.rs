//! `compare report`: generates the pages, tables and figures of a reproduction from its records, and merges the records
//! of its shards.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use mlp_parity::storage::{FolderLock, check_writable, ensure_writable_folder, read_file, read_text, write_atomically};
use mlp_parity_compare::record::{RECORDS, Record, RecordFile};
use mlp_parity_compare::reproduction::{GRID_FILE, Grid, Results, check_consistency};

use crate::args::ReportOptions;
use crate::error::{Error, Result};
use crate::output::print::{print_json, warn_incomplete_line};
use crate::output::publication;
use crate::output::terminal::{self, Page};

/// Runs `compare report` and returns the exit code.
pub(crate) fn run(options: &ReportOptions) -> Result<u8> {
    let (grid, records) = load_all(&options.folders)?;
    check_consistency(&records, options.allow_mixed)?;
    check_shards_complete(&records)?;
    options.readme.as_deref().map_or(Ok(()), check_writable)?;
    let folder = match (&options.output, options.folders.as_slice()) {
        (Some(folder), _) | (None, [folder]) => folder,
        (None, _) => return Err(Error::Usage("several folders need --output DIR for the merged records".into())),
    };
    let is_separate = !options.folders.contains(folder);
    if !is_separate && options.folders.len() > 1 {
        let reason = format!("--output: {} is one of the folders to merge; choose another folder", folder.display());
        return Err(Error::Usage(reason));
    }
    ensure_writable_folder(folder)?;
    if is_separate {
        check_overwrites_nothing(folder)?;
        // A process that adds records to the folder would lose them if they were replaced.
        let _lock = FolderLock::acquire(folder)?;
        write_merged(&grid, &records, folder)?;
    }
    let results = Results::new(&grid, &records);
    publication::write(&results, folder)?;
    if let Some(readme) = &options.readme {
        publication::splice(&results, folder, readme)?;
    }
    print_results(&results, folder, &[], options.json)?;
    Ok(0)
}

/// Prints the results of a reproduction, of its tables only those in `only` unless that is empty, and the path of its report;
/// or one JSON document.
pub(super) fn print_results(results: &Results<'_>, folder: &Path, only: &[String], json: bool) -> Result<()> {
    if json {
        return print_json(results.document());
    }
    let mut page = Page::new();
    terminal::reproduction(&mut page, results, only);
    page.paragraph(&format!("Report: {}", folder.join("report.html").display()));
    page.print()
}

/// Reads the grid (the description of the reproduced report) from the folder of a reproduction; `None` if the folder
/// has no grid file.
pub(super) fn read_grid(folder: &Path) -> Result<Option<Grid>> {
    let path = folder.join(GRID_FILE);
    match read_text(&path) {
        Ok(text) => Ok(Some(Grid::from_toml(&text, &path.display().to_string())?)),
        Err(mlp_parity::Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Checks that writing a reproduction to `folder` would not overwrite unrelated files. A folder with a grid file
/// contains a reproduction, whose pages, tables and figures may be replaced.
///
/// # Errors
///
/// An error about records if the folder has no grid file, but a file or folder with the name of one that would be
/// written.
pub(super) fn check_overwrites_nothing(folder: &Path) -> Result<()> {
    let exists = |name: &&str| folder.join(name).exists();
    match publication::NAMES.into_iter().find(exists) {
        Some(name) if !folder.join(GRID_FILE).exists() => {
            let folder = folder.display();
            let reason = format!("{folder}: '{name}' was not written by a reproduction; choose another folder");
            Err(Error::records(reason))
        }
        _ => Ok(()),
    }
}

/// Reads the records in a folder, and warns if the last line is incomplete. A folder without a record file has no
/// records.
pub(super) fn read_records(folder: &Path) -> Result<Vec<Record>> {
    let path = folder.join(RECORDS);
    let RecordFile { records, is_incomplete, .. } = RecordFile::read(&path)?;
    if is_incomplete {
        warn_incomplete_line(&path);
    }
    Ok(records)
}

/// Reads the grid and all records of several folders.
///
/// # Errors
///
/// If a folder has no grid, the grids differ, there are no records, or a file cannot be read.
fn load_all(folders: &[PathBuf]) -> Result<(Grid, Vec<Record>)> {
    let mut all: Option<(Grid, &Path)> = None;
    let mut records = Vec::new();
    for folder in folders {
        let no_grid = || {
            let folder = folder.display();
            Error::records(format!("{folder}: {GRID_FILE} not found; expected an output folder of 'compare reproduce'"))
        };
        let grid = read_grid(folder)?.ok_or_else(no_grid)?;
        match &all {
            Some((first, other)) if first.text != grid.text => {
                let [other, folder] = [other.display(), folder.display()];
                return Err(Error::records(format!("{other} and {folder} are reproductions of different grids")));
            }
            Some(_) => {}
            None => all = Some((grid, folder)),
        }
        records.extend(read_records(folder)?);
    }
    let Some((grid, first)) = all else { return Err(Error::Usage("no folder given".to_owned())) };
    if records.is_empty() {
        return Err(Error::records(format!("{}: no records found", first.join(RECORDS).display())));
    }
    Ok((grid, records))
}

/// Checks that no record is missing from a reproduction that was split into shards (`--shard`). Records without shards
/// are not checked.
///
/// # Errors
///
/// An error about records if a shard is missing or incomplete, or if the records state different numbers of shards.
fn check_shards_complete(records: &[Record]) -> Result<()> {
    let counts: BTreeSet<usize> = records.iter().filter_map(|record| Some(record.shard?.shard.count)).collect();
    let Some(&count) = counts.first() else { return Ok(()) };
    if counts.len() > 1 || records.iter().any(|record| record.shard.is_none()) {
        let reason = "the records are not the shards of one reproduction: numbers of shards differ or are missing";
        return Err(Error::records(reason.to_owned()));
    }
    for index in 1..=count {
        let records_of_shard =
            || records.iter().filter_map(|record| record.shard).filter(|shard| shard.shard.index == index);
        let Some(jobs) = records_of_shard().map(|shard| shard.jobs).max() else {
            return Err(Error::records(format!("shard {index}/{count} is missing")));
        };
        let found = records_of_shard().count();
        if found < jobs {
            let reason = format!("shard {index}/{count} has {found} of its {jobs} records; finish it with --resume");
            return Err(Error::records(reason));
        }
    }
    Ok(())
}

/// Writes the grid and the merged records, so that the folder has the same contents as if one process had run the whole
/// reproduction. Writing the same files again is allowed.
///
/// # Errors
///
/// If the folder contains a different grid or different records, or cannot be written.
fn write_merged(grid: &Grid, records: &[Record], folder: &Path) -> Result<()> {
    let cannot_write = |error: serde_json::Error| mlp_parity::Error::io("write", folder)(error.into());
    let lines: Vec<Vec<u8>> = records.iter().map(Record::to_line).collect::<Result<_, _>>().map_err(cannot_write)?;
    let files = [(GRID_FILE, grid.text.as_bytes().to_vec()), (RECORDS, lines.concat())];
    for (name, bytes) in &files {
        let is_other = match read_file(&folder.join(name), bytes.len() as u64) {
            Ok(existing) => existing != *bytes,
            // A file that cannot be read, or is longer, must not be overwritten either.
            Err(error) => {
                !matches!(error, mlp_parity::Error::Io { source, .. } if source.kind() == ErrorKind::NotFound)
            }
        };
        if is_other {
            let folder = folder.display();
            return Err(Error::records(format!("{folder} contains another reproduction; choose another folder")));
        }
    }
    files.iter().try_for_each(|(name, bytes)| Ok(write_atomically(&folder.join(name), bytes)?))
}
