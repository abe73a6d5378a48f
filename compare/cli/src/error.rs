//! Errors of the program, with the option that helps, and exit codes.

use mlp_parity_compare::{Error as Harness, Outcome, Verdict};
use mlp_parity_framework::{Backend, Error as Framework};

/// `Result` with this program's [`Error`].
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of the program.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Options that are invalid or contradict each other.
    #[error("{0}")]
    Usage(String),
    /// An error of the harness, the contract or an implementation, displayed with the option that helps.
    #[error("{source}{}", advice(source))]
    Harness {
        /// The error.
        #[from]
        source: Harness,
    },
}

impl From<mlp_parity::Error> for Error {
    fn from(error: mlp_parity::Error) -> Self {
        Harness::from(error).into()
    }
}

impl Error {
    /// Creates the error for records that do not belong together, or not into this folder.
    pub(crate) fn records(reason: String) -> Self {
        Harness::Records(reason).into()
    }

    /// Returns the exit code: 2 wrong usage, 3 environment or unreadable input, 5 a run failed.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Harness { source } => harness_exit_code(source),
        }
    }
}

/// Returns the exit code of an error of the harness.
fn harness_exit_code(error: &Harness) -> u8 {
    use mlp_parity::Error as Contract;
    match error {
        Harness::Contract(Contract::Configuration { .. }) | Harness::UnfinishedRun { .. } => 2,
        Harness::Contract(Contract::Diverged { .. })
        | Harness::Run { source: Contract::Diverged { .. } | Contract::NonFiniteInput { .. }, .. } => 5,
        _ => 3,
    }
}

/// Returns the exit code of a verdict.
pub(crate) fn verdict_exit_code(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Agree => 0,
        Verdict::Disagree => 1,
        Verdict::Inconclusive | Verdict::Degenerate => 4,
        Verdict::Failed => 5,
        Verdict::Interrupted => 130,
    }
}

/// Returns the exit code of a comparison.
pub(crate) fn outcome_exit_code(outcome: &Outcome) -> u8 {
    outcome.error.as_ref().map_or_else(|| verdict_exit_code(outcome.verdict), harness_exit_code)
}

/// Returns the end of the message: the option that helps, if there is one.
fn advice(error: &Harness) -> &'static str {
    match error {
        Harness::UnfinishedRun { .. } => "; --resume goes on with it, or choose another folder",
        Harness::MixedRecords { .. } => ", or take them together by --allow-mixed",
        Harness::Contract(mlp_parity::Error::Implementation(source)) => match source.downcast_ref() {
            Some(Framework::NoDevice { backend: Backend::Remote, .. }) => {
                " (--remote-url URL --token-file FILE; the server is 'compare serve-device')"
            }
            Some(Framework::NoDevice { .. }) => ": --backend flex",
            _ => "",
        },
        _ => "",
    }
}
