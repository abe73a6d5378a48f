//! What can go wrong between the contract and Burn.

use mlp_parity::Activation;

use crate::Backend;

/// What else may have happened.
const GONE: &str = if cfg!(feature = "remote") { "; if it is another machine's, its server may be gone" } else { "" };

/// An error of this implementation.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A backend that does not exist.
    #[error("there is no backend '{name}'; this program has {}{}", Backend::built_names(), Backend::others_hint())]
    UnknownBackend {
        /// What was asked for.
        name: String,
    },
    /// A backend that was left out when the program was built.
    #[error(
        "backend '{backend}' is not in this program, which has {}; build it with `--features {backend}`",
        Backend::built_names()
    )]
    NotBuilt {
        /// What was asked for.
        backend: Backend,
    },
    /// A backend that finds no device on this machine.
    #[error("backend '{backend}' finds no device: {reason}. {remedy}")]
    NoDevice {
        /// What was asked for.
        backend: Backend,
        /// What the backend says.
        reason: String,
        /// What to do about it.
        remedy: &'static str,
    },
    /// A device that cannot be served.
    #[error("the device cannot be served: {0}")]
    Server(String),
    /// An activation that automatic differentiation cannot get wrong.
    #[error("the framework has no '{0}': automatic differentiation takes the derivative of what it computes")]
    Unsupported(Activation),
    /// The device failed while it worked.
    #[error("the device failed: {0}{GONE}")]
    Device(String),
}

impl From<Error> for mlp_parity::Error {
    fn from(error: Error) -> Self {
        Self::Implementation(Box::new(error))
    }
}

impl Error {
    /// What Burn reports while it works, as an error of the contract.
    pub(crate) fn device(error: impl std::fmt::Display) -> mlp_parity::Error {
        Self::Device(error.to_string()).into()
    }
}
