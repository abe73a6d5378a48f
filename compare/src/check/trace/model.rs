//! The contents of a trace.

use mlp_parity::{Batch, MlpConfig, Optimizer, Parameters};
use ndarray::Array2;

use crate::check::compare::Tensors;

/// The version of the files written and read here.
pub const FORMAT: &str = "mlp-parity-trace/1";

/// What one implementation computed.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// Who wrote it, in its own words.
    pub producer: String,
    pub(super) config: MlpConfig,
    pub(super) optimizer: Optimizer,
    pub(super) learning_rate: f64,
    /// Of single or double precision.
    pub(super) is_double: bool,
    pub(super) initial: Parameters<f64>,
    pub(super) batches: Vec<Batch<f64>>,
    pub(super) logits: Option<Array2<f64>>,
    pub(super) loss: Option<f64>,
    pub(super) gradients: Tensors,
    /// One for each batch.
    pub(super) steps: Vec<Step>,
}

/// One step of training, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Step {
    /// Before the update.
    pub(super) loss: Option<f64>,
    /// After it.
    pub(super) parameters: Tensors,
}
