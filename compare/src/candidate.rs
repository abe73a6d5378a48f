//! Who takes part.

use std::fmt;

use mlp_parity::{Differentiable, MlpConfig, Parameters};
use serde::{Deserialize, Serialize};

/// What an implementation is called and what it runs on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// `scratch`, `framework`, or the name of yours.
    pub implementation: String,
    /// The backend, where the implementation has several.
    pub backend: Option<String>,
    /// What it runs on.
    pub device: String,
    /// The instruction set of its kernels, where it is known.
    pub kernels: Option<String>,
}

impl fmt::Display for Identity {
    /// `scratch`, `framework/flex`
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.implementation)?;
        self.backend.as_ref().map_or(Ok(()), |backend| write!(formatter, "/{backend}"))
    }
}

type Create = dyn Fn(&MlpConfig, &Parameters<f32>) -> mlp_parity::Result<Box<dyn Differentiable>> + Send + Sync;

/// An implementation that can be made as often as it is needed.
pub struct Candidate {
    identity: Identity,
    create: Box<Create>,
}

impl Candidate {
    /// `create` makes a network with these parameters.
    pub fn new(
        identity: Identity,
        create: impl Fn(&MlpConfig, &Parameters<f32>) -> mlp_parity::Result<Box<dyn Differentiable>> + Send + Sync + 'static,
    ) -> Self {
        Self { identity, create: Box::new(create) }
    }

    /// What it is called.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// A network with these parameters.
    ///
    /// # Errors
    ///
    /// What the implementation reports.
    pub fn create(
        &self,
        config: &MlpConfig,
        parameters: &Parameters<f32>,
    ) -> mlp_parity::Result<Box<dyn Differentiable>> {
        (self.create)(config, parameters)
    }
}

impl fmt::Debug for Candidate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Candidate").field("identity", &self.identity).finish_non_exhaustive()
    }
}
