//! The error type of the harness.

use std::path::PathBuf;

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error that prevents a comparison, a reproduction or the use of a file.
///
/// A failed check and a disagreement between candidates are results, not errors: see [`Verdict`](crate::Verdict).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An error that the contract crate `mlp-parity` or an implementation returned outside a training run.
    #[error(transparent)]
    Contract(#[from] mlp_parity::Error),
    /// A line of a record file that is not a valid record.
    #[error("{}, line {line}: {reason}", path.display())]
    Record {
        /// Path of the record file.
        path: PathBuf,
        /// Line number, counted from 1.
        line: usize,
        /// The problem with the line.
        reason: String,
    },
    /// Records or checkpoints that do not belong together, do not belong in this folder, or cannot be used. The message
    /// states the problem.
    #[error("{0}")]
    Records(String),
    /// Records that were made with different data or by different revisions of the program.
    #[error("the records have different {property}: {first} and {second}; repeat the runs with the same options")]
    MixedRecords {
        /// The property that differs, in the plural: `data` or `revisions of the program`.
        property: &'static str,
        /// Value of the property in one record.
        first: String,
        /// Value of the property in another record, or in the current run.
        second: String,
    },
    /// A checkpoint of an earlier run, which a new run would overwrite.
    #[error("{} contains a run with {epochs} of {total} epochs complete", path.display())]
    ExistingRun {
        /// Path of the checkpoint.
        path: PathBuf,
        /// Number of completed epochs.
        epochs: usize,
        /// Number of epochs of the whole run.
        total: usize,
    },
    /// A checkpoint from another version of the program, processor or device. There, rounding errors differ, so the
    /// continued run would give parameters that neither of the two gives alone.
    #[error(
        "{}: the {property} of the checkpoint is {stored}, that of this run is {current}, so the continued run would be \
         reproducible on neither",
        path.display()
    )]
    MixedCheckpoint {
        /// Path of the checkpoint.
        path: PathBuf,
        /// The property that differs: `version of the program`, `processor` or `device`.
        property: &'static str,
        /// Value of the property in the checkpoint.
        stored: String,
        /// Value of the property in the current run.
        current: String,
    },
    /// A grid (the description of a report's experiments) that is invalid or cannot be run.
    #[error("{origin}: {reason}")]
    Grid {
        /// The file, or the table within it.
        origin: String,
        /// The problem, with the values that are allowed.
        reason: String,
    },
    /// An error that a candidate returned during a training run or a speed measurement.
    #[error("training {training} of {candidate} failed: {source}")]
    Run {
        /// Name of the candidate; for a [control](crate::training::control) replica, with its number (`scratch replica
        /// 2`), and with several seeds, with the seed (`scratch seed 5`).
        candidate: String,
        /// Name of the training configuration; `bench` for a speed measurement.
        training: String,
        /// The candidate's error.
        source: mlp_parity::Error,
    },
}
