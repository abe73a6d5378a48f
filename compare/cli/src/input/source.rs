//! Sources of training and test images that `--data` accepts.

use std::fmt;
use std::str::FromStr;

use mlp_parity::mnist::{DataSource, Mnist};
#[cfg(feature = "full")]
use mlp_parity_framework::burn_dataset_cache;

use crate::error::Result;

/// A source of training and test images, as `--data` names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A source that the library `mlp-parity` reads.
    Contract(DataSource),
    /// MNIST in the download cache of the crate `burn-dataset`. Every file is verified against MNIST's digests.
    #[cfg(feature = "full")]
    BurnCache,
}

impl Source {
    /// Reads the training set and the test set.
    ///
    /// # Errors
    ///
    /// If a file is missing, cannot be read, or is not a valid IDX file. The message names the command that downloads a
    /// missing data set.
    pub(crate) fn load(&self) -> Result<Mnist> {
        match self {
            Self::Contract(source) => source.load().map_err(|error| self.with_advice(error).into()),
            #[cfg(feature = "full")]
            Self::BurnCache => Ok(Mnist::from_files(burn_dataset_cache()?)?),
        }
    }

    /// Reads the four IDX files, decompressed, each with its path or another description of its origin.
    ///
    /// # Errors
    ///
    /// If a file is missing, cannot be read, or cannot be decompressed.
    pub(crate) fn files(&self) -> Result<[(String, Vec<u8>); 4]> {
        match self {
            Self::Contract(source) => source.files().map_err(|error| self.with_advice(error).into()),
            #[cfg(feature = "full")]
            Self::BurnCache => Ok(burn_dataset_cache()?),
        }
    }

    /// Appends the command that downloads a data set to an error about its files.
    fn with_advice(&self, error: mlp_parity::Error) -> mlp_parity::Error {
        match (self, error) {
            (Self::Contract(DataSource::Downloaded(collection)), mlp_parity::Error::Data { origin, reason }) => {
                let reason = format!("{reason}; run 'compare data download {}' to download it", collection.name);
                mlp_parity::Error::Data { origin, reason }
            }
            (_, error) => error,
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Contract(source) => source.fmt(formatter),
            #[cfg(feature = "full")]
            Self::BurnCache => formatter.write_str("burn-cache"),
        }
    }
}

impl FromStr for Source {
    type Err = String;

    /// Parses `burn-cache` (in any case), or anything that [`DataSource`] accepts.
    fn from_str(text: &str) -> Result<Self, String> {
        #[cfg(feature = "full")]
        if text.eq_ignore_ascii_case("burn-cache") {
            return Ok(Self::BurnCache);
        }
        match text.parse() {
            Ok(source) => Ok(Self::Contract(source)),
            Err(error) if cfg!(feature = "full") => {
                Err(format!("{error}, or 'burn-cache' for the MNIST files downloaded by Burn"))
            }
            Err(error) => Err(error.to_string()),
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
