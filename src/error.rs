//! The error type that this crate shares with the implementations of its traits.

use std::path::{Path, PathBuf};

/// Alias of the standard `Result` type, with [`Error`] as the default error type.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Error of the fallible functions of this crate and its traits. The message is one line that says what is wrong,
/// where, and, if known, which values are allowed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An invalid hyper-parameter.
    #[error("{option}: {reason}")]
    Configuration {
        /// Name of the hyper-parameter, with dashes between words: `batch-size`.
        option: &'static str,
        /// Description of the problem: the value found, and the values allowed.
        reason: String,
    },
    /// An optional feature, such as an optimizer, that this implementation does not offer. Checks that need the
    /// feature are skipped.
    #[error("{what} is not implemented")]
    NotImplemented {
        /// The feature, such as `adam, beta1 0.95` or `restoring the optimizer state`.
        what: String,
    },
    /// Invalid images or labels, or ones that do not fit the network.
    #[error("{origin}: {reason}")]
    Data {
        /// Source of the data: the path of a file, or a name such as `synthetic images`.
        origin: String,
        /// Description of the problem: the value found, and the values allowed.
        reason: String,
    },
    /// A parameter file, checkpoint or trace that is invalid or does not fit the network.
    #[error("{origin}: {reason}")]
    Parameters {
        /// Source of the parameters: the path of a file, or a description for the message.
        origin: String,
        /// Description of the problem: the tensor or entry, the value found, and the values allowed.
        reason: String,
    },
    /// An array whose shape does not fit the network.
    #[error("{what} has shape {actual:?}, expected {expected:?}")]
    Shape {
        /// Name of the array.
        what: String,
        /// The required length of each dimension.
        expected: Vec<usize>,
        /// The length of each dimension that was found.
        actual: Vec<usize>,
    },
    /// An input that contains a NaN or an infinity.
    #[error("{what} contains {value} at {index:?}; every value must be finite")]
    NonFiniteInput {
        /// Name of the array.
        what: String,
        /// Index of the first value that is not finite.
        index: Vec<usize>,
        /// The value at that index: NaN, ∞ or −∞.
        value: f64,
    },
    /// An output of a network, or a measure of its outputs, that is NaN or infinite: its parameters are not finite, or
    /// are so large that its computation overflows.
    #[error("{what} is {value}; the network's outputs must be finite")]
    NonFiniteOutput {
        /// Description of the value, with the image and the class if it is a probability.
        what: String,
        /// The value: NaN, ∞ or −∞.
        value: f64,
    },
    /// A training run that produced a NaN or an infinity.
    #[error(
        "training diverged in epoch {epoch}, batch {batch}: {tensor} is the first tensor that contains a NaN or an \
         infinity; try a smaller learning rate"
    )]
    Diverged {
        /// Epoch, counted from 1.
        epoch: usize,
        /// Batch within the epoch, counted from 1.
        batch: usize,
        /// Name of the first tensor that is not finite, in the order parameters, logits, loss, moments of the optimizer.
        tensor: String,
    },
    /// A file or folder that cannot be read or written.
    #[error("cannot {action} {}: {}", path.display(), without_number(source))]
    Io {
        /// The operation that failed, as a verb: `read`, `write`, …
        action: &'static str,
        /// Path of the file or folder.
        path: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// An error that is specific to one implementation, such as a failure of its device.
    #[error(transparent)]
    Implementation(Box<dyn std::error::Error + Send + Sync>),
}

/// Returns the message of an operating system's error without its number, ` (os error 2)`, which says nothing more.
fn without_number(error: &std::io::Error) -> String {
    let message = error.to_string();
    message.split_once(" (os error ").map_or(message.clone(), |(message, _)| message.to_owned())
}

/// Joins names from a file for a message. Only the first ten are listed, followed by the number of the others, because a
/// file can contain millions: `a, b, …, j and 999990 more`.
pub fn list_names<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    const LISTED: usize = 10;
    let mut names = names.into_iter();
    let listed = names.by_ref().take(LISTED).collect::<Vec<_>>().join(", ");
    match names.count() {
        0 => listed,
        more => format!("{listed} and {more} more"),
    }
}

impl Error {
    /// Creates an [`Error::Configuration`] for the hyper-parameter `option`, such as `batch-size`.
    pub fn configuration(option: &'static str, reason: impl Into<String>) -> Self {
        Self::Configuration { option, reason: reason.into() }
    }

    /// Creates an [`Error::Data`] for images or labels that come from `origin`, such as a file.
    pub fn data(origin: impl ToString, reason: impl Into<String>) -> Self {
        Self::Data { origin: origin.to_string(), reason: reason.into() }
    }

    /// Creates an [`Error::Parameters`] for parameters that come from `origin`, such as a file.
    pub fn parameters(origin: impl ToString, reason: impl Into<String>) -> Self {
        Self::Parameters { origin: origin.to_string(), reason: reason.into() }
    }

    /// Returns a function that turns an operating system's error into an [`Error::Io`]:
    /// `File::open(path).map_err(Error::io("open", path))`.
    pub fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }

    /// Checks that the array named `what` has the expected shape.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if the shapes differ.
    pub fn check_shape(what: &str, expected: &[usize], actual: &[usize]) -> Result<()> {
        if expected == actual {
            return Ok(());
        }
        Err(Self::Shape { what: what.to_owned(), expected: expected.to_vec(), actual: actual.to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn list_names_lists_at_most_ten() {
        let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];
        assert_eq!([list_names([]), list_names(["a"])], ["", "a"]);
        assert_eq!(list_names(names[..10].iter().copied()), "a, b, c, d, e, f, g, h, i, j");
        assert_eq!(list_names(names), "a, b, c, d, e, f, g, h, i, j and 2 more");
    }
}
