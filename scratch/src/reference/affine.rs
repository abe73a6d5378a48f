//! The affine map of a layer and its derivatives: equations (1) and (5) to (7) of the [crate documentation](crate).

use mlp_parity::{Layer, Scalar};
use ndarray::{Array2, ArrayView2, Axis};

use super::precision::ProductPrecision;
use crate::fast::kernels;

/// Computes the product of two matrices, whose elements are first rounded to `precision`.
pub(super) fn product<F: Scalar>(
    precision: ProductPrecision,
    left: ArrayView2<'_, F>,
    right: ArrayView2<'_, F>,
) -> Array2<F> {
    let mut result = Array2::zeros([left.nrows(), right.ncols()]);
    if precision == ProductPrecision::Full {
        kernels::product(left, right, result.view_mut());
    } else {
        let rounded = |matrix: ArrayView2<'_, F>| matrix.mapv(|value| F::from_f64(precision.round(value.into())));
        kernels::product(rounded(left).view(), rounded(right).view(), result.view_mut());
    }
    result
}

/// Computes the sums Z = A·W + **1**·bᵀ of a layer, equation (1).
pub(super) fn forward<F: Scalar>(precision: ProductPrecision, input: ArrayView2<'_, F>, layer: &Layer<F>) -> Array2<F> {
    product(precision, input, layer.weight.view()) + layer.bias.view().insert_axis(Axis(0))
}

/// Computes the gradients of weight and bias, equations (5) and (6).
pub(super) fn gradients<F: Scalar>(
    precision: ProductPrecision,
    input: ArrayView2<'_, F>,
    delta: ArrayView2<'_, F>,
) -> Layer<F> {
    Layer { weight: product(precision, input.t(), delta), bias: delta.sum_axis(Axis(0)) }
}
