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
//! becomes one `#[test]` for each promise of [`Classifier`] and [`Differentiable`], on networks with hidden layers of these
//! widths and this activation. A black box takes `classifier` instead of `differentiable`. Each test is a plain function of
//! this module, for who wants to call it otherwise.
//!
//! Numbers are compared loosely here: a broken promise shows in the first digit. How many digits are right is what
//! `mlp_parity_compare::agreement::assert_agreement` tells.

mod classifier;
mod differentiable;

pub use classifier::*;
pub use differentiable::*;

use crate::{Activation, Batch, Classifier, Dataset, Differentiable, Error, MlpConfig, Parameters, Result};

/// Of the images of the tests.
const SIDE: usize = 6;

/// How far numbers that should be equal may be apart, as a share of the largest.
const LOOSELY: f64 = 1e-3;

/// Makes a network of this shape with these parameters. A black box may begin where it likes.
pub type Create<'a, M> = &'a dyn Fn(&MlpConfig, &Parameters<f32>) -> Result<Box<M>>;

/// Why an implementation does not keep the contract.
#[derive(Debug, thiserror::Error)]
pub enum Violation {
    /// It does something else than it promises.
    #[error("{0}")]
    Broken(String),
    /// It reports an error where all is well.
    #[error("what must succeed fails: {0}")]
    Failed(#[from] Error),
}

/// Nothing, if the promise is kept.
pub type Kept = Result<(), Violation>;

/// A network as the tests use it: 36 inputs, 10 classes.
///
/// # Errors
///
/// [`Error::Configuration`] if a width is 0.
pub fn network(hidden: &[usize], activation: Activation) -> Result<MlpConfig> {
    MlpConfig::new(SIDE * SIDE, hidden, crate::CLASSES, activation)
}

/// Images that can be learned: each class lights up its own pixels, over a pattern of noise.
///
/// # Errors
///
/// [`Error::Data`] if there is none.
pub fn images(count: usize) -> Result<Dataset> {
    let label = |image: usize| (image * 7 % crate::CLASSES) as u8;
    let pixel = |image: usize, pixel: usize| {
        let noise = (image * 31 + pixel * 17 + image * pixel * 13) % 97;
        let is_lit = pixel % crate::CLASSES == usize::from(label(image));
        (if is_lit { 150 + noise } else { noise }) as u8
    };
    let pixels = (0..count).flat_map(|image| (0..SIDE * SIDE).map(move |index| pixel(image, index)));
    Dataset::new(pixels.collect(), (0..count).map(label).collect(), [SIDE, SIDE])
}

fn batch(count: usize) -> Result<Batch<f32>> {
    Ok(images(count)?.batch(&(0..count).collect::<Vec<_>>()))
}

/// Parameters with biases that are not zero, so that a forgotten one shows.
fn parameters(config: &MlpConfig) -> Parameters<f32> {
    let mut parameters = Parameters::glorot_uniform(config, 1);
    let noise = Parameters::<f32>::glorot_uniform(config, 2);
    for (layer, noise) in parameters.layers_mut().iter_mut().zip(noise.layers()) {
        layer.bias.assign(&noise.weight.row(0));
    }
    parameters
}

fn ensure(is_kept: bool, promise: impl Into<String>) -> Kept {
    if is_kept { Ok(()) } else { Err(Violation::Broken(promise.into())) }
}

/// `Ok` if something was refused, with an error that the caller recognises.
fn refused<T>(what: &str, result: Result<T>, is_right: fn(&Error) -> bool) -> Kept {
    match result {
        Ok(_) => Err(Violation::Broken(format!("{what}: accepted, and must be refused"))),
        Err(error) if is_right(&error) => Ok(()),
        Err(error) => Err(Violation::Broken(format!("{what}: refused with another kind of error: {error:?}"))),
    }
}

/// Whether a number is another but for rounding.
fn near(number: f64, right: f64) -> bool {
    (number - right).abs() <= LOOSELY * right.abs()
}

/// The largest difference as a share of the largest value; infinite if anything is not finite.
fn apart<'a>(left: impl IntoIterator<Item = &'a f32>, right: impl IntoIterator<Item = &'a f32>) -> f64 {
    let (mut difference, mut largest) = (0.0_f64, f64::MIN_POSITIVE);
    for (&left, &right) in left.into_iter().zip(right) {
        if !left.is_finite() || !right.is_finite() {
            return f64::INFINITY;
        }
        difference = difference.max((f64::from(left) - f64::from(right)).abs());
        largest = largest.max(f64::from(left).abs());
    }
    difference / largest
}

/// Sees a white box as a black one.
pub fn as_classifier(
    create: Create<'_, dyn Differentiable>,
) -> impl Fn(&MlpConfig, &Parameters<f32>) -> Result<Box<dyn Classifier>> {
    move |config, parameters| Ok(create(config, parameters)?)
}

/// One `#[test]` for each promise of the contract: see [`conformance`](crate::conformance).
///
/// `conformance_tests!(differentiable, [20, 12], Relu, create)`, or `classifier` for a black box; `create` takes
/// `(&MlpConfig, &Parameters<f32>)` and returns `mlp_parity::Result` of the network.
#[macro_export]
macro_rules! conformance_tests {
    (classifier, $hidden:expr, $activation:ident, $create:expr) => {
        fn create(
            config: &$crate::MlpConfig,
            parameters: &$crate::Parameters<f32>,
        ) -> $crate::Result<::std::boxed::Box<dyn $crate::Classifier>> {
            let create: fn(&$crate::MlpConfig, &$crate::Parameters<f32>) -> $crate::Result<_> = $create;
            Ok(::std::boxed::Box::new(create(config, parameters)?))
        }
        $crate::conformance_tests!(@classifier create, $hidden, $activation);
    };
    (differentiable, $hidden:expr, $activation:ident, $create:expr) => {
        fn create(
            config: &$crate::MlpConfig,
            parameters: &$crate::Parameters<f32>,
        ) -> $crate::Result<::std::boxed::Box<dyn $crate::Differentiable>> {
            let create: fn(&$crate::MlpConfig, &$crate::Parameters<f32>) -> $crate::Result<_> = $create;
            Ok(::std::boxed::Box::new(create(config, parameters)?))
        }
        $crate::conformance_tests!(@classifier $crate::conformance::as_classifier(&create), $hidden, $activation);
        $crate::conformance_tests!(@tests create, $hidden, $activation:
            parameters_are_kept_to_the_bit
            other_shapes_are_refused
            not_a_number_shows
            probabilities_are_the_softmax_of_the_logits
            looking_leaves_no_trace
            a_step_is_a_gradient_and_its_update
            fit_takes_the_promised_batches
            an_optimizer_starts_afresh
            parts_of_a_run_are_the_whole
            rules_that_cannot_be_are_refused
        );
    };
    (@classifier $create:expr, $hidden:expr, $activation:ident) => {
        $crate::conformance_tests!(@tests $create, $hidden, $activation:
            answers_are_probabilities
            predictions_are_the_largest_probabilities
            an_image_alone_is_answered_as_in_company
            training_teaches
            training_repeats_itself
            training_is_reported_and_can_be_stopped
            images_that_cannot_be_are_refused
            data_that_do_not_fit_are_refused
        );
    };
    (@tests $create:expr, $hidden:expr, $activation:ident: $($test:ident)+) => {
        $(
            #[test]
            #[allow(clippy::panic, reason = "a test fails by panicking")]
            fn $test() {
                let kept = $crate::conformance::network(&$hidden, $crate::Activation::$activation)
                    .map_err($crate::conformance::Violation::from)
                    .and_then(|config| $crate::conformance::$test(&config, &$create));
                if let Err(violation) = kept {
                    panic!("{violation}");
                }
            }
        )+
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_near_within_a_share_of_the_right_one() {
        for right in [0.01, 1.0, -100.0] {
            assert!(near(right * (1.0 + 0.9 * LOOSELY), right) && !near(right * (1.0 - 1.1 * LOOSELY), right));
        }
        assert!(near(0.0, 0.0) && !near(f64::NAN, 1.0) && !near(1.0, f64::NAN));
    }

    #[test]
    fn values_are_apart_by_the_largest_difference_as_a_share_of_the_largest_value() {
        assert_eq!(apart(&[1.0, -8.0, 2.0], &[1.0, -8.0, 4.0]), 0.25);
        assert_eq!(apart(&[0.0; 3], &[0.0; 3]), 0.0);
        for (left, right) in [(1.0, f32::NAN), (f32::NAN, 1.0), (f32::INFINITY, f32::INFINITY)] {
            assert_eq!(apart(&[0.0, left], &[0.0, right]), f64::INFINITY);
        }
    }

    #[test]
    fn what_is_refused_for_another_reason_is_not_refused() {
        let is_shape = |error: &Error| matches!(error, Error::Shape { .. });
        let shape = Error::check_shape("a vector", &[1], &[2]);
        let other = Err::<(), _>(Error::configuration("epochs", "none"));
        assert!(refused("a vector", shape, is_shape).is_ok());
        assert!(refused("a vector", other, is_shape).is_err() && refused("a vector", Ok(()), is_shape).is_err());
    }
}
