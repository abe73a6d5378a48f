//! A file of records that only ever grows: a line for each, which is either whole or will not be missed.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use mlp_parity::Error as Contract;
use mlp_parity::storage::sync_folder;
use serde::Deserialize;

use super::line::{RECORD_FORMAT, Record};
use crate::{Error, Result};

/// The records of a file, and whether behind them there is the beginning of one more, which was being written when its
/// program was ended. A file that is not there has none.
///
/// # Errors
///
/// [`Error::Record`] names the first line that is no record; [`Contract::Io`] if the file cannot be read.
pub fn read(path: &Path) -> Result<(Vec<Record>, bool)> {
    let bytes = match std::fs::read(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok((Vec::new(), false)),
        bytes => bytes.map_err(Contract::io("read", path))?,
    };
    let (whole, torn) = bytes.split_at(end_of_lines(&bytes));
    let lines = whole.split(|&byte| byte == b'\n').enumerate().filter(|(_, line)| !line.is_empty());
    let parse = |(index, line): (usize, &[u8])| {
        let failed = |reason: String| Error::Record { path: path.to_owned(), line: index + 1, reason };
        // The version first: a line of another one lacks fields of this one.
        let Version { format } = serde_json::from_slice(line).map_err(|error| failed(error.to_string()))?;
        match format.as_str() {
            RECORD_FORMAT => serde_json::from_slice(line).map_err(|error| failed(error.to_string())),
            other => Err(failed(format!(
                "the format is '{other}', but this version of the program reads '{RECORD_FORMAT}'; write new records into \
                 another folder"
            ))),
        }
    };
    Ok((lines.map(parse).collect::<Result<_>>()?, !torn.is_empty()))
}

/// The field that every version of a record has.
#[derive(Deserialize)]
struct Version {
    format: String,
}

/// The end of the last whole line.
fn end_of_lines(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |position| position + 1)
}

/// A file to which records are appended, by one program at a time.
#[derive(Debug)]
pub struct Journal {
    file: File,
    path: PathBuf,
}

impl Journal {
    /// Opens the file, or makes one. The beginning of a line that never was completed is cut off; whether there was one is
    /// said.
    ///
    /// # Errors
    ///
    /// [`Contract::Io`] if it cannot be written, or another program writes it.
    pub fn open(path: &Path) -> Result<(Self, bool)> {
        let file = OpenOptions::new().read(true).append(true).create(true).open(path);
        let mut file = file.map_err(Contract::io("open", path))?;
        file.try_lock().map_err(|error| match error {
            TryLockError::Error(error) => Contract::io("lock", path)(error),
            TryLockError::WouldBlock => {
                Contract::io("write", path)(std::io::Error::other("another program is writing it"))
            }
        })?;
        let was_torn = cut_torn_line(&mut file).map_err(Contract::io("mend", path))?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        sync_folder(folder.unwrap_or(Path::new("."))).map_err(Contract::io("write", path))?;
        Ok((Self { file, path: path.to_owned() }, was_torn))
    }

    /// Appends a line. When this returns it is on the disk.
    ///
    /// # Errors
    ///
    /// [`Contract::Io`] if it cannot be written.
    pub fn append(&self, record: &Record) -> Result<()> {
        let failed = || Contract::io("write", &self.path);
        let line = record.line().map_err(|error| failed()(error.into()))?;
        (&self.file).write_all(&line).and_then(|()| self.file.sync_data()).map_err(failed())?;
        Ok(())
    }
}

fn cut_torn_line(file: &mut File) -> std::io::Result<bool> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.read_to_end(&mut bytes)?;
    let end = end_of_lines(&bytes);
    let is_torn = end < bytes.len();
    if is_torn {
        file.set_len(end as u64)?;
    }
    Ok(is_torn)
}
