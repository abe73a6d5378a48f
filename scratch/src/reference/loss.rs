//! Softmax and cross-entropy, equations (3) and (4).

use ndarray::{ArrayView2, ArrayViewMut2};

use super::real::Real;

/// The mean cross-entropy of `logits`, and its gradient with respect to them, written to `deltas`.
pub(crate) fn softmax_cross_entropy<F: Real>(
    logits: ArrayView2<'_, F>,
    labels: &[usize],
    mut deltas: ArrayViewMut2<'_, F>,
) -> F {
    let count = F::from_f64(labels.len() as f64);
    let mut row = vec![F::zero(); logits.ncols()];
    let mut sum_of_losses = F::zero();
    for ((logits, mut deltas), &label) in logits.rows().into_iter().zip(deltas.rows_mut()).zip(labels) {
        row.iter_mut().zip(logits).for_each(|(value, &logit)| *value = logit);
        sum_of_losses += of_one_image(&mut row, logits.len(), label, count);
        deltas.iter_mut().zip(&row).for_each(|(delta, &value)| *delta = value);
    }
    sum_of_losses / count
}

/// ℒ of one image, whose logits, the first `classes` values, become δᴸ of a batch of `count` images.
#[inline(always)]
pub(crate) fn of_one_image<F: Real>(values: &mut [F], classes: usize, label: usize, count: F) -> F {
    let of_label = values[label];
    let largest = values[..classes].iter().fold(F::neg_infinity(), |largest, &logit| largest.max(logit));
    let mut sum = F::zero();
    for value in &mut *values {
        *value = Real::exp(*value - largest);
    }
    for &value in &values[..classes] {
        sum += value;
    }
    let share = sum * count;
    for value in &mut *values {
        *value /= share;
    }
    values[label] -= F::one() / count;
    sum.ln() + (largest - of_label)
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;

    fn loss_and_gradient(logits: &Array2<f64>, labels: &[usize]) -> (f64, Array2<f64>) {
        let mut deltas = Array2::zeros(logits.dim());
        let loss = softmax_cross_entropy(logits.view(), labels, deltas.view_mut());
        (loss, deltas)
    }

    #[test]
    fn the_gradient_is_that_of_the_loss() {
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
    fn equal_logits_cost_the_logarithm_of_the_classes() {
        let (loss, gradient) = loss_and_gradient(&Array2::zeros([4, 10]), &[0, 1, 2, 3]);
        approx::assert_relative_eq!(loss, 10.0_f64.ln());
        approx::assert_relative_eq!(gradient[[0, 0]], (0.1 - 1.0) / 4.0);
        approx::assert_relative_eq!(gradient[[0, 1]], 0.1 / 4.0);
    }

    #[test]
    fn large_logits_do_not_overflow_and_nan_shows() {
        let (loss, _) = loss_and_gradient(&array![[1e4, -1e4]], &[1]);
        assert_eq!(loss, 2e4);
        assert!(loss_and_gradient(&array![[f64::NAN, 0.0]], &[1]).0.is_nan());
        assert!(loss_and_gradient(&array![[f64::INFINITY, 0.0]], &[1]).0.is_nan());
    }
}
