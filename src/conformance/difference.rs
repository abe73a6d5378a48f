//! Comparisons for the conformance checks: of numbers within a tolerance, of parameters bit for bit, and of updates
//! relative to their size.

use ndarray::Dimension;

use super::kit::TOLERANCE;
use crate::Parameters;

/// Returns true if two numbers are equal within [`TOLERANCE`]; false if one of them is NaN.
pub(super) fn near(actual: f64, expected: f64) -> bool {
    (actual - expected).abs() <= TOLERANCE * expected.abs()
}

/// Returns the largest absolute difference between two sequences, relative to the largest absolute value of `expected`;
/// infinite if a value is not finite.
pub(super) fn difference<'a>(
    expected: impl IntoIterator<Item = &'a f32>,
    actual: impl IntoIterator<Item = &'a f32>,
) -> f64 {
    let (mut difference, mut largest) = (0.0_f64, f64::MIN_POSITIVE);
    for (&expected, &actual) in expected.into_iter().zip(actual) {
        if !expected.is_finite() || !actual.is_finite() {
            return f64::INFINITY;
        }
        difference = difference.max((f64::from(expected) - f64::from(actual)).abs());
        largest = largest.max(f64::from(expected).abs());
    }
    difference / largest
}

/// Describes the first value of `actual` whose bits differ from those of `expected`: "layer1.bias is 1e0 at [4],
/// expected 0e0". Returns `None` if all are identical.
pub(super) fn first_difference(actual: &Parameters<f32>, expected: &Parameters<f32>) -> Option<String> {
    actual.tensors().zip(expected.tensors()).find_map(|((name, actual), (_, expected))| {
        if actual.shape() != expected.shape() {
            return Some(format!("{name} has shape {:?}, expected {:?}", actual.shape(), expected.shape()));
        }
        let mut pairs = actual.indexed_iter().zip(&expected);
        let ((index, actual), expected) =
            pairs.find(|((_, actual), expected)| actual.to_bits() != expected.to_bits())?;
        Some(format!("{name} is {actual:e} at {}, expected {expected:e}", index.as_array_view()))
    })
}

/// Compares two updates of the same parameters. Returns the largest difference between the two changes, relative to the
/// largest value of the `expected` change; infinite if a value is not finite.
pub(super) fn difference_of_changes(
    before: &Parameters<f32>,
    expected: &Parameters<f32>,
    actual: &Parameters<f32>,
) -> f64 {
    let change = |after: &Parameters<f32>| -> Vec<f32> {
        let pairs = after.tensors().zip(before.tensors());
        pairs.flat_map(|((_, after), (_, before))| (&after - &before).into_iter().collect::<Vec<_>>()).collect()
    };
    difference(&change(expected), &change(actual))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::network;

    #[test]
    fn near_accepts_relative_difference_within_tolerance() {
        for expected in [0.01, 1.0, -100.0] {
            assert!(near(expected * (1.0 + 0.9 * TOLERANCE), expected));
            assert!(!near(expected * (1.0 - 1.1 * TOLERANCE), expected));
        }
        assert!(near(0.0, 0.0) && !near(f64::NAN, 1.0) && !near(1.0, f64::NAN));
    }

    #[test]
    fn difference_is_relative_to_largest_value() {
        assert_eq!(difference(&[1.0, -8.0, 2.0], &[1.0, -8.0, 4.0]), 0.25);
        assert_eq!(difference(&[0.0; 3], &[0.0; 3]), 0.0);
        for (expected, actual) in [(1.0, f32::NAN), (f32::NAN, 1.0), (f32::INFINITY, f32::INFINITY)] {
            assert_eq!(difference(&[0.0, expected], &[0.0, actual]), f64::INFINITY);
        }
    }

    #[test]
    fn difference_of_changes_is_relative_to_expected_change() {
        let config = network(&[], crate::Activation::Relu).unwrap();
        let [before, expected, actual] = [1.0, 1.5, 1.25].map(|value| Parameters::<f32>::zeros(&config).map(|_| value));
        assert_eq!(difference_of_changes(&before, &expected, &actual), 0.5);
        assert_eq!(difference_of_changes(&before, &expected, &expected), 0.0);
    }

    #[test]
    fn first_difference_names_tensor_index_and_values() {
        let config = network(&[3], crate::Activation::Relu).unwrap();
        let expected = Parameters::<f32>::zeros(&config);
        let mut actual = expected.clone();
        assert_eq!(first_difference(&actual, &expected), None);
        actual.layers_mut()[1].bias[4] = -0.0;
        let message = "output_layer.bias is -0e0 at [4], expected 0e0";
        assert_eq!(first_difference(&actual, &expected).as_deref(), Some(message));
        let wider = Parameters::<f32>::zeros(&network(&[4], crate::Activation::Relu).unwrap());
        assert!(
            first_difference(&wider, &expected).is_some_and(|message| message.contains("[36, 4], expected [36, 3]"))
        );
    }
}
