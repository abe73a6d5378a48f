//! What is written of a reproduction.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use mlp_parity::storage::{ensure_writable_folder, write_atomically};
use mlp_parity_compare::record::{self, RECORDS, Record};
use mlp_parity_compare::reproduction::{GRID_FILE, Grid, Results, check_consistency};

use crate::args::ReportOptions;
use crate::error::{Error, Result};
use crate::output::print::{print, print_json, warn_of_torn_line};
use crate::output::{publication, terminal};

pub(crate) fn run(options: &ReportOptions) -> Result<u8> {
    let (grid, records) = load_all(&options.folders)?;
    check_consistency(&records, options.allow_mixed)?;
    check_shares(&records)?;
    let folder = match (&options.output, options.folders.as_slice()) {
        (Some(folder), _) | (None, [folder]) => folder,
        (None, _) => return Err(Error::Usage("several folders are put together into one: name it by --output".into())),
    };
    let is_new = !options.folders.contains(folder);
    if !is_new && options.folders.len() > 1 {
        let reason =
            format!("--output: {} holds one of the parts; name another folder for the whole", folder.display());
        return Err(Error::Usage(reason));
    }
    ensure_writable_folder(folder)?;
    if is_new {
        check_is_free(folder)?;
        keep(&grid, &records, folder)?;
    }
    let results = Results::new(&grid, &records);
    publication::write(&results, folder)?;
    if let Some(readme) = &options.readme {
        publication::splice(&results, folder, readme)?;
    }
    conclude(&results, folder, options.json)?;
    Ok(0)
}

/// Says what came of it, and where it stands.
pub(super) fn conclude(results: &Results<'_>, folder: &Path, json: bool) -> Result<()> {
    if json {
        return print_json(results.document());
    }
    print(format!("{}\n\n{}", terminal::reproduction(results), folder.join("report.html").display()))
}

/// The grid of a folder, if it has one.
pub(super) fn grid_of(folder: &Path) -> Result<Option<Grid>> {
    let path = folder.join(GRID_FILE);
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(Some(Grid::from_toml(&text, &path.display().to_string())?)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(mlp_parity::Error::io("read", &path)(error).into()),
    }
}

/// Shows that a folder that is no reproduction's has no file that one would replace.
pub(super) fn check_is_free(folder: &Path) -> Result<()> {
    let is_there = |name: &&str| folder.join(name).exists();
    match publication::NAMES.into_iter().find(is_there) {
        Some(name) if !folder.join(GRID_FILE).exists() => {
            let place = folder.display();
            Err(Error::records(format!("{place} has a '{name}' that is not of a reproduction; choose another folder")))
        }
        _ => Ok(()),
    }
}

/// The records of a folder. What was torn off is said.
pub(super) fn records_of(folder: &Path) -> Result<Vec<Record>> {
    let path = folder.join(RECORDS);
    let (records, is_torn) = record::read(&path)?;
    if is_torn {
        warn_of_torn_line(&path);
    }
    Ok(records)
}

fn load_all(folders: &[PathBuf]) -> Result<(Grid, Vec<Record>)> {
    let mut all: Option<(Grid, &Path)> = None;
    let mut records = Vec::new();
    for folder in folders {
        let none =
            || Error::records(format!("{}: there is no {GRID_FILE}; 'compare reproduce' writes it", folder.display()));
        let grid = grid_of(folder)?.ok_or_else(none)?;
        match &all {
            Some((first, of)) if first.text != grid.text => {
                return Err(Error::records(format!("{} and {} hold different grids", of.display(), folder.display())));
            }
            Some(_) => {}
            None => all = Some((grid, folder)),
        }
        records.extend(records_of(folder)?);
    }
    let Some((grid, first)) = all else { return Err(Error::Usage("no folder is named".to_owned())) };
    if records.is_empty() {
        return Err(Error::records(format!("{}: there are no records", first.join(RECORDS).display())));
    }
    Ok((grid, records))
}

/// Shows that of shares none is missing, and each is complete.
fn check_shares(records: &[Record]) -> Result<()> {
    let counts: BTreeSet<usize> = records.iter().filter_map(|record| Some(record.shard?.shard.count)).collect();
    let Some(&count) = counts.first() else { return Ok(()) };
    if counts.len() > 1 || records.iter().any(|record| record.shard.is_none()) {
        return Err(Error::records("the records do not come from shares of one whole".to_owned()));
    }
    for index in 1..=count {
        let of_share = || records.iter().filter_map(|record| record.shard).filter(|shard| shard.shard.index == index);
        let Some(jobs) = of_share().map(|shard| shard.jobs).max() else {
            return Err(Error::records(format!("share {index}/{count} is missing")));
        };
        let there = of_share().count();
        if there < jobs {
            let reason = format!("share {index}/{count} has {there} of its {jobs} records; finish it with --resume");
            return Err(Error::records(reason));
        }
    }
    Ok(())
}

/// Writes what was put together, so that the folder is like one that was made at once. The same again does no harm.
fn keep(grid: &Grid, records: &[Record], folder: &Path) -> Result<()> {
    let cannot = |error: serde_json::Error| mlp_parity::Error::io("write", folder)(error.into());
    let lines: Vec<Vec<u8>> = records.iter().map(Record::line).collect::<Result<_, _>>().map_err(cannot)?;
    let files = [(GRID_FILE, grid.text.as_bytes().to_vec()), (RECORDS, lines.concat())];
    for (name, bytes) in &files {
        if std::fs::read(folder.join(name)).is_ok_and(|there| there != *bytes) {
            let place = folder.display();
            return Err(Error::records(format!("{place} holds another reproduction; choose another folder")));
        }
    }
    files.iter().try_for_each(|(name, bytes)| Ok(write_atomically(&folder.join(name), bytes)?))
}
