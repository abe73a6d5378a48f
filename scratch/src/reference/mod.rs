//! The network as in a textbook: the formulas of single numbers, which both implementations share, and their composition.

pub(crate) mod activation;
pub(crate) mod loss;
mod mlp;
pub(crate) mod optimizer;
mod real;

pub use mlp::{Passes, ReferenceMlp};
pub use real::Real;
