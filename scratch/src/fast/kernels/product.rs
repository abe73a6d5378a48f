//! C ← A·B, by the `gemm` crate on one thread: at the sizes of a batch, handing work to another costs more than it
//! saves, and the order of every sum stays fixed.

use gemm::Parallelism;
use mlp_parity::Scalar;
use ndarray::{ArrayView2, ArrayViewMut2};

/// C ← A·B for any strides: a transposed view is a transposed factor.
///
/// # Panics
///
/// If the shapes do not fit.
pub fn product<F: Scalar>(a: ArrayView2<'_, F>, b: ArrayView2<'_, F>, mut c: ArrayViewMut2<'_, F>) {
    let (rows, inner) = a.dim();
    let columns = b.ncols();
    assert_eq!(b.nrows(), inner, "A has as many columns as B has rows");
    assert_eq!(c.dim(), (rows, columns), "C has the rows of A and the columns of B");
    let [a_row, a_column] = strides(a.strides());
    let [b_row, b_column] = strides(b.strides());
    let [c_row, c_column] = strides(c.strides());
    // SAFETY: the three pointers and their strides come from views that live to the end of the call and whose shapes
    // were just checked against the dimensions passed, so every element touched lies in its view. `c` is borrowed
    // mutably, so it overlaps neither `a` nor `b`. `F` is f32 or f64 (`Scalar` is sealed), which `gemm` supports.
    // `read_dst` is false, so `alpha` is not used.
    unsafe {
        gemm::gemm(
            rows,
            columns,
            inner,
            c.as_mut_ptr(),
            c_column,
            c_row,
            false,
            a.as_ptr(),
            a_column,
            a_row,
            b.as_ptr(),
            b_column,
            b_row,
            F::zero(),
            F::one(),
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

/// Row stride and column stride.
fn strides(strides: &[isize]) -> [isize; 2] {
    [strides[0], strides[1]]
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, s};
    use proptest::prelude::*;

    use super::*;

    /// The textbook: every element a sum, front to back.
    fn textbook(a: ArrayView2<'_, f64>, b: ArrayView2<'_, f64>) -> Array2<f64> {
        Array2::from_shape_fn([a.nrows(), b.ncols()], |(row, column)| {
            (0..a.ncols()).map(|k| a[[row, k]] * b[[k, column]]).sum()
        })
    }

    /// Small whole numbers: every product and sum is exact, so that equality means equality.
    fn whole_numbers<F: Scalar>(rows: usize, columns: usize, seed: usize) -> Array2<F> {
        Array2::from_shape_fn([rows, columns], |(row, column)| {
            F::from_f64(((row * 31 + column * 17 + seed * 7) % 13) as f64 - 6.0)
        })
    }

    fn equals_textbook<F: Scalar>(rows: usize, inner: usize, columns: usize, transposed: (bool, bool)) {
        let factor = |rows, columns, transposed, seed| {
            if transposed {
                whole_numbers::<F>(columns, rows, seed).reversed_axes()
            } else {
                whole_numbers(rows, columns, seed)
            }
        };
        let (a, b) = (factor(rows, inner, transposed.0, 1), factor(inner, columns, transposed.1, 2));
        // A view into a larger array: what lies beside it must stay.
        let mut around = Array2::from_elem([rows + 2, columns + 2], F::from_f64(77.0));
        product(a.view(), b.view(), around.slice_mut(s![1..=rows, 1..=columns]));
        let expected = textbook(a.mapv(Into::into).view(), b.mapv(Into::into).view());
        for ((row, column), &value) in around.indexed_iter() {
            let inside = (1..=rows).contains(&row) && (1..=columns).contains(&column);
            let wanted = if inside { expected[[row - 1, column - 1]] } else { 77.0 };
            assert_eq!(value.into(), wanted, "[{row}, {column}]");
        }
    }

    proptest! {
        #[test]
        fn the_product_equals_the_textbook(
            rows in 1_usize..70, inner in 1_usize..70, columns in 1_usize..70, left: bool, right: bool,
        ) {
            equals_textbook::<f32>(rows, inner, columns, (left, right));
            equals_textbook::<f64>(rows, inner, columns, (left, right));
        }
    }

    #[test]
    fn an_empty_sum_is_zero_and_nan_stays() {
        let mut c = Array2::from_elem([2, 2], 5.0_f32);
        product(Array2::zeros([2, 0]).view(), Array2::zeros([0, 2]).view(), c.view_mut());
        assert_eq!(c, Array2::<f32>::zeros([2, 2]));
        product(Array2::from_elem([2, 1], f32::NAN).view(), Array2::zeros([1, 2]).view(), c.view_mut());
        assert!(c.iter().all(|value| value.is_nan()));
    }

    #[test]
    #[should_panic(expected = "C has the rows of A")]
    fn a_result_of_another_shape_is_refused() {
        let factor = Array2::<f32>::zeros([3, 3]);
        product(factor.view(), factor.view(), Array2::zeros([3, 2]).view_mut());
    }
}
