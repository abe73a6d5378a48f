//! Where two tensors differ most.

use ndarray::{ArrayViewD, Dimension};

/// The element in which two tensors differ most.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Difference {
    /// Where it is.
    pub(super) index: Vec<usize>,
    /// The left value there.
    pub(super) left: f64,
    /// The right value there.
    pub(super) right: f64,
    /// By how much they differ there; NaN if either is not finite, or the shapes differ.
    pub(super) absolute: f64,
    /// The largest magnitude in the left tensor.
    pub(super) largest: f64,
}

impl Difference {
    /// The first non-finite element counts as the largest difference.
    pub(super) fn between(left: ArrayViewD<'_, f32>, right: ArrayViewD<'_, f32>) -> Self {
        let mut worst = Self { index: Vec::new(), left: 0.0, right: 0.0, absolute: -1.0, largest: 0.0 };
        if left.shape() != right.shape() {
            return Self { absolute: f64::NAN, ..worst };
        }
        for ((index, &left), &right) in left.indexed_iter().zip(&right) {
            let (left, right) = (f64::from(left), f64::from(right));
            worst.largest = worst.largest.max(left.abs());
            let absolute = if left.is_finite() && right.is_finite() { (left - right).abs() } else { f64::NAN };
            let worse = absolute > worst.absolute || absolute.is_nan();
            if worse && !worst.absolute.is_nan() {
                let index = index.slice().to_vec();
                worst = Self { index, left, right, absolute, largest: worst.largest };
            }
        }
        worst
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array, array};

    use super::*;

    fn between<D: Dimension>(left: &Array<f32, D>, right: &Array<f32, D>) -> Difference {
        Difference::between(left.view().into_dyn(), right.view().into_dyn())
    }

    #[test]
    fn the_worst_element_is_found() {
        let difference = between(&array![[1.0, -8.0], [3.0, 4.0]], &array![[1.0, -8.5], [3.0, 3.75]]);
        let expected = Difference { index: vec![0, 1], left: -8.0, right: -8.5, absolute: 0.5, largest: 8.0 };
        assert_eq!(difference, expected);
        assert_eq!(between(&array![2.0], &array![2.0]).absolute, 0.0);
    }

    #[test]
    fn a_value_that_is_not_finite_is_the_worst_of_all_even_when_both_have_it() {
        for value in [f32::NAN, f32::INFINITY] {
            let tensor = array![1.0, value, 3.0];
            let difference = between(&tensor, &tensor);
            assert!(difference.absolute.is_nan() && difference.index == [1], "{difference:?}");
            assert!(between(&array![1.0, value, 9.0], &array![1.0, 2.0, 3.0]).absolute.is_nan());
        }
    }

    #[test]
    fn another_shape_is_no_number() {
        assert!(between(&array![1.0, 2.0], &array![1.0]).absolute.is_nan());
    }
}
