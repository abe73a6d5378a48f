//! The source of images that `--data` names.

use std::fmt;
use std::str::FromStr;

use mlp_parity::mnist::{DataSource, Mnist};
use mlp_parity_framework::burn_dataset_cache;

use crate::error::Result;

/// A source of training and test images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A source of the contract.
    Contract(DataSource),
    /// The cache of `burn-dataset`, every file verified to be MNIST's.
    BurnCache,
}

impl Source {
    /// Reads the training and the test set.
    pub(crate) fn load(&self) -> Result<Mnist> {
        match self {
            Self::Contract(source) => source.load().map_err(|error| self.with_advice(error).into()),
            Self::BurnCache => Ok(Mnist::from_files(burn_dataset_cache()?)?),
        }
    }

    /// Reads the four unpacked files, each with its origin.
    pub(crate) fn files(&self) -> Result<[(String, Vec<u8>); 4]> {
        match self {
            Self::Contract(source) => source.files().map_err(|error| self.with_advice(error).into()),
            Self::BurnCache => Ok(burn_dataset_cache()?),
        }
    }

    /// Adds the command that downloads a collection to an error about its files.
    fn with_advice(&self, error: mlp_parity::Error) -> mlp_parity::Error {
        match (self, error) {
            (Self::Contract(DataSource::Downloaded(collection)), mlp_parity::Error::Data { origin, reason }) => {
                let reason = format!("{reason}; 'compare data download {}' fetches it", collection.name);
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
            Self::BurnCache => formatter.write_str("burn-cache"),
        }
    }
}

impl FromStr for Source {
    type Err = String;

    /// `burn-cache`, or a name that [`DataSource`] knows.
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "burn-cache" => Ok(Self::BurnCache),
            _ => match text.parse() {
                Ok(source) => Ok(Self::Contract(source)),
                Err(error) => Err(format!("{error}, or 'burn-cache' for MNIST as Burn has downloaded it")),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_display_is_parsed_back() {
        for name in ["embedded", "burn-cache", "fashion-mnist", "dir:some/folder"] {
            assert_eq!(name.parse::<Source>().unwrap().to_string(), name);
        }
        let message = "emnist".parse::<Source>().unwrap_err();
        assert!(message.contains("'emnist'") && message.contains("burn-cache"), "{message}");
    }
}
