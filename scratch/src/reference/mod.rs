//! The reference network, and the scalar formulas that it shares with the fast one: activation functions, softmax and
//! cross-entropy, optimizer updates, exp and tanh.

pub(crate) mod activation;
pub(crate) mod loss;
mod mlp;
pub(crate) mod optimizer;
mod real;

pub use mlp::{Passes, ReferenceMlp};
pub use real::Real;
