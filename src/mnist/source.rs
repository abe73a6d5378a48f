//! Where the four files come from.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::{FILES, Mnist, idx};
use crate::{Error, Result};

/// A place with the four files of [`FILES`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DataSource {
    /// MNIST itself, inside this program.
    #[cfg(feature = "embedded")]
    Embedded,
    /// A folder with the four files, each gzipped (`.gz` or not: the content decides) or plain.
    Directory(PathBuf),
}

impl DataSource {
    /// Reads both sets.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if a file cannot be read, [`Error::Data`] if one is missing, is not exactly an IDX file, or does
    /// not fit the others.
    pub fn load(&self) -> Result<Mnist> {
        match self {
            #[cfg(feature = "embedded")]
            Self::Embedded => super::embedded::load(),
            Self::Directory(folder) => {
                let paths = find(folder)?;
                let origins = paths.each_ref().map(|path| path.display().to_string());
                Mnist::from_files(read(&paths)?, &origins)
            }
        }
    }

    /// The four unpacked files with the names of where they come from.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load), but what stands in the files is not looked at beyond unpacking.
    pub fn files(&self) -> Result<[(String, Vec<u8>); 4]> {
        let (origins, files) = match self {
            #[cfg(feature = "embedded")]
            Self::Embedded => (FILES.map(str::to_owned), super::embedded::files()?),
            Self::Directory(folder) => {
                let paths = find(folder)?;
                (paths.each_ref().map(|path| path.display().to_string()), read(&paths)?)
            }
        };
        let mut origins = origins.into_iter();
        Ok(files.map(|bytes| (origins.next().unwrap_or_default(), bytes)))
    }
}

/// Each of the four files, by its own name or with `.gz`.
fn find(folder: &Path) -> Result<[PathBuf; 4]> {
    if !folder.is_dir() {
        return Err(Error::data(folder.display(), "there is no such folder"));
    }
    let candidates = FILES.map(|name| [folder.join(name), folder.join(format!("{name}.gz"))]);
    let found = candidates.map(|paths| paths.into_iter().find(|path| path.is_file()));
    let missing: Vec<&str> =
        FILES.into_iter().zip(&found).filter(|(_, found)| found.is_none()).map(|(name, _)| name).collect();
    match found {
        [Some(a), Some(b), Some(c), Some(d)] => Ok([a, b, c, d]),
        _ => {
            let reason = format!("{} missing (with or without .gz); all four files are needed", missing.join(", "));
            Err(Error::data(folder.display(), reason))
        }
    }
}

fn read(paths: &[PathBuf; 4]) -> Result<[Vec<u8>; 4]> {
    let unpack = |index: usize| {
        let path = &paths[index];
        let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
        idx::unpack(bytes, index.is_multiple_of(2), &path.display().to_string())
    };
    Ok([unpack(0)?, unpack(1)?, unpack(2)?, unpack(3)?])
}

impl fmt::Display for DataSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            #[cfg(feature = "embedded")]
            Self::Embedded => formatter.write_str("embedded"),
            Self::Directory(folder) => write!(formatter, "dir:{}", folder.display()),
        }
    }
}

impl FromStr for DataSource {
    type Err = Error;

    /// `embedded`, `dir:PATH`, or a path that contains a separator or is a folder.
    fn from_str(text: &str) -> Result<Self> {
        if let Some(path) = text.strip_prefix("dir:") {
            return Ok(Self::Directory(path.into()));
        }
        #[cfg(feature = "embedded")]
        if text == "embedded" {
            return Ok(Self::Embedded);
        }
        if text.contains(std::path::is_separator) || Path::new(text).is_dir() {
            return Ok(Self::Directory(text.into()));
        }
        let reason = format!("there is no source '{text}'; give 'embedded', or a folder as 'dir:PATH' or './PATH'");
        Err(Error::configuration("data", reason))
    }
}
