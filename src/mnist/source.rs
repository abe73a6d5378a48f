//! The sources of an MNIST-like data set: embedded, downloaded, or a folder.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::collection::Collection;
use super::files::{FILES, NamedFile, for_each_file};
use super::idx;
use super::sets::Mnist;
use crate::storage::{MAX_IDX_LENGTH, read_file};
use crate::{Error, Result};

/// A source of the four files of an MNIST-like data set (see [`FILES`]).
///
/// [`from_str`](Self::from_str) parses the value of the option `--data`, and [`Display`](fmt::Display) writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DataSource {
    /// The original MNIST, embedded in the binary.
    #[cfg(feature = "embedded")]
    Embedded,
    /// A folder that contains the four files, with or without the extension `.gz`. A file is decompressed if its
    /// contents are gzip, whatever its extension.
    Directory(PathBuf),
    /// A collection whose files were downloaded into the user's cache. Every file is verified by its SHA-256 digest.
    Downloaded(&'static Collection),
}

impl DataSource {
    /// Reads the training set and the test set.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if a file cannot be read, [`Error::Data`] if a file is missing, invalid, or inconsistent with the
    /// others, [`Error::Configuration`] if the source is a download and the user has no cache folder.
    pub fn load(&self) -> Result<Mnist> {
        match self {
            #[cfg(feature = "embedded")]
            Self::Embedded => super::embedded::load(),
            _ => Mnist::from_files(self.files()?),
        }
    }

    /// Reads and decompresses the four files, in the order of [`FILES`]. Each comes with its origin, a path or a name,
    /// for messages.
    ///
    /// # Errors
    ///
    /// The same errors as [`load`](Self::load), but the contents of the decompressed files are not validated.
    pub fn files(&self) -> Result<[(String, Vec<u8>); 4]> {
        match self {
            #[cfg(feature = "embedded")]
            Self::Embedded => super::embedded::files(),
            Self::Directory(folder) => read(&find(folder)?),
            Self::Downloaded(collection) => collection.files(),
        }
    }
}

impl DataSource {
    /// Returns the source that a keyword names, ignoring ASCII case.
    fn from_keyword(keyword: &str) -> Option<Self> {
        #[cfg(feature = "embedded")]
        if keyword.eq_ignore_ascii_case("embedded") {
            return Some(Self::Embedded);
        }
        let name = if keyword.eq_ignore_ascii_case("download") { Collection::MNIST.name } else { keyword };
        Collection::from_name(name).map(Self::Downloaded)
    }
}

/// Returns the paths of the four files in `folder`; a file without `.gz` takes precedence over one with it.
fn find(folder: &Path) -> Result<[PathBuf; 4]> {
    if !folder.is_dir() {
        return Err(Error::data(folder.display(), "the folder does not exist"));
    }
    let candidates = FILES.map(|name| [folder.join(name), folder.join(format!("{name}.gz"))]);
    let found = candidates.map(|paths| paths.into_iter().find(|path| path.is_file()));
    let missing: Vec<&str> =
        FILES.into_iter().zip(&found).filter(|(_, found)| found.is_none()).map(|(name, _)| name).collect();
    match found {
        [Some(a), Some(b), Some(c), Some(d)] => Ok([a, b, c, d]),
        _ => {
            let reason = format!("missing {} (with or without .gz); all four files are required", missing.join(", "));
            Err(Error::data(folder.display(), reason))
        }
    }
}

/// Reads and decompresses the files at these paths.
fn read(paths: &[PathBuf; 4]) -> Result<[NamedFile; 4]> {
    for_each_file(|index| {
        let path = &paths[index];
        let bytes = read_file(path, MAX_IDX_LENGTH)?;
        let origin = path.display().to_string();
        // Images have even indices in `FILES`, labels odd ones.
        let decompressed = idx::decompress(bytes, index.is_multiple_of(2), &origin)?;
        Ok((origin, decompressed))
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

    /// Parses `embedded`, the name of a [`Collection`] (`download` is an alias of `mnist`), `dir:PATH`, or a path that
    /// contains a separator or names an existing folder.
    ///
    /// Keywords are matched ignoring ASCII case, paths are not. An existing folder takes precedence over a keyword that
    /// is not written in lower case: `MNIST` is the folder of this name if there is one, `mnist` always the collection.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`], listing the keywords, if `text` is none of these.
    fn from_str(text: &str) -> Result<Self> {
        if let Some((prefix, path)) = text.split_at_checked("dir:".len())
            && prefix.eq_ignore_ascii_case("dir:")
        {
            return Ok(Self::Directory(path.into()));
        }
        let is_path = text.contains(std::path::is_separator) || Path::new(text).is_dir();
        let is_lower_case = !text.contains(|character: char| character.is_ascii_uppercase());
        match Self::from_keyword(text) {
            Some(source) if is_lower_case || !is_path => Ok(source),
            _ if is_path => Ok(Self::Directory(text.into())),
            _ => {
                let embedded = cfg!(feature = "embedded").then_some("embedded");
                let names = embedded.into_iter().chain(Collection::ALL.map(|collection| collection.name));
                let names = names.collect::<Vec<_>>().join(", ");
                let reason =
                    format!("unknown data source '{text}'; expected one of: {names}, or a folder (dir:PATH or ./PATH)");
                Err(Error::configuration("data", reason))
            }
        }
    }
}
