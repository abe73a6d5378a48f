//! The sources of an MNIST-like data set: embedded, downloaded, or a folder.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::collection::Collection;
use super::folder;
use super::sets::Mnist;
use crate::{Error, Result};

/// A source of the four files of an MNIST-like data set (see [`FILES`](super::FILES)).
///
/// [`from_str`](Self::from_str) parses the value of the option `--data`, and [`Display`](fmt::Display) writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DataSource {
    /// The original MNIST, embedded in the binary.
    #[cfg(feature = "embedded")]
    Embedded,
    /// A folder that contains the four files, under the names of any published data set (`train-images.idx3-ubyte`,
    /// `emnist-letters-train-images-idx3-ubyte.gz`), or in folders of these names; or a folder above it, in which only one
    /// subfolder, or its subfolder `raw`, contains them. If the folder contains several data sets, it is followed by the prefix
    /// of the names: `EMNIST/raw/emnist-letters`. A file is decompressed if its contents are gzip, whatever its extension.
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
            Self::Directory(path) => {
                let (files, notes) = folder::read(path)?;
                let mut mnist = Mnist::from_files(files)?;
                mnist.notes.splice(0..0, notes);
                Ok(mnist)
            }
            Self::Downloaded(collection) => Mnist::from_files(collection.files()?),
        }
    }

    /// Reads the data set and returns its [IDX files](Mnist::idx_files).
    ///
    /// # Errors
    ///
    /// The same errors as [`load`](Self::load).
    pub fn files(&self) -> Result<[(String, Vec<u8>); 4]> {
        Ok(self.load()?.idx_files())
    }

    /// Returns true if the source is a folder in which [`load`](Self::load) finds at least one of the four files.
    pub fn has_files(&self) -> bool {
        matches!(self, Self::Directory(path) if folder::contains_files(path))
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
