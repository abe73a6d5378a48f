//! Reading of input files whose size is not trusted.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use crate::{Error, Result};

/// Largest length of a text file in bytes: options, grids, tokens and READMEs. The longest ones in use have some tens of
/// kilobytes.
pub const MAX_TEXT_LENGTH: u64 = 1 << 20;

/// Largest length of an IDX file in bytes, compressed or not. It is about twice the largest data set that is published
/// in one file of this format and fits into the memory of an ordinary computer (EMNIST's by-class set, 547 MB).
pub const MAX_IDX_LENGTH: u64 = 1 << 30;

/// Largest length of a safetensors file in bytes. A checkpoint of the [largest network](crate::MlpConfig::MAX_WEIGHTS)
/// has 24 GiB: parameters and Adam's two moments in single precision.
pub const MAX_SAFETENSORS_LENGTH: u64 = 25 << 30;

/// Largest number of bytes that are read from a pipe. Unlike a regular file, a pipe does not state its length, so a
/// greater limit could only be enforced after the memory has been filled.
const MAX_PIPE_LENGTH: u64 = 128 << 20;

/// Reads a whole file of at most `limit` bytes.
///
/// The length of a regular file is checked before any of it is read. Pipes, such as `<(command)` in a shell, are read up
/// to the limit, but at most up to 128 MiB.
///
/// # Errors
///
/// [`Error::Io`] if the path is neither a regular file nor a pipe, the file is longer than the limit, it does not fit
/// into memory, or the operating system reports an error.
pub fn read_file(path: &Path, limit: u64) -> Result<Vec<u8>> {
    read(path, limit).map_err(Error::io("read", path))
}

/// Reads a text file in UTF-8 of at most [`MAX_TEXT_LENGTH`] bytes.
///
/// # Errors
///
/// The errors of [`read_file`]; [`Error::Io`] if the contents are not UTF-8.
pub fn read_text(path: &Path) -> Result<String> {
    let bytes = read_file(path, MAX_TEXT_LENGTH)?;
    let invalid = |error: std::string::FromUtf8Error| {
        let position = error.utf8_error().valid_up_to();
        io::Error::new(ErrorKind::InvalidData, format!("not UTF-8 text: byte {position} is invalid"))
    };
    String::from_utf8(bytes).map_err(invalid).map_err(Error::io("read", path))
}

/// Reads a file as [`read_file`] does, with the bare error.
fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    // Before the file is opened: merely opening a device may have effects.
    let metadata = path.metadata()?;
    let kind = metadata.file_type();
    let limit = match (kind.is_file(), is_pipe(kind)) {
        (true, _) if metadata.len() > limit => {
            let reason = format!("the file has {} bytes; at most {limit} are allowed", metadata.len());
            return Err(io::Error::new(ErrorKind::FileTooLarge, reason));
        }
        (true, _) => limit,
        (false, true) => limit.min(MAX_PIPE_LENGTH),
        (false, false) => {
            let found = if kind.is_dir() { "a directory" } else { "a device" };
            let reason = format!("it is {found}; expected a file or a pipe");
            return Err(io::Error::new(ErrorKind::InvalidInput, reason));
        }
    };
    let file = File::open(path)?;
    let mut bytes = Vec::new();
    // The length is 0 for a pipe and for the files in /proc. It fits: it is at most the limit, which fits.
    let expected = usize::try_from(metadata.len()).unwrap_or(usize::MAX);
    bytes.try_reserve_exact(expected).map_err(|_| does_not_fit(expected))?;
    // One byte more than allowed reveals that there are more; a file may also have grown since its length was read.
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        let reason = format!("more than {limit} bytes; at most {limit} are allowed");
        return Err(io::Error::new(ErrorKind::FileTooLarge, reason));
    }
    Ok(bytes)
}

/// Returns the error for a file whose contents do not fit into memory.
fn does_not_fit(length: usize) -> io::Error {
    io::Error::new(ErrorKind::OutOfMemory, format!("its {length} bytes do not fit into the available memory"))
}

/// Returns true if the file is a named or anonymous pipe.
#[cfg(unix)]
fn is_pipe(kind: std::fs::FileType) -> bool {
    std::os::unix::fs::FileTypeExt::is_fifo(&kind)
}

/// Returns false: on this platform, pipes have no paths that could be read.
#[cfg(not(unix))]
fn is_pipe(_: std::fs::FileType) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the message with which `read_file` rejects a path.
    fn rejection(path: &Path, limit: u64) -> String {
        read_file(path, limit).unwrap_err().to_string()
    }

    #[test]
    fn read_file_accepts_files_up_to_the_limit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, b"12345").unwrap();
        assert_eq!(read_file(&path, 5).unwrap(), b"12345");
        let message = rejection(&path, 4);
        assert!(message.contains("the file has 5 bytes; at most 4 are allowed"), "{message}");
    }

    #[test]
    fn read_file_rejects_sparse_file_by_its_length() {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(100_000_000_000).unwrap();
        let message = rejection(file.path(), MAX_SAFETENSORS_LENGTH);
        assert!(message.contains("100000000000 bytes"), "{message}");
    }

    #[test]
    fn read_file_rejects_directory_and_missing_file() {
        let folder = tempfile::tempdir().unwrap();
        let message = rejection(folder.path(), 10);
        assert!(message.contains("is a directory"), "{message}");
        let missing = read_file(&folder.path().join("missing"), 10).unwrap_err();
        assert!(matches!(missing, Error::Io { source, .. } if source.kind() == ErrorKind::NotFound));
    }

    #[cfg(unix)]
    #[test]
    fn read_file_rejects_device() {
        let message = rejection(Path::new("/dev/zero"), 10);
        assert!(message.contains("is a device"), "{message}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn read_file_reads_file_that_states_no_length() {
        let status = read_file(Path::new("/proc/self/status"), MAX_TEXT_LENGTH).unwrap();
        assert!(status.starts_with(b"Name:"));
        assert!(rejection(Path::new("/proc/self/status"), 10).contains("more than 10 bytes"));
    }

    #[test]
    fn read_text_rejects_other_encodings() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "gr\u{fc}n").unwrap();
        assert_eq!(read_text(file.path()).unwrap(), "gr\u{fc}n");
        std::fs::write(file.path(), b"gr\xfcn").unwrap();
        let message = read_text(file.path()).unwrap_err().to_string();
        assert!(message.contains("not UTF-8 text: byte 2 is invalid"), "{message}");
    }
}
