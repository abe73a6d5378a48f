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
//! The second argument is the widths of the hidden layers, `[]` for a linear model; the third a variant of
//! [`Activation`](crate::Activation). Networks have 36 inputs and 10 classes. The line stands in a module of its own: it
//! becomes one `#[test]` for each promise of [`Classifier`] and [`Differentiable`]. A black box takes `classifier` instead of
//! `differentiable`. Outside of `#[test]`, [`check_classifier`] and [`check_differentiable`] run all of them, and each is a
//! function of this module.
//!
//! A failure names the method, what it did, and the likely cause: "`apply_gradients` accepted gradients of another shape;
//! return `Error::Shape`, as `Parameters::check_fit` does". A panic of the implementation is caught and reported likewise.
//!
//! Numbers are compared with a tolerance of 0.1 %: a broken promise shows in the first digits. How many digits are right is
//! what `mlp_parity_compare::check::assert_agreement` tests.
//!
//! [`Classifier`]: crate::Classifier
//! [`Differentiable`]: crate::Differentiable

mod classifier;
mod difference;
mod differentiable;
mod kit;
mod macros;
mod optimization;

pub use classifier::*;
pub use differentiable::*;
pub use kit::{CheckResult, Create, Violation, as_classifier, images, network};
pub use optimization::*;

use crate::{Classifier, Differentiable, MlpConfig};

/// A check of one promise, with its name.
pub type ConformanceCheck<M> = (&'static str, fn(&MlpConfig, Create<'_, M>) -> CheckResult);

/// The promises of every classifier.
pub const CLASSIFIER_CHECKS: &[ConformanceCheck<dyn Classifier>] = crate::conformance_tests!(@classifier table);

/// The promises of a white box beyond those of a classifier.
pub const DIFFERENTIABLE_CHECKS: &[ConformanceCheck<dyn Differentiable>] =
    crate::conformance_tests!(@differentiable table);

/// Checks every promise of a black box on networks of this shape, with at least two inputs and two to ten classes.
///
/// # Errors
///
/// The first broken promise.
pub fn check_classifier(config: &MlpConfig, create: Create<'_, dyn Classifier>) -> CheckResult {
    CLASSIFIER_CHECKS.iter().try_for_each(|(_, check)| check(config, create))
}

/// Checks every promise of a white box, those of a black box included, on networks of this shape, with at least two inputs
/// and two to ten classes.
///
/// # Errors
///
/// The first broken promise.
pub fn check_differentiable(config: &MlpConfig, create: Create<'_, dyn Differentiable>) -> CheckResult {
    check_classifier(config, &as_classifier(create))?;
    DIFFERENTIABLE_CHECKS.iter().try_for_each(|(_, check)| check(config, create))
}
