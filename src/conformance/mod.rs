//! The contract as tests, for every implementation to run on itself (feature `conformance`).
//!
//! ```
//! # #[allow(unused)]
//! #[cfg(test)]
//! mod tests {
//!     mlp_parity::conformance_tests!(differentiable, [20, 12], Relu, |config, parameters| {
//!         mlp_parity_scratch::Mlp::new(config.clone(), parameters)
//!     });
//! }
//! ```
//!
//! becomes one `#[test]` for each promise of [`Classifier`](crate::Classifier) and
//! [`Differentiable`](crate::Differentiable), on networks with hidden layers of these
//! widths and this activation. A black box takes `classifier` instead of `differentiable`. Each test is a plain function of
//! this module, for who wants to call it otherwise.
//!
//! Numbers are compared loosely here: a broken promise shows in the first digit. How many digits are right is what
//! `mlp_parity_compare::check::assert_agreement` tells.

mod classifier;
mod differentiable;
mod kit;
mod macros;

pub use classifier::*;
pub use differentiable::*;
pub use kit::{Create, Kept, Violation, as_classifier, images, network};
