//! Where the four files come from.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::collection::Collection;
use super::files::{FILES, NamedFile, four};
use super::idx;
use super::sets::Mnist;
use crate::{Error, Result};

/// A place with the four files of [`FILES`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DataSource {
    /// MNIST itself, inside this program.
    #[cfg(feature = "embedded")]
    Embedded,
    /// A folder with the four files, each gzipped (`.gz` or not: the content decides) or plain.
    Directory(PathBuf),
    /// The cache into which this program downloads, every file verified.
    Downloaded(&'static Collection),
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
            _ => Mnist::from_files(self.files()?),
        }
    }

    /// The four unpacked files with the names of where they come from.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load), but what stands in the files is not looked at beyond unpacking.
    pub fn files(&self) -> Result<[(String, Vec<u8>); 4]> {
        match self {
            #[cfg(feature = "embedded")]
            Self::Embedded => super::embedded::files(),
            Self::Directory(folder) => read(&find(folder)?),
            Self::Downloaded(collection) => collection.files(),
        }
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

fn read(paths: &[PathBuf; 4]) -> Result<[NamedFile; 4]> {
    four(|index| {
        let path = &paths[index];
        let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
        let origin = path.display().to_string();
        let unpacked = idx::unpack(bytes, index.is_multiple_of(2), &origin)?;
        Ok((origin, unpacked))
    })
}

impl fmt::Display for DataSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            #[cfg(feature = "embedded")]
            Self::Embedded => formatter.write_str("embedded"),
            Self::Directory(folder) => write!(formatter, "dir:{}", folder.display()),
            Self::Downloaded(collection) => formatter.write_str(collection.name),
        }
    }
}

impl FromStr for DataSource {
    type Err = Error;

    /// `embedded`, the name of a [`Collection`] (`download` is MNIST's), `dir:PATH`, or a path that contains a
    /// separator or is a folder.
    fn from_str(text: &str) -> Result<Self> {
        if let Some(path) = text.strip_prefix("dir:") {
            return Ok(Self::Directory(path.into()));
        }
        #[cfg(feature = "embedded")]
        if text == "embedded" {
            return Ok(Self::Embedded);
        }
        if let Some(collection) = Collection::named(if text == "download" { Collection::MNIST.name } else { text }) {
            return Ok(Self::Downloaded(collection));
        }
        if text.contains(std::path::is_separator) || Path::new(text).is_dir() {
            return Ok(Self::Directory(text.into()));
        }
        let names = Collection::ALL.map(|collection| collection.name).join(", ");
        let reason = format!(
            "there is no source '{text}'; give 'embedded', one that was downloaded ({names}), or a folder as \
             'dir:PATH' or './PATH'"
        );
        Err(Error::configuration("data", reason))
    }
}
