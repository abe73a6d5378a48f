//! Comparisons of parameters.

use super::kit::difference;
use crate::Parameters;

/// Describes the first value that differs in its bits.
pub(super) fn first_difference(actual: &Parameters<f32>, expected: &Parameters<f32>) -> Option<String> {
    actual.tensors().zip(expected.tensors()).find_map(|((name, actual), (_, expected))| {
        if actual.shape() != expected.shape() {
            return Some(format!("{name} has the shape {:?}, expected {:?}", actual.shape(), expected.shape()));
        }
        let pairs = actual.iter().zip(&expected).enumerate();
        let (index, (actual, expected)) = pairs.into_iter().find(|(_, (a, e))| a.to_bits() != e.to_bits())?;
        Some(format!("{name} is {actual:e} at value {index}, expected {expected:e}"))
    })
}

/// Returns the largest difference of the changes that two updates made, relative to the largest change.
pub(super) fn difference_of_changes(before: &Parameters<f32>, left: &Parameters<f32>, right: &Parameters<f32>) -> f64 {
    let change = |after: &Parameters<f32>| -> Vec<f32> {
        let pairs = after.tensors().zip(before.tensors());
        pairs.flat_map(|((_, after), (_, before))| (&after - &before).into_iter().collect::<Vec<_>>()).collect()
    };
    difference(&change(left), &change(right))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::network;

    #[test]
    fn difference_of_changes_ignores_what_is_changed() {
        let config = network(&[], crate::Activation::Relu).unwrap();
        let [before, left, right] = [1.0, 1.5, 1.25].map(|value| Parameters::<f32>::zeros(&config).map(|_| value));
        assert_eq!(difference_of_changes(&before, &left, &right), 0.5);
        assert_eq!(difference_of_changes(&before, &left, &left), 0.0);
    }

    #[test]
    fn first_difference_names_tensor_and_value() {
        let config = network(&[3], crate::Activation::Relu).unwrap();
        let expected = Parameters::<f32>::zeros(&config);
        let mut actual = expected.clone();
        assert_eq!(first_difference(&actual, &expected), None);
        actual.layers_mut()[1].bias[4] = -0.0;
        let message = "output_layer.bias is -0e0 at value 4, expected 0e0";
        assert_eq!(first_difference(&actual, &expected).as_deref(), Some(message));
        let other = Parameters::<f32>::zeros(&network(&[4], crate::Activation::Relu).unwrap());
        assert!(
            first_difference(&other, &expected).is_some_and(|message| message.contains("[36, 4], expected [36, 3]"))
        );
    }
}
