//! Error bounds: the equations of [the derivation](super), by operation.

mod bounded_matrix;
pub mod confidence;
mod expected;
mod rule;
mod samples;
mod softmax;

pub(super) use bounded_matrix::{BoundedMatrix, Error};
pub(super) use expected::Expected;
pub use expected::{HiddenUnit, gradient_error_bounds};
pub(super) use rule::{Gradient, Moments, Rule, StepError, as_kept};
