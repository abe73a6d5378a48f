//! The append-only record file.
//!
//! Each record is one line. If the program is killed while it writes, the file ends with an incomplete line. Readers
//! ignore that line, and the next writer removes it, so all records before it remain valid.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use mlp_parity::Error as Contract;
use mlp_parity::storage::{FolderLock, read_file, sync_folder};
use serde::Deserialize;

use super::line::{RECORD_FORMAT, Record};
use crate::{Error, Result};

/// Largest length of a record file in bytes. A record of 15 epochs has about 2,500.
const MAX_LENGTH: u64 = 1 << 30;

/// Beginning of the line of every record, up to the number of the format version.
const LINE_START: &[u8] = br#"{"format":"mlp-parity-record/"#;

/// The contents of a record file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RecordFile {
    /// All records.
    pub records: Vec<Record>,
    /// True if the file ends with the beginning of a record, which a killed program left. It is ignored.
    pub is_incomplete: bool,
    /// Length of the complete lines in bytes.
    length: usize,
    /// True if the last complete line has no newline at its end.
    lacks_newline: bool,
}

impl RecordFile {
    /// Reads the file at `path`. A missing file counts as empty.
    ///
    /// # Errors
    ///
    /// - [`Error::Record`] with the number of the first line that is not a valid record, or has another format version.
    /// - [`Contract::Io`] if the file cannot be read, has more than 1 GiB, or is not a regular file.
    pub fn read(path: &Path) -> Result<Self> {
        match path.metadata() {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::default()),
            // Records cannot be appended to a folder or a device, and opening a pipe would wait for its writer.
            Ok(found) if !found.is_file() => {
                Err(Contract::io("read", path)(io::Error::other("it is not a regular file")).into())
            }
            _ => Self::parse(&read_file(path, MAX_LENGTH)?, path),
        }
    }

    /// Parses the bytes of the file at `path`.
    ///
    /// # Errors
    ///
    /// [`Error::Record`] with the number of the first line that is not a valid record, or has another format version.
    pub fn parse(bytes: &[u8], path: &Path) -> Result<Self> {
        let mut file = Self::default();
        for (index, line) in bytes.split_inclusive(|&byte| byte == b'\n').enumerate() {
            let failed = |reason: String| Error::Record { path: path.to_owned(), line: index + 1, reason };
            match parse_line(line) {
                _ if line == b"\n" => {}
                // An editor may have removed the last newline; the record is complete.
                Ok(record) => {
                    file.records.push(record);
                    file.lacks_newline = !line.ends_with(b"\n");
                }
                Err(_) if !line.ends_with(b"\n") && is_start_of_record(line) => {
                    file.is_incomplete = true;
                    return Ok(file);
                }
                Err(reason) => return Err(failed(reason)),
            }
            file.length += line.len();
        }
        Ok(file)
    }
}

/// The field that states the format version of a record. Records of all versions have it.
#[derive(Deserialize)]
struct Version {
    format: String,
}

/// Parses one line; the error is a message.
fn parse_line(line: &[u8]) -> Result<Record, String> {
    // Check the version first: a line of another version has other fields, and would fail with a confusing message.
    let Version { format } = serde_json::from_slice(line).map_err(|error| format!("not a record ({error})"))?;
    if format != RECORD_FORMAT {
        return Err(format!(
            "the record has format '{format}', but this version reads '{RECORD_FORMAT}'; repeat the runs in another \
             folder"
        ));
    }
    let record: Record = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    record.validate()?;
    Ok(record)
}

/// Returns true if a line without its end may be the beginning of a record, rather than text that this program did not
/// write and must not remove.
fn is_start_of_record(line: &[u8]) -> bool {
    line.starts_with(LINE_START) || LINE_START.starts_with(line)
}

/// A record file that is open for appending. The lock of its folder keeps other processes from opening it at the same
/// time.
#[derive(Debug)]
pub struct Journal {
    file: File,
    path: PathBuf,
    /// Length of the complete lines in bytes.
    length: u64,
    _lock: FolderLock,
}

impl Journal {
    /// Opens the file, or creates it, and returns it with its contents. An incomplete last line is removed.
    ///
    /// # Errors
    ///
    /// The errors of [`RecordFile::read`], and [`Contract::Io`] if the file cannot be written, or if another process uses
    /// its folder. The file is then unchanged.
    pub fn open(path: &Path) -> Result<(Self, RecordFile)> {
        // A bare file name has the parent "", which is not a folder.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let lock = FolderLock::acquire(folder)?;
        let contents = RecordFile::read(path)?;
        let file =
            OpenOptions::new().read(true).append(true).create(true).open(path).map_err(Contract::io("open", path))?;
        let mut journal = Self { file, path: path.to_owned(), length: contents.length as u64, _lock: lock };
        let missing: &[u8] = if contents.lacks_newline { b"\n" } else { b"" };
        journal.write_line(missing).map_err(Contract::io("repair", path))?;
        journal.length += missing.len() as u64;
        // A new file survives a crash only once its folder is synced.
        sync_folder(folder).map_err(Contract::io("write", path))?;
        Ok((journal, contents))
    }

    /// Appends a record, and returns once it is on the disk.
    ///
    /// # Errors
    ///
    /// [`Contract::Io`] if the record cannot be serialized or written, or another program has removed, replaced or changed
    /// the file. The file then contains the same records as before: what was written of the line is removed, at the
    /// latest by the next call or by [`open`](Self::open).
    pub fn append(&mut self, record: &Record) -> Result<()> {
        let line = record.to_line().map_err(|error| Contract::io("write", &self.path)(error.into()))?;
        if let Err(error) = self.write_line(&line) {
            // The error that is reported is the cause, such as a full disk.
            let _ = self.remove_rest_of_failed_write();
            return Err(Contract::io("write", &self.path)(error).into());
        }
        self.length += line.len() as u64;
        Ok(())
    }

    /// Writes a line after the last complete one.
    fn write_line(&mut self, line: &[u8]) -> io::Result<()> {
        self.remove_rest_of_failed_write()?;
        self.file.write_all(line)?;
        self.file.sync_data()
    }

    /// Removes the beginning of a line that an earlier write left, and could not remove.
    ///
    /// # Errors
    ///
    /// If another program has removed, replaced or changed the file: records would be lost, or added to text that is not
    /// a record.
    fn remove_rest_of_failed_write(&mut self) -> io::Result<()> {
        if !is_at(&self.file, &self.path)? {
            return Err(io::Error::other("another program has removed or replaced the file"));
        }
        let length = self.file.metadata()?.len();
        if length == self.length {
            return Ok(());
        }
        self.file.seek(SeekFrom::Start(self.length))?;
        let mut rest = Vec::new();
        Read::by_ref(&mut self.file).take(MAX_LENGTH).read_to_end(&mut rest)?;
        if length < self.length || rest.contains(&b'\n') || !is_start_of_record(&rest) {
            return Err(io::Error::other("another program has changed the file"));
        }
        self.file.set_len(self.length)
    }
}

/// Returns true if `path` is the path of the open file.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let opened = file.metadata()?;
    Ok(path.metadata().is_ok_and(|found| (found.dev(), found.ino()) == (opened.dev(), opened.ino())))
}

/// Returns true: on this platform, an open file can be neither removed nor replaced.
#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> io::Result<bool> {
    Ok(true)
}
