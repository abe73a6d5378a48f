//! Sources of training and test images that `--data` accepts.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use mlp_parity::Error;
use mlp_parity::mnist::{DataSource, Mnist};
#[cfg(feature = "full")]
use mlp_parity_framework::burn_dataset_cache;

use super::data;
use crate::error::Result;
use crate::output::print::eprint_line;

/// A source of training and test images, as `--data` names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A source that the library `mlp-parity` reads, or a folder that contains tables.
    Contract(DataSource),
    /// A table: an `.npz` file or a CSV file.
    Table(PathBuf),
    /// MNIST in the download cache of the crate `burn-dataset`. Every file is verified against MNIST's digests.
    #[cfg(feature = "full")]
    BurnCache,
}

impl Source {
    /// Reads the training set and the test set, and prints what was assumed on standard error.
    ///
    /// # Errors
    ///
    /// If a file is missing, cannot be read, or is invalid. The message names the command that downloads a missing data set, and
    /// other files that can be read.
    pub(crate) fn load(&self) -> Result<Mnist> {
        let mnist = match self {
            Self::Contract(DataSource::Directory(folder)) => load_folder(folder)?,
            Self::Contract(source) => source.load().map_err(|error| self.with_advice(error))?,
            Self::Table(path) => data::load(path)?,
            #[cfg(feature = "full")]
            Self::BurnCache => Mnist::from_files(burn_dataset_cache()?)?,
        };
        mnist.notes.iter().for_each(|note| eprint_line(format_args!("note: {note}")));
        Ok(mnist)
    }

    /// Appends the command that downloads a data set to an error about its files.
    fn with_advice(&self, error: Error) -> Error {
        match (self, error) {
            (Self::Contract(DataSource::Downloaded(collection)), Error::Data { origin, reason }) => {
                let reason = format!("{reason}; run 'compare data download {}' to download it", collection.name);
                Error::Data { origin, reason }
            }
            (_, error) => error,
        }
    }
}

/// Reads the four IDX files in a folder, or the only table in it if there are none.
fn load_folder(folder: &Path) -> mlp_parity::Result<Mnist> {
    let source = DataSource::Directory(folder.to_owned());
    let tables = data::find(folder);
    match (source.has_files(), &tables[..]) {
        (_, []) => source.load(),
        (false, [table]) => data::load(table),
        (false, _) => {
            let reason = format!("there are several data sets; choose one: {}", data::choice(&tables));
            Err(Error::data(folder.display(), reason))
        }
        (true, _) => source.load().map_err(|error| match error {
            Error::Data { origin, reason } => {
                Error::Data { origin, reason: format!("{reason}; or use {}", data::choice(&tables)) }
            }
            error => error,
        }),
    }
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Contract(source) => source.fmt(formatter),
            Self::Table(path) => path.display().fmt(formatter),
            #[cfg(feature = "full")]
            Self::BurnCache => formatter.write_str("burn-cache"),
        }
    }
}

impl FromStr for Source {
    type Err = String;

    /// Parses `burn-cache` (in any case), the path of a file, or anything that [`DataSource`] accepts.
    fn from_str(text: &str) -> Result<Self, String> {
        #[cfg(feature = "full")]
        if text.eq_ignore_ascii_case("burn-cache") {
            return Ok(Self::BurnCache);
        }
        match text.parse() {
            Ok(DataSource::Directory(path)) if data::is_table(&path) => Ok(Self::Table(path)),
            Ok(source) => Ok(Self::Contract(source)),
            Err(_) if data::is_table(Path::new(text)) => Ok(Self::Table(text.into())),
            Err(error) => {
                let burn = if cfg!(feature = "full") {
                    ", or 'burn-cache' for the MNIST files downloaded by Burn"
                } else {
                    ""
                };
                Err(format!("{error}, an .npz file or a CSV file{burn}"))
            }
        }
    }
}

#[cfg(feature = "full")]
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_round_trips_through_display() {
        for name in ["embedded", "burn-cache", "fashion-mnist", "dir:some/folder"] {
            assert_eq!(name.parse::<Source>().unwrap().to_string(), name);
        }
        let message = "emnist".parse::<Source>().unwrap_err();
        assert!(message.contains("'emnist'") && message.contains("burn-cache"), "{message}");
    }
}
