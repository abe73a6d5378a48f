//! The network as in a textbook: the formulas of single numbers, which both implementations share, and their composition.

pub(crate) mod activation;
pub(crate) mod loss;
pub(crate) mod optimizer;
mod real;
mod textbook;

pub use real::Real;
pub use textbook::{Passes, Textbook};
