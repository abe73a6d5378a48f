//! Replacement of files: even after a crash, a file has either its old or its complete new contents.

use std::ffi::OsStr;
use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::{Error, Result};

/// Beginning and end of the names of temporary files.
const TEMPORARY_NAME: [&str; 2] = [".mlp-parity-", ".tmp"];

/// Paths of the open files of a process, and folders with such paths. Other files in `/dev`, such as those in
/// `/dev/shm`, are ordinary files.
const STREAMS: [&str; 4] = ["/dev/fd", "/dev/stderr", "/dev/stdout", "/proc"];

/// Writes `bytes` to the file at `path`, and returns once they are on the disk.
///
/// A regular file is replaced atomically: even after a crash or power failure, it has either its old contents or the
/// complete new ones. The bytes are written to a temporary file in the same folder, which is synced to disk and then
/// renamed. The file keeps its permissions and, if this process may set it, its owner. If `path` is a symbolic link,
/// the file that it points to is replaced, and the link stays. Temporary files that killed processes left in the folder
/// are removed.
///
/// A pipe or a character device, such as `/dev/stdout`, is written in place.
///
/// # Errors
///
/// [`Error::Io`] if [`check_writable`] rejects the path, or the file cannot be written. The file at `path` is then
/// unchanged, unless only the final sync of the folder failed.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    match target(path).map_err(Error::io("write", path))? {
        Target::InPlace => write_in_place(path, bytes),
        Target::Replaced { path, existing } => replace(&path, existing.as_ref(), bytes),
    }
    .map_err(Error::io("write", path))
}

/// Checks that [`write_atomically`] can write to `path`, without changing anything: a program that computes for hours
/// calls this function first.
///
/// # Errors
///
/// [`Error::Io`] if
///
/// - the folder does not exist, or no file can be created in it;
/// - the name is empty, too long for the file system, or ends with a separator, which names a folder;
/// - there is a folder, a block device or a socket at `path`;
/// - the existing file is read-only, may not be written by this user, or has several hard links. Replacing it would
///   separate it from its other names, and writing in place could leave it half-written.
pub fn check_writable(path: &Path) -> Result<()> {
    let check = || match target(path)? {
        Target::InPlace => Ok(()),
        // The temporary file is deleted immediately, when it is dropped.
        Target::Replaced { path, .. } => new_temporary(&folder_of(&path)).map(drop),
    };
    check().map_err(Error::io("write", path))
}

/// The way to write to a path.
enum Target {
    /// Write to the existing pipe or device.
    InPlace,
    /// Replace the regular file at `path`, which is not a symbolic link, or create it.
    Replaced {
        path: PathBuf,
        /// Metadata of the existing file; `None` if there is none.
        existing: Option<Metadata>,
    },
}

/// Determines how to write to `path`, following symbolic links.
fn target(path: &Path) -> io::Result<Target> {
    let metadata = match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return missing_target(path),
        metadata => metadata?,
    };
    if metadata.is_dir() {
        return Err(ErrorKind::IsADirectory.into());
    }
    if !metadata.is_file() {
        return if is_stream(&metadata) { Ok(Target::InPlace) } else { Err(not_writable("neither a file nor a pipe")) };
    }
    // A redirected standard output (`/dev/stdout`) is a regular file whose name belongs to the shell.
    if STREAMS.iter().any(|stream| path.starts_with(stream)) {
        return Ok(Target::InPlace);
    }
    // The path is resolved link by link, because a link may lead to a stream.
    if let Ok(link) = fs::read_link(path) {
        return target(&folder_of(path).join(link));
    }
    if metadata.permissions().readonly() {
        return Err(not_writable("the file is read-only"));
    }
    if hard_links(&metadata) > 1 {
        return Err(not_writable("the file has several hard links, from which it would be separated; remove it first"));
    }
    // Renaming needs permission for the folder only, so that it could replace a file of another user.
    OpenOptions::new().write(true).open(path)?;
    Ok(Target::Replaced { path: path.canonicalize()?, existing: Some(metadata) })
}

/// Determines how to write to `path`, where no file exists: it is created there or, if `path` is a symbolic link, where
/// the link points to.
fn missing_target(path: &Path) -> io::Result<Target> {
    // `file_name` ignores a separator and `/.` at the end, which both name a folder.
    let ends_with = |name: &OsStr| path.as_os_str().as_encoded_bytes().ends_with(name.as_encoded_bytes());
    if !path.file_name().is_some_and(ends_with) {
        return Err(not_writable("the path does not end with a file name"));
    }
    match fs::read_link(path) {
        Ok(link) => target(&folder_of(path).join(link)),
        Err(_) if !folder_of(path).is_dir() => {
            Err(io::Error::new(ErrorKind::NotFound, format!("the folder {} does not exist", folder_of(path).display())))
        }
        Err(_) => Ok(Target::Replaced { path: path.to_owned(), existing: None }),
    }
}

/// Returns the folder of a file. A bare file name is in the folder `.`.
fn folder_of(path: &Path) -> PathBuf {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new(".")).to_owned()
}

/// Writes to an existing pipe or device.
fn write_in_place(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // Appending keeps what was already written to a redirected standard output.
    let mut file = OpenOptions::new().append(true).open(path)?;
    file.write_all(bytes)?;
    file.flush()
}

/// Replaces or creates the regular file at `path`.
fn replace(path: &Path, existing: Option<&Metadata>, bytes: &[u8]) -> io::Result<()> {
    let folder = folder_of(path);
    remove_stale_temporaries(&folder);
    let mut file = new_temporary(&folder)?;
    // `NamedTempFile` would add the name of the temporary file to an error.
    file.as_file_mut().write_all(bytes)?;
    if let Some(existing) = existing {
        keep_owner(file.as_file(), existing);
        file.as_file().set_permissions(existing.permissions())?;
    }
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    sync_folder(&folder)
}

/// Creates the folder, including its parents, if it does not exist, and verifies that files can be created in it.
///
/// # Errors
///
/// [`Error::Io`] if the folder cannot be created, or no file can be created in it.
pub fn ensure_writable_folder(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    // The temporary file is deleted immediately, when it is dropped.
    new_temporary(folder).map(drop).map_err(Error::io("write to", folder))
}

/// Creates a temporary file in `folder` with the permissions of an ordinary file (0666 minus the umask). The default
/// for temporary files, 0600, would make the final file unreadable to other users.
///
/// The file is locked, so that [`remove_stale_temporaries`] in another process keeps it.
fn new_temporary(folder: &Path) -> io::Result<NamedTempFile> {
    let [prefix, suffix] = TEMPORARY_NAME;
    let mut builder = tempfile::Builder::new();
    builder.prefix(prefix).suffix(suffix);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    loop {
        // The error of the builder names the temporary file, which a user does not know.
        let file = builder.tempfile_in(folder).map_err(|error| io::Error::from(error.kind()))?;
        // Another process may regard the file as stale until it is locked. On a file system without locks, no process
        // can lock it, and none removes it.
        if !matches!(file.as_file().try_lock(), Err(TryLockError::WouldBlock)) && file.path().exists() {
            return Ok(file);
        }
    }
}

/// Removes the temporary files in `folder` that killed processes left. Processes that run hold locks on theirs.
fn remove_stale_temporaries(folder: &Path) {
    let [prefix, suffix] = TEMPORARY_NAME;
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let is_temporary = name.starts_with(prefix)
            && name.ends_with(suffix)
            && entry.file_type().is_ok_and(|file_type| file_type.is_file());
        if is_temporary && File::open(entry.path()).is_ok_and(|file| file.try_lock().is_ok()) {
            // The folder may belong to another user; then the file stays.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Returns true for a pipe or a character device.
#[cfg(unix)]
fn is_stream(metadata: &Metadata) -> bool {
    use std::os::unix::fs::FileTypeExt;
    metadata.file_type().is_fifo() || metadata.file_type().is_char_device()
}

#[cfg(not(unix))]
fn is_stream(_: &Metadata) -> bool {
    false
}

/// Gives a new file the owner and the group of the existing one, which only the administrator may do if they differ from
/// those of this process.
#[cfg(unix)]
fn keep_owner(file: &File, existing: &Metadata) {
    use std::os::unix::fs::{MetadataExt, fchown};
    let _ = fchown(file, Some(existing.uid()), Some(existing.gid()));
}

#[cfg(not(unix))]
fn keep_owner(_: &File, _: &Metadata) {}

/// Returns the number of names of a file.
#[cfg(unix)]
fn hard_links(metadata: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::nlink(metadata)
}

#[cfg(not(unix))]
fn hard_links(_: &Metadata) -> u64 {
    1
}

/// Creates the error for a path that cannot be written because of what is there.
fn not_writable(reason: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, reason)
}

/// Syncs a folder to disk, so that files created or renamed in it survive a power failure.
///
/// # Errors
///
/// The error of the operating system if the folder cannot be opened or synced.
#[cfg(unix)]
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Does nothing: on this platform, folders cannot be synced.
///
/// # Errors
///
/// Never returns an error; the signature is that of the Unix version.
#[cfg(not(unix))]
pub fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests;
