//! Errors of the Burn implementation.

use crate::Backend;

/// Advice that follows every device error in builds with the remote backend.
const REMOTE_HINT: &str =
    if cfg!(feature = "remote") { "; if the device is remote, its server may be gone" } else { "" };

/// An error that is specific to the Burn implementation. It converts into [`mlp_parity::Error::Implementation`].
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A name that does not belong to any backend.
    #[error("unknown backend '{name}'; expected one of: {}{}", Backend::built_names(), Backend::omitted_hint())]
    UnknownBackend {
        /// The unknown name.
        name: String,
    },
    /// A backend that is not part of this build.
    #[error(
        "backend '{backend}' is not part of this build, which includes {}; rebuild with `--features {backend}`",
        Backend::built_names()
    )]
    NotBuilt {
        /// The requested backend.
        backend: Backend,
    },
    /// A backend that finds no usable device on this machine.
    #[error("backend '{backend}' found no device: {reason}; {remedy}")]
    NoDevice {
        /// The requested backend.
        backend: Backend,
        /// The reason that the backend gives.
        reason: String,
        /// Advice in the imperative, for example `install NVIDIA's driver`.
        remedy: &'static str,
    },
    /// A server for remote clients that could not be started or has failed.
    #[error("cannot serve the device: {0}")]
    Server(String),
    /// A failure of the device during a computation or a data transfer.
    #[error("the device failed: {0}{REMOTE_HINT}")]
    Device(String),
}

impl From<Error> for mlp_parity::Error {
    fn from(error: Error) -> Self {
        Self::Implementation(Box::new(error))
    }
}

impl Error {
    /// Converts an error that Burn reports during a computation into an [`mlp_parity::Error`].
    pub(crate) fn device(error: impl std::fmt::Display) -> mlp_parity::Error {
        Self::Device(error.to_string()).into()
    }
}
