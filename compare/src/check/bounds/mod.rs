//! Error bounds. Each module covers one kind of operation, and names the equations of the [error
//! model](super#error-model) that it implements.

mod bounded_matrix;
pub mod confidence;
mod expected;
mod samples;
mod softmax;
mod update_rule;

pub(super) use bounded_matrix::{BoundedMatrix, ErrorEstimate};
pub(super) use expected::Expected;
pub use expected::{HiddenUnit, gradient_error_bounds};
pub(super) use update_rule::{Gradient, Moments, StepError, UpdateRule, with_stored_hyper_parameters};
