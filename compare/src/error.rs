//! What ends the program early, and its exit code.

use std::path::PathBuf;

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The program was asked for something that cannot be.
    #[error("{0}")]
    Usage(String),
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
    /// A grid that cannot be run.
    #[error("{origin}: {reason}")]
    Grid {
        /// The file.
        origin: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The run of one participant failed.
    #[error("{participant}, plan {plan}: {source}")]
    Run {
        /// Whose run.
        participant: String,
        /// Under which plan.
        plan: String,
        /// What happened.
        source: mlp_parity::Error,
    },
}

impl Error {
    /// 2 wrong usage, 3 environment or unreadable input, 5 a run failed.
    pub fn exit_code(&self) -> u8 {
        use mlp_parity::Error as Contract;
        match self {
            Self::Usage(_) | Self::Contract(Contract::Configuration { .. }) => 2,
            Self::Contract(Contract::Diverged { .. })
            | Self::Run { source: Contract::Diverged { .. } | Contract::NonFiniteInput { .. }, .. } => 5,
            Self::Contract(_) | Self::Run { .. } | Self::Record { .. } | Self::Records(_) | Self::Grid { .. } => 3,
        }
    }
}
