//! Candidates, the implementations under test, and the training configurations with which they are compared.

use std::fmt;

use mlp_parity::{Differentiable, MlpConfig, Parameters, TrainingConfig};
use serde::{Deserialize, Serialize};

use crate::check::Stage;

/// Identifies an implementation and the hardware that it runs on. Displayed as `implementation` or
/// `implementation/backend`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Name of the implementation, such as `scratch` or `framework`.
    pub implementation: String,
    /// Name of the backend, such as `flex` or `wgpu`; `None` if the implementation has only one.
    pub backend: Option<String>,
    /// Name of the device that the implementation computes on, such as `cpu`.
    pub device: String,
    /// Instruction set of its kernels, such as `avx2`; `None` if unknown.
    pub kernels: Option<String>,
}

impl fmt::Display for Identity {
    /// Writes the implementation and, if there is one, the backend: `scratch`, `framework/flex`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.implementation)?;
        self.backend.as_ref().map_or(Ok(()), |backend| write!(formatter, "/{backend}"))
    }
}

type Create = dyn Fn(&MlpConfig, &Parameters<f32>) -> mlp_parity::Result<Box<dyn Differentiable>> + Send + Sync;

/// Function that is called when a stage of the check suite begins, and with `None` when the suite has ended.
type StageChanged = dyn Fn(Option<Stage>) + Send + Sync;

/// An implementation under test: its identity, and a function that creates networks.
///
/// The harness creates a fresh network for the check suite and for every training run, possibly on several threads at
/// the same time.
pub struct Candidate {
    identity: Identity,
    create: Box<Create>,
    /// Functions that create deviating networks, by the identifier of the deviation.
    deviations: Vec<(&'static str, Box<Create>)>,
    stage_changed: Box<StageChanged>,
}

impl Candidate {
    /// Creates a candidate. The function `create` returns a network of the given shape with the given parameters.
    pub fn new(
        identity: Identity,
        create: impl Fn(&MlpConfig, &Parameters<f32>) -> mlp_parity::Result<Box<dyn Differentiable>> + Send + Sync + 'static,
    ) -> Self {
        Self { identity, create: Box::new(create), deviations: Vec::new(), stage_changed: Box::new(|_| ()) }
    }

    /// Sets the function that is called when a stage of the check suite begins, and with `None` when the suite has ended, so
    /// that progress can be displayed.
    #[must_use]
    pub fn on_stage(self, callback: impl Fn(Option<Stage>) + Send + Sync + 'static) -> Self {
        Self { stage_changed: Box::new(callback), ..self }
    }

    pub(crate) fn stage_changed(&self, stage: Option<Stage>) {
        (self.stage_changed)(stage);
    }

    /// Adds a function that creates networks with a deviation, which is named by its identifier in the catalogue of the
    /// [diagnosis](crate::diagnosis::entries). A reproduction can ask for it where a report has made that mistake.
    #[must_use]
    pub fn with_deviation(
        mut self,
        id: &'static str,
        create: impl Fn(&MlpConfig, &Parameters<f32>) -> mlp_parity::Result<Box<dyn Differentiable>> + Send + Sync + 'static,
    ) -> Self {
        self.deviations.push((id, Box::new(create)));
        self
    }

    /// Returns the candidate's identity.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Creates a network of shape `config` with these parameters.
    ///
    /// # Errors
    ///
    /// Any error that the implementation returns, for example if it does not support the shape, or if its device is
    /// unavailable.
    pub fn create(
        &self,
        config: &MlpConfig,
        parameters: &Parameters<f32>,
    ) -> mlp_parity::Result<Box<dyn Differentiable>> {
        (self.create)(config, parameters)
    }

    /// Creates a network of shape `config` with these parameters and, if there is one, a deviation.
    ///
    /// # Errors
    ///
    /// Any error that the implementation returns; [`mlp_parity::Error::NotImplemented`] if it has no such deviation.
    pub fn create_deviating(
        &self,
        deviation: Option<&str>,
        config: &MlpConfig,
        parameters: &Parameters<f32>,
    ) -> mlp_parity::Result<Box<dyn Differentiable>> {
        let Some(id) = deviation else { return self.create(config, parameters) };
        match self.deviations.iter().find(|(known, _)| *known == id) {
            Some((_, create)) => create(config, parameters),
            None => Err(mlp_parity::Error::NotImplemented { what: format!("deviation '{id}'") }),
        }
    }
}

impl fmt::Debug for Candidate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Candidate").field("identity", &self.identity).finish_non_exhaustive()
    }
}

/// A training configuration and the name that identifies it in tables, records and file names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NamedTraining {
    /// The name: `sgd` or `adam` for the report's two configurations, `custom` for one given by the user, or a name
    /// derived from the hyper-parameters for a row of a reproduced report.
    pub name: String,
    /// The hyper-parameters.
    #[serde(flatten)]
    pub config: TrainingConfig,
}

impl NamedTraining {
    /// Returns this configuration with its seed increased by `index`, wrapping around at 2⁶⁴. Index 0 keeps the seed.
    pub fn with_seed(&self, index: usize) -> Self {
        let seed = self.config.seed().wrapping_add(index as u64);
        Self { name: self.name.clone(), config: self.config.with_seed(seed) }
    }
}
