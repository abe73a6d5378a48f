//! The error of every fallible function of the contract.

use std::path::{Path, PathBuf};

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, where, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A hyper-parameter that no run can use.
    #[error("{option}: {reason}")]
    Configuration {
        /// Its name, with dashes between words.
        option: &'static str,
        /// What is wrong with its value, and which values are allowed.
        reason: String,
    },
    /// Something that an implementation need not offer, and this one does not.
    #[error("{what} is not implemented")]
    NotImplemented {
        /// What was asked for.
        what: String,
    },
    /// Images or labels that cannot be used.
    #[error("{origin}: {reason}")]
    Data {
        /// The file or other source that the data come from.
        origin: String,
        /// What is wrong with them.
        reason: String,
    },
    /// Parameters that cannot be used.
    #[error("{origin}: {reason}")]
    Parameters {
        /// The file or other source that the parameters come from.
        origin: String,
        /// What is wrong with them.
        reason: String,
    },
    /// An array whose shape does not fit the network.
    #[error("{what} has shape {actual:?}, expected {expected:?}")]
    Shape {
        /// The array.
        what: String,
        /// The shape that fits.
        expected: Vec<usize>,
        /// The shape that was given.
        actual: Vec<usize>,
    },
    /// An input that is NaN or infinite.
    #[error("{what} at {index:?} is {value}, and no finite result follows from it")]
    NonFiniteInput {
        /// The array.
        what: String,
        /// Where in the array.
        index: Vec<usize>,
        /// The offending value.
        value: f64,
    },
    /// Training met a NaN or an infinity.
    #[error(
        "training diverged in epoch {epoch}, batch {batch}: the first tensor with a NaN or an infinity is {tensor}; \
         a smaller learning rate may help"
    )]
    Diverged {
        /// The epoch, from 1.
        epoch: usize,
        /// The batch within the epoch, from 1.
        batch: usize,
        /// The first non-finite tensor in the order parameters, logits, loss.
        tensor: String,
    },
    /// A file or folder that cannot be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried: `read`, `write`, …
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The operating system's answer.
        source: std::io::Error,
    },
    /// An error of one implementation of the contract.
    #[error(transparent)]
    Implementation(Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// A hyper-parameter that cannot be.
    pub fn configuration(option: &'static str, reason: impl Into<String>) -> Self {
        Self::Configuration { option, reason: reason.into() }
    }

    /// Images or labels that cannot be used.
    pub fn data(origin: impl ToString, reason: impl Into<String>) -> Self {
        Self::Data { origin: origin.to_string(), reason: reason.into() }
    }

    /// A file of parameters, or a trace, that cannot be used.
    pub fn parameters(origin: impl ToString, reason: impl Into<String>) -> Self {
        Self::Parameters { origin: origin.to_string(), reason: reason.into() }
    }

    /// Wraps an operating system's error: `File::open(path).map_err(Error::io("open", path))`.
    pub fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }

    /// `Ok` if the two shapes are equal.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] otherwise.
    pub fn check_shape(what: &str, expected: &[usize], actual: &[usize]) -> Result<()> {
        if expected == actual {
            return Ok(());
        }
        Err(Self::Shape { what: what.to_owned(), expected: expected.to_vec(), actual: actual.to_vec() })
    }
}
