//! The [`Trace`] type: inputs and results of an implementation, as stored in a trace file.

use mlp_parity::{Batch, MlpConfig, Optimizer, Parameters};
use ndarray::Array2;

use crate::check::compare::Tensors;

/// The format and version of the trace files that are read and written.
pub const FORMAT: &str = "mlp-parity-trace/1";

/// The results that one implementation computed: logits, loss and gradients of the first batch, and the losses and
/// parameters of consecutive training steps, together with the parameters, batches and optimizer that led to them.
///
/// Read and write it with [`SafetensorsFile`](mlp_parity::SafetensorsFile).
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// A free-form name of the program that computed the results.
    pub producer: String,
    pub(super) config: MlpConfig,
    pub(super) optimizer: Optimizer,
    pub(super) learning_rate: f64,
    /// True if the results are in double precision, false if in single precision.
    pub(super) is_double: bool,
    /// The parameters before the first step.
    pub(super) initial: Parameters<f64>,
    /// The batches of the steps, at least one.
    pub(super) batches: Vec<Batch<f64>>,
    pub(super) logits: Option<Array2<f64>>,
    pub(super) loss: Option<f64>,
    /// The gradients of the first batch by parameter name; some or all may be missing.
    pub(super) gradients: Tensors,
    /// One step for each batch.
    pub(super) steps: Vec<Step>,
}

/// The recorded results of one training step. Any of them may be missing.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Step {
    /// The loss before the update.
    pub(super) loss: Option<f64>,
    /// The parameters after the update.
    pub(super) parameters: Tensors,
}
