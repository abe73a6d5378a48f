//! Conformance kit: ready-made tests that verify that an implementation meets the contract of the
//! [traits](crate::classifier) (feature `conformance`).
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
//! The macro generates one `#[test]` per requirement of the contract, so call it in a module of its own. Its arguments
//! are:
//!
//! 1. `differentiable` for a [`Differentiable`] (white box, with access to parameters and gradients), `classifier` for
//!    a [`Classifier`] (black box);
//! 2. the widths of the hidden layers, `[]` for a linear model (the network has 36 inputs and 10 classes);
//! 3. the activation, a variant of [`Activation`](crate::Activation);
//! 4. a function that creates the model from `(&MlpConfig, &Parameters<f32>)`.
//!
//! To run all checks outside a `#[test]`, call [`check_classifier`] or [`check_differentiable`]. Each check is also
//! available as a function of this module.
//!
//! A failure message names the method, its mistake and the likely fix: "`apply_gradients` accepted gradients of another
//! shape; return `Error::Shape`, as `Parameters::check_fit` does". A panic of the implementation is caught and reported
//! in the same way.
//!
//! Numbers are compared with a tolerance of 0.1 %, because violations of the contract change the leading digits.
//! Numerical accuracy is tested by `mlp_parity_compare::diagnosis::assert_agreement`.
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

/// Name of a check, and the function that runs it. The function checks one requirement of the contract on models with
/// the given network configuration.
pub type ConformanceCheck<M> = (&'static str, fn(&MlpConfig, Create<'_, M>) -> CheckResult);

/// All checks of a [`Classifier`].
pub const CLASSIFIER_CHECKS: &[ConformanceCheck<dyn Classifier>] = crate::conformance_tests!(@classifier table);

/// All checks of a [`Differentiable`], in addition to [`CLASSIFIER_CHECKS`].
pub const DIFFERENTIABLE_CHECKS: &[ConformanceCheck<dyn Differentiable>] =
    crate::conformance_tests!(@differentiable table);

/// Runs all black-box checks.
///
/// `create` is called with the network configuration `config`, which must have at least 2 inputs and 2 to 10 classes.
///
/// # Errors
///
/// The first [`Violation`] of the contract.
pub fn check_classifier(config: &MlpConfig, create: Create<'_, dyn Classifier>) -> CheckResult {
    CLASSIFIER_CHECKS.iter().try_for_each(|(_, check)| check(config, create))
}

/// Runs all white-box checks, including the black-box ones.
///
/// `create` is called with the network configuration `config`, which must have at least 2 inputs and 2 to 10 classes.
///
/// # Errors
///
/// The first [`Violation`] of the contract.
pub fn check_differentiable(config: &MlpConfig, create: Create<'_, dyn Differentiable>) -> CheckResult {
    check_classifier(config, &as_classifier(create))?;
    DIFFERENTIABLE_CHECKS.iter().try_for_each(|(_, check)| check(config, create))
}
