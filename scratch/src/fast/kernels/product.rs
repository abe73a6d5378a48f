//! The matrix product of ordinary row-major or column-major matrices, computed by the `gemm` crate.
//!
//! The product runs on the calling thread. For matrices of the size of a batch, distributing the work would cost more
//! time than it saves, and on one thread the order of every sum is fixed.

use gemm::Parallelism;
use mlp_parity::Scalar;
use ndarray::{ArrayView2, ArrayViewMut2};

/// Computes C ← A·B for A `[m, k]`, B `[k, n]` and C `[m, n]`. The previous values of C are overwritten.
///
/// The views may have any strides, so a transposed factor is passed as a transposed view.
///
/// # Panics
///
/// If the number of rows of B is not the number of columns of A, or C does not have the shape `[m, n]`.
pub fn product<F: Scalar>(a: ArrayView2<'_, F>, b: ArrayView2<'_, F>, c: ArrayViewMut2<'_, F>) {
    multiply(a, b, c, false);
}

/// Computes C ← C + A·B for A `[m, k]`, B `[k, n]` and C `[m, n]`, with any strides.
///
/// # Panics
///
/// If the number of rows of B is not the number of columns of A, or C does not have the shape `[m, n]`.
pub fn add_product<F: Scalar>(a: ArrayView2<'_, F>, b: ArrayView2<'_, F>, c: ArrayViewMut2<'_, F>) {
    multiply(a, b, c, true);
}

/// Computes C ← A·B, plus the previous C if `add` is true.
fn multiply<F: Scalar>(a: ArrayView2<'_, F>, b: ArrayView2<'_, F>, mut c: ArrayViewMut2<'_, F>, add: bool) {
    let (rows, inner) = a.dim();
    let columns = b.ncols();
    assert_eq!(b.nrows(), inner, "B must have as many rows as A has columns");
    assert_eq!(c.dim(), (rows, columns), "C must have as many rows as A and as many columns as B");
    let [a_row, a_column] = strides(a.strides());
    let [b_row, b_column] = strides(b.strides());
    let [c_row, c_column] = strides(c.strides());
    // SAFETY: the three pointers and their strides come from views that outlive the call, and the dimensions passed are
    // those of the views, as asserted above, so every element that `gemm` accesses lies within its view. `c` is
    // borrowed mutably, so it does not overlap `a` or `b`, and its elements are initialized. `F` is `f32` or `f64`
    // (`Scalar` is sealed), which `gemm` supports.
    unsafe {
        gemm::gemm(
            rows,
            columns,
            inner,
            c.as_mut_ptr(),
            c_column,
            c_row,
            // read_dst: C ← alpha·C + beta·A·B instead of C ← beta·A·B.
            add,
            a.as_ptr(),
            a_column,
            a_row,
            b.as_ptr(),
            b_column,
            b_row,
            // alpha and beta.
            F::one(),
            F::one(),
            // conj_dst, conj_lhs and conj_rhs: complex conjugation.
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

/// Returns the row stride and the column stride of a matrix, in elements.
fn strides(strides: &[isize]) -> [isize; 2] {
    [strides[0], strides[1]]
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, s};
    use proptest::prelude::*;

    use super::*;

    /// Computes A·B naively: every element is a sum in the order of the inner dimension.
    fn naive_product(a: ArrayView2<'_, f64>, b: ArrayView2<'_, f64>) -> Array2<f64> {
        Array2::from_shape_fn([a.nrows(), b.ncols()], |(row, column)| {
            (0..a.ncols()).map(|k| a[[row, k]] * b[[k, column]]).sum()
        })
    }

    /// Creates a matrix of integers from −6 to 6. All products and sums of them are exact, so that tests can compare
    /// with `==`.
    fn integers<F: Scalar>(rows: usize, columns: usize, seed: usize) -> Array2<F> {
        Array2::from_shape_fn([rows, columns], |(row, column)| {
            F::from_f64(((row * 31 + column * 17 + seed * 7) % 13) as f64 - 6.0)
        })
    }

    /// Checks the product of a `[rows, inner]` and an `[inner, columns]` matrix. The two flags of `transposed` select
    /// transposed views for A and B.
    fn assert_matches_naive<F: Scalar>(rows: usize, inner: usize, columns: usize, transposed: (bool, bool)) {
        let factor = |rows, columns, transposed, seed| {
            if transposed { integers::<F>(columns, rows, seed).reversed_axes() } else { integers(rows, columns, seed) }
        };
        let (a, b) = (factor(rows, inner, transposed.0, 1), factor(inner, columns, transposed.1, 2));
        // C is a view into a larger array, whose other elements must keep their value.
        let mut outer = Array2::from_elem([rows + 2, columns + 2], F::from_f64(77.0));
        let expected = naive_product(a.mapv(Into::into).view(), b.mapv(Into::into).view());
        for multiple in [1.0, 2.0] {
            let inside = outer.slice_mut(s![1..=rows, 1..=columns]);
            if multiple == 1.0 {
                product(a.view(), b.view(), inside)
            } else {
                add_product(a.view(), b.view(), inside)
            }
            for ((row, column), &value) in outer.indexed_iter() {
                let is_inside = (1..=rows).contains(&row) && (1..=columns).contains(&column);
                let expected_value = if is_inside { multiple * expected[[row - 1, column - 1]] } else { 77.0 };
                assert_eq!(value.into(), expected_value, "[{row}, {column}] after {multiple} products");
            }
        }
    }

    proptest! {
        #[test]
        fn product_matches_naive_product(
            rows in 1_usize..70, inner in 1_usize..70, columns in 1_usize..70, a_transposed: bool, b_transposed: bool,
        ) {
            assert_matches_naive::<f32>(rows, inner, columns, (a_transposed, b_transposed));
            assert_matches_naive::<f64>(rows, inner, columns, (a_transposed, b_transposed));
        }
    }

    #[test]
    fn product_handles_empty_inner_dimension_and_nan() {
        let mut c = Array2::from_elem([2, 2], 5.0_f32);
        product(Array2::zeros([2, 0]).view(), Array2::zeros([0, 2]).view(), c.view_mut());
        assert_eq!(c, Array2::<f32>::zeros([2, 2]));
        product(Array2::from_elem([2, 1], f32::NAN).view(), Array2::zeros([1, 2]).view(), c.view_mut());
        assert!(c.iter().all(|value| value.is_nan()));
    }

    #[test]
    #[should_panic(expected = "C must have as many rows as A")]
    fn product_rejects_wrong_result_shape() {
        let factor = Array2::<f32>::zeros([3, 3]);
        product(factor.view(), factor.view(), Array2::zeros([3, 2]).view_mut());
    }
}
