//! Softmax with cross-entropy for one image: equations (3) and (4) of the [crate documentation](crate).

use super::real::Real;

/// Computes the loss of one image and replaces its logits by δᴸ, its row of the gradient of the mean loss over `count`
/// images.
///
/// The logits are the first `classes` elements of `values`. Further elements are padding for vectorized loops; they
/// must be −∞ and become 0.
#[inline(always)]
pub(crate) fn image_loss_and_delta<F: Real>(values: &mut [F], classes: usize, label: usize, count: F) -> F {
    let label_logit = values[label];
    // Subtracting the largest logit keeps exp from overflowing, and changes neither the loss nor the gradient. `max`
    // ignores NaN, but a NaN logit makes the sum below NaN.
    let largest = values[..classes].iter().fold(F::neg_infinity(), |largest, &logit| largest.max(logit));
    let mut sum = F::zero();
    for value in &mut *values {
        *value = Real::exp(*value - largest);
    }
    // Adds one value after the other: a vectorized sum would be rounded differently for each vector length.
    for &value in &values[..classes] {
        sum += value;
    }
    // p / count, where p = exp(zⱼ − largest) / sum is the probability.
    let divisor = sum * count;
    for value in &mut *values {
        *value /= divisor;
    }
    values[label] -= F::one() / count;
    sum.ln() + (largest - label_logit)
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;

    /// Returns the mean loss of a batch and its gradient with respect to the logits.
    fn loss_and_gradient(logits: &Array2<f64>, labels: &[usize]) -> (f64, Array2<f64>) {
        let mut deltas = logits.clone();
        let count = labels.len() as f64;
        let rows = deltas.rows_mut().into_iter().zip(labels);
        let losses = rows
            .map(|(mut row, &label)| image_loss_and_delta(row.as_slice_mut().unwrap(), logits.ncols(), label, count));
        (losses.sum::<f64>() / count, deltas)
    }

    #[test]
    fn cross_entropy_gradient_matches_central_difference() {
        let logits = array![[0.3, -1.2, 2.0], [0.0, 0.1, -0.2]];
        let (_, gradient) = loss_and_gradient(&logits, &[2, 0]);
        for (index, &value) in gradient.indexed_iter() {
            let at = |step: f64| {
                let mut moved = logits.clone();
                moved[index] += step;
                loss_and_gradient(&moved, &[2, 0]).0
            };
            approx::assert_abs_diff_eq!(value, (at(1e-6) - at(-1e-6)) / 2e-6, epsilon = 1e-9);
        }
    }

    #[test]
    fn cross_entropy_of_equal_logits_is_log_of_class_count() {
        let (loss, gradient) = loss_and_gradient(&Array2::zeros([4, 10]), &[0, 1, 2, 3]);
        approx::assert_relative_eq!(loss, 10.0_f64.ln());
        approx::assert_relative_eq!(gradient[[0, 0]], (0.1 - 1.0) / 4.0);
        approx::assert_relative_eq!(gradient[[0, 1]], 0.1 / 4.0);
    }

    #[test]
    fn cross_entropy_handles_large_and_non_finite_logits() {
        let (loss, _) = loss_and_gradient(&array![[1e4, -1e4]], &[1]);
        assert_eq!(loss, 2e4);
        assert!(loss_and_gradient(&array![[f64::NAN, 0.0]], &[1]).0.is_nan());
        assert!(loss_and_gradient(&array![[f64::INFINITY, 0.0]], &[1]).0.is_nan());
    }
}
