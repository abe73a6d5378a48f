//! The append-only record file.
//!
//! Each record is one line. If the program is killed while it writes, the file ends with an incomplete line. Readers
//! ignore that line, and the next writer removes it, so all records before it remain valid.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use mlp_parity::Error as Contract;
use mlp_parity::storage::sync_folder;
use serde::Deserialize;

use super::line::{RECORD_FORMAT, Record};
use crate::{Error, Result};

/// Reads all records of a file, and returns them together with true if the file ends with an incomplete line. That line
/// is ignored. A missing file counts as empty.
///
/// # Errors
///
/// - [`Error::Record`] with the number of the first line that is not a valid record, or has another format version.
/// - [`Contract::Io`] if the file cannot be read.
pub fn read(path: &Path) -> Result<(Vec<Record>, bool)> {
    let bytes = match std::fs::read(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok((Vec::new(), false)),
        bytes => bytes.map_err(Contract::io("read", path))?,
    };
    let (complete, incomplete) = bytes.split_at(end_of_complete_lines(&bytes));
    let lines = complete.split(|&byte| byte == b'\n').enumerate().filter(|(_, line)| !line.is_empty());
    let parse = |(index, line): (usize, &[u8])| {
        let failed = |reason: String| Error::Record { path: path.to_owned(), line: index + 1, reason };
        // Check the version first: a line of another version has other fields, and would fail with a confusing message.
        let Version { format } =
            serde_json::from_slice(line).map_err(|error| failed(format!("not a record ({error})")))?;
        match format.as_str() {
            RECORD_FORMAT => serde_json::from_slice(line).map_err(|error| failed(error.to_string())),
            other => Err(failed(format!(
                "the record has format '{other}', but this version reads '{RECORD_FORMAT}'; repeat the runs in another \
                 folder"
            ))),
        }
    };
    Ok((lines.map(parse).collect::<Result<_>>()?, !incomplete.is_empty()))
}

/// The field that states the format version of a record. Records of all versions have it.
#[derive(Deserialize)]
struct Version {
    format: String,
}

/// Returns the position after the last newline, or 0 if there is none.
fn end_of_complete_lines(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |position| position + 1)
}

/// A record file that is open for appending. A file lock keeps other processes from opening it at the same time.
#[derive(Debug)]
pub struct Journal {
    file: File,
    path: PathBuf,
}

impl Journal {
    /// Opens the file, or creates it. An incomplete last line is removed; the returned bool is true if there was one.
    ///
    /// # Errors
    ///
    /// [`Contract::Io`] if the file cannot be opened, or if another process has it open.
    pub fn open(path: &Path) -> Result<(Self, bool)> {
        let file = OpenOptions::new().read(true).append(true).create(true).open(path);
        let mut file = file.map_err(Contract::io("open", path))?;
        file.try_lock().map_err(|error| match error {
            TryLockError::Error(error) => Contract::io("lock", path)(error),
            TryLockError::WouldBlock => {
                Contract::io("write", path)(std::io::Error::other("another process has the file open for writing"))
            }
        })?;
        let was_incomplete = remove_incomplete_line(&mut file).map_err(Contract::io("repair", path))?;
        // A new file survives a crash only once its folder is synced.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        sync_folder(folder.unwrap_or(Path::new("."))).map_err(Contract::io("write", path))?;
        Ok((Self { file, path: path.to_owned() }, was_incomplete))
    }

    /// Appends a record, and returns once it is on the disk.
    ///
    /// # Errors
    ///
    /// [`Contract::Io`] if the record cannot be serialized or written.
    pub fn append(&self, record: &Record) -> Result<()> {
        let failed = || Contract::io("write", &self.path);
        let line = record.to_line().map_err(|error| failed()(error.into()))?;
        (&self.file).write_all(&line).and_then(|()| self.file.sync_data()).map_err(failed())?;
        Ok(())
    }
}

/// Truncates the file after its last complete line; returns true if that removed anything.
fn remove_incomplete_line(file: &mut File) -> std::io::Result<bool> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.read_to_end(&mut bytes)?;
    let end = end_of_complete_lines(&bytes);
    let is_incomplete = end < bytes.len();
    if is_incomplete {
        file.set_len(end as u64)?;
    }
    Ok(is_incomplete)
}
