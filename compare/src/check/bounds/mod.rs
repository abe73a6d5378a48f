//! Error bounds. Each module covers one kind of operation, and names the equations of the [error
//! model](super#error-model) that it implements.

mod activation;
mod bounded_matrix;
pub mod confidence;
mod expected;
mod gradients;
mod losses;
mod output;
mod samples;
mod softmax;
mod uncertain;
mod update;

pub(super) use bounded_matrix::BoundedMatrix;
pub(super) use expected::Expected;
pub use expected::{HiddenUnit, gradient_error_bounds};
pub(super) use gradients::{BoundedTensor, Gradients, processed, processed_tensors, sum, with_errors};
pub(super) use uncertain::Rounding;
pub(super) use update::{Gradient, StepError, TensorState, initial_state};
