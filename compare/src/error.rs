//! Errors of the harness.

use std::path::PathBuf;

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// What the contract or an implementation reports.
    #[error(transparent)]
    Contract(#[from] mlp_parity::Error),
    /// A line of a file of records that is none.
    #[error("{}, line {line}: {reason}", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// Records that do not belong together, or not here.
    #[error("{0}")]
    Records(String),
    /// Records of different data, or of different revisions of the program.
    #[error("these are records of different {what}, {left} and {right}; run all with the same options")]
    MixedRecords {
        /// The property that differs.
        what: &'static str,
        /// The value of one record.
        left: String,
        /// The value of another record.
        right: String,
    },
    /// A checkpoint of a run that is not complete, which a new run would overwrite.
    #[error("{} is a run that is not complete, after {epochs} of {total} epochs", path.display())]
    UnfinishedRun {
        /// The checkpoint.
        path: PathBuf,
        /// Epochs that are complete.
        epochs: usize,
        /// Epochs that the run has.
        total: usize,
    },
    /// A grid that cannot be run.
    #[error("{origin}: {reason}")]
    Grid {
        /// The file.
        origin: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The run of one candidate failed.
    #[error("{candidate}, training {training}: {source}")]
    Run {
        /// Whose run.
        candidate: String,
        /// Under which training.
        training: String,
        /// What happened.
        source: mlp_parity::Error,
    },
}
