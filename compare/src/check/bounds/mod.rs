//! Error bounds: the equations of [the derivation](super), by operation.

pub mod confidence;
mod estimate;
mod expected;
mod rule;
mod samples;
mod softmax;

pub(super) use estimate::{Error, Estimate};
pub(super) use expected::Expected;
pub use expected::{Unit, allowed_gradients};
pub(super) use rule::{Gradient, Moments, Rule, StepError, as_kept};
