//! The networks, images and comparisons that all tests of the contract share.

use crate::{Activation, Batch, Classifier, Dataset, Differentiable, Error, MlpConfig, Parameters, Result};

/// Of the images of the tests.
const SIDE: usize = 6;

/// How far numbers that should be equal may be apart, as a share of the largest.
pub(super) const LOOSELY: f64 = 1e-3;

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

pub(super) fn batch(count: usize) -> Result<Batch<f32>> {
    Ok(images(count)?.batch(&(0..count).collect::<Vec<_>>()))
}

/// Parameters with biases that are not zero, so that a forgotten one shows.
pub(super) fn parameters(config: &MlpConfig) -> Parameters<f32> {
    Parameters::glorot_uniform_with_biases(config, 1)
}

pub(super) fn ensure(is_kept: bool, promise: impl Into<String>) -> Kept {
    if is_kept { Ok(()) } else { Err(Violation::Broken(promise.into())) }
}

/// `Ok` if something was refused, with an error that the caller recognises.
pub(super) fn refused<T>(what: &str, result: Result<T>, is_right: fn(&Error) -> bool) -> Kept {
    match result {
        Ok(_) => Err(Violation::Broken(format!("{what}: accepted, and must be refused"))),
        Err(error) if is_right(&error) => Ok(()),
        Err(error) => Err(Violation::Broken(format!("{what}: refused with another kind of error: {error:?}"))),
    }
}

/// Whether a number is another but for rounding.
pub(super) fn near(number: f64, right: f64) -> bool {
    (number - right).abs() <= LOOSELY * right.abs()
}

/// The largest difference as a share of the largest value; infinite if anything is not finite.
pub(super) fn apart<'a>(left: impl IntoIterator<Item = &'a f32>, right: impl IntoIterator<Item = &'a f32>) -> f64 {
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
