//! The program's error type, the advice that it adds to library errors, and the exit codes.
//!
//! Libraries know neither options nor exit codes; this module maps their errors to both:
//!
//! | code | meaning |
//! |---|---|
//! | 0 | success; for a comparison, the candidates agree |
//! | 1 | the candidates disagree, or `bench --time-to` missed the accuracy |
//! | 2 | invalid usage: an unknown option or value, conflicting options, or a missing `--resume` |
//! | 3 | environment or input: no device, an invalid file, records that cannot be combined, unwritable output |
//! | 4 | inconclusive or degenerate comparison, or a machine too noisy for `bench` |
//! | 5 | a value became NaN or infinite: a training run diverged, or a network's outputs are not finite |
//! | 70 | a bug in the program: it panicked; see [`panics`](crate::panics) |
//! | 130 | interrupted by Ctrl-C |

use std::path::Path;

use mlp_parity_compare::{Error as Harness, Outcome, Verdict};
#[cfg(feature = "full")]
use mlp_parity_framework::{Backend, Error as Framework};

/// `Result` with this program's [`Error`].
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of the program.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Invalid or conflicting options, with the complete message.
    #[error("{0}")]
    Usage(String),
    /// An error from the harness (`mlp-parity-compare`), the contract (`mlp-parity`) or an implementation. The message
    /// ends with the option that solves the problem, if there is one.
    #[error("{}{source}{}", option_prefix(source), advice(source))]
    Harness {
        /// The library's error.
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
    /// Creates an error (exit code 3) about records of runs that cannot be combined with others, or cannot be stored in
    /// a folder.
    pub(crate) fn records(reason: String) -> Self {
        Harness::Records(reason).into()
    }

    /// Creates an error (exit code 2) about an output folder that already contains records, without `--resume`.
    pub(crate) fn needs_resume(folder: &Path, records: usize) -> Self {
        let records = if records == 1 { "1 record".to_owned() } else { format!("{records} records") };
        let folder = folder.display();
        Self::Usage(format!("{folder} contains {records}; use --resume to continue, or choose another folder"))
    }

    /// Returns the exit code: 2 for invalid usage, 5 for a value that became NaN or infinite, 3 for everything else.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Harness { source } => harness_exit_code(source),
        }
    }
}

/// Returns the exit code for a library error: 2 for an invalid configuration or a run that needs `--resume`, 5 for a
/// value of a training run or an output of a network that is NaN or infinite, 3 for everything else.
fn harness_exit_code(error: &Harness) -> u8 {
    use mlp_parity::Error as Contract;
    match error {
        Harness::Contract(Contract::Configuration { .. }) | Harness::ExistingRun { .. } => 2,
        Harness::Contract(Contract::Diverged { .. } | Contract::NonFiniteOutput { .. })
        | Harness::Run {
            source: Contract::Diverged { .. } | Contract::NonFiniteInput { .. } | Contract::NonFiniteOutput { .. },
            ..
        } => 5,
        _ => 3,
    }
}

/// Returns the exit code for a verdict: 0 for agree, 1 for disagree, 4 for inconclusive or degenerate, 5 for failed,
/// and 130 for interrupted.
pub(crate) fn verdict_exit_code(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Agree => 0,
        Verdict::Disagree => 1,
        Verdict::Inconclusive | Verdict::Degenerate => 4,
        Verdict::Failed => 5,
        Verdict::Interrupted => 130,
    }
}

/// Returns the exit code for a comparison: the exit code for its error if a run failed, otherwise for its verdict.
pub(crate) fn outcome_exit_code(outcome: &Outcome) -> u8 {
    outcome.error.as_ref().map_or_else(|| verdict_exit_code(outcome.verdict), harness_exit_code)
}

/// Options with the names of hyper-parameters in [`mlp_parity::Error::Configuration`].
const HYPERPARAMETER_OPTIONS: [&str; 12] = [
    "accept",
    "activation",
    "batch-size",
    "data",
    "epochs",
    "hidden",
    "learning-rate",
    "momentum",
    "nesterov",
    "optimizer",
    "schedule",
    "weight-decay",
];

/// Returns the dashes of an option if the message of `error` begins with its name, or an empty string.
fn option_prefix(error: &Harness) -> &'static str {
    match error {
        Harness::Contract(mlp_parity::Error::Configuration { option, .. })
            if HYPERPARAMETER_OPTIONS.contains(option) =>
        {
            "--"
        }
        _ => "",
    }
}

/// Returns the advice that is appended to the message of `error`: the option that solves the problem, or an empty
/// string.
fn advice(error: &Harness) -> &'static str {
    match error {
        Harness::ExistingRun { epochs, total, .. } if epochs == total => {
            "; use --resume with more --epochs to extend it, or choose another folder"
        }
        Harness::ExistingRun { .. } => "; use --resume to continue it, or choose another folder",
        Harness::MixedRecords { .. } => "; use --allow-mixed to accept them anyway",
        Harness::MixedCheckpoint { .. } => "; use --allow-mixed to continue it anyway",
        #[cfg(feature = "full")]
        Harness::Contract(mlp_parity::Error::Implementation(source)) => match source.downcast_ref() {
            Some(Framework::NoDevice { backend: Backend::Remote, .. }) => {
                " (--remote-url URL --token-file FILE; start the server with 'compare serve-device')"
            }
            Some(Framework::NoDevice { .. }) => " (--backend flex)",
            _ => "",
        },
        _ => "",
    }
}
