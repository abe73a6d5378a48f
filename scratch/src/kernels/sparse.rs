//! Products with a matrix that is mostly zeros, as images are: only its other elements are multiplied.

use mlp_parity::Scalar;
use ndarray::{ArrayView2, ArrayViewMut2};

/// Columns of a result that are summed up together.
const TILE: usize = 64;

/// Above this share of elements that are not zero, the dense product is faster.
const DENSE: f64 = 0.25;

/// A matrix by the elements of its columns that are not zero. Its buffers are used again.
#[derive(Clone, Debug)]
pub(crate) struct Sparse<F> {
    rows: usize,
    /// Where each column ends in `elements`.
    ends: Vec<usize>,
    /// Row and value.
    elements: Vec<(usize, F)>,
    /// One tile of B or C.
    tile: Vec<Aligned<F>>,
}

/// A row of a tile, where no vector of it lies in two cache lines.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Aligned<F>([F; TILE]);

impl<F: Scalar> Sparse<F> {
    /// Without a row or column.
    pub(crate) fn new() -> Self {
        Self { rows: 0, ends: Vec::new(), elements: Vec::new(), tile: Vec::new() }
    }

    /// Takes over the elements of `matrix`; `false` if it has too many for this to pay.
    pub(crate) fn fill(&mut self, matrix: ArrayView2<'_, F>) -> bool {
        self.rows = matrix.nrows();
        self.tile.resize(self.tile.len().max(self.rows), Aligned([F::zero(); TILE]));
        self.ends.clear();
        self.ends.resize(matrix.ncols(), 0);
        for row in matrix.rows() {
            self.ends.iter_mut().zip(row).for_each(|(count, &value)| *count += usize::from(value != F::zero()));
        }
        let mut total = 0;
        for count in &mut self.ends {
            // Where the column starts; filling it moves this to where it ends.
            (*count, total) = (total, total + *count);
        }
        if total as f64 > matrix.len() as f64 * DENSE {
            return false;
        }
        self.elements.resize(self.elements.len().max(total), (0, F::zero()));
        for (index, row) in matrix.rows().into_iter().enumerate() {
            for (next, &value) in self.ends.iter_mut().zip(row) {
                if value != F::zero() {
                    self.elements[*next] = (index, value);
                    *next += 1;
                }
            }
        }
        true
    }

    /// C ← A·B; `false`, and nothing done, if B is not finite (0·NaN is NaN, and must not be left out), or B or C does not
    /// lie row by row in one piece.
    ///
    /// # Panics
    ///
    /// If the shapes do not fit.
    pub(crate) fn product(&mut self, b: ArrayView2<'_, F>, c: ArrayViewMut2<'_, F>) -> bool {
        self.multiply(b, c, [self.ends.len(), self.rows], false)
    }

    /// C ← Aᵀ·B, likewise.
    ///
    /// # Panics
    ///
    /// Likewise.
    pub(crate) fn transposed_product(&mut self, b: ArrayView2<'_, F>, c: ArrayViewMut2<'_, F>) -> bool {
        self.multiply(b, c, [self.rows, self.ends.len()], true)
    }

    fn multiply(
        &mut self,
        b: ArrayView2<'_, F>,
        mut c: ArrayViewMut2<'_, F>,
        rows: [usize; 2],
        transposed: bool,
    ) -> bool {
        assert_eq!([b.nrows(), c.nrows()], rows, "B and C have as many rows as A has columns and rows");
        let width = b.ncols();
        assert_eq!(c.ncols(), width, "C has the columns of B");
        let (Some(b), Some(c)) = (b.as_slice(), c.as_slice_mut()) else { return false };
        let tile = &mut self.tile[..self.rows];
        let a = Columns { ends: &self.ends, elements: &self.elements };
        pulp::Arch::new().dispatch(Multiplication { a, tile, b, c, width, transposed })
    }
}

/// The elements of each column.
#[derive(Clone, Copy)]
struct Columns<'a, F> {
    ends: &'a [usize],
    elements: &'a [(usize, F)],
}

impl<'a, F> Columns<'a, F> {
    #[inline(always)]
    fn iter(self) -> impl Iterator<Item = &'a [(usize, F)]> {
        let starts = std::iter::once(&0).chain(self.ends);
        starts.zip(self.ends).map(move |(&start, &end)| &self.elements[start..end])
    }
}

/// A product, compiled for the widest vectors that this machine has. Products and sums stay apart, and each sum follows the
/// order of A's columns, or rows, so that its results do not depend on them.
struct Multiplication<'a, F> {
    a: Columns<'a, F>,
    tile: &'a mut [Aligned<F>],
    b: &'a [F],
    c: &'a mut [F],
    width: usize,
    transposed: bool,
}

impl<F: Scalar> pulp::WithSimd for Multiplication<'_, F> {
    /// Whether B is finite and the product done.
    type Output = bool;

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(mut self, _: S) -> bool {
        if !all_finite(self.b) {
            return false;
        }
        if self.width < TILE {
            self.narrow();
        } else {
            for first in (0..self.width).step_by(TILE) {
                // The last tile lies over the one before it, and computes some columns again.
                let first = first.min(self.width - TILE);
                if self.transposed { self.transposed_tile(first) } else { self.tile(first) }
            }
        }
        true
    }
}

impl<F: Scalar> Multiplication<'_, F> {
    /// Columns `first..first + TILE` of A·B: one row of B after the other is added to the rows of the tile.
    #[inline(always)]
    fn tile(&mut self, first: usize) {
        self.tile.fill(Aligned([F::zero(); TILE]));
        for (elements, b) in self.a.iter().zip(self.b.chunks_exact(self.width)) {
            let Some(b) = b[first..].first_chunk::<TILE>() else { return };
            for &(row, value) in elements {
                self.tile[row].0.iter_mut().zip(b).for_each(|(c, &b)| *c += value * b);
            }
        }
        for (tile, c) in self.tile.iter().zip(self.c.chunks_exact_mut(self.width)) {
            c[first..][..TILE].copy_from_slice(&tile.0);
        }
    }

    /// Columns `first..first + TILE` of Aᵀ·B, B's being in the tile: each row of C is summed up in registers.
    #[inline(always)]
    fn transposed_tile(&mut self, first: usize) {
        for (tile, b) in self.tile.iter_mut().zip(self.b.chunks_exact(self.width)) {
            tile.0.copy_from_slice(&b[first..][..TILE]);
        }
        for (elements, c) in self.a.iter().zip(self.c.chunks_exact_mut(self.width)) {
            let mut sums = Aligned([F::zero(); TILE]);
            for &(row, value) in elements {
                sums.0.iter_mut().zip(&self.tile[row].0).for_each(|(sum, &b)| *sum += value * b);
            }
            c[first..][..TILE].copy_from_slice(&sums.0);
        }
    }

    /// Either product, for a B that is narrower than a tile.
    #[inline(always)]
    fn narrow(&mut self) {
        self.c.fill(F::zero());
        for (column, elements) in self.a.iter().enumerate() {
            for &(row, value) in elements {
                let (from, to) = if self.transposed { (row, column) } else { (column, row) };
                let b = &self.b[from * self.width..][..self.width];
                let c = &mut self.c[to * self.width..][..self.width];
                c.iter_mut().zip(b).for_each(|(c, &b)| *c += value * b);
            }
        }
    }
}

/// 0·x is 0 for a finite x, and NaN for any other.
#[inline(always)]
fn all_finite<F: Scalar>(values: &[F]) -> bool {
    let mut zeros = [F::zero(); TILE];
    let (chunks, rest) = values.as_chunks::<TILE>();
    for chunk in chunks {
        zeros.iter_mut().zip(chunk).for_each(|(zero, &value)| *zero += F::zero() * value);
    }
    zeros.iter().all(|&zero| zero == F::zero()) && rest.iter().all(|value| value.is_finite())
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;
    use proptest::prelude::*;

    use super::*;

    /// The textbook: every element a sum, front to back.
    fn textbook<F: Scalar>(a: &Array2<F>, b: &Array2<F>) -> Array2<F> {
        Array2::from_shape_fn([a.nrows(), b.ncols()], |(row, column)| {
            (0..a.ncols()).fold(F::zero(), |sum, k| sum + a[[row, k]] * b[[k, column]])
        })
    }

    fn factors<F: Scalar>(rows: usize, inner: usize, columns: usize) -> [Array2<F>; 2] {
        let value = |index: usize| F::from_f64(((index * 7919) % 1009) as f64 / 504.5 - 1.0);
        let a =
            |(row, column)| if (row * 5 + column * 3) % 7 == 0 { value(row * inner + column + 1) } else { F::zero() };
        [
            Array2::from_shape_fn([rows, inner], a),
            Array2::from_shape_fn([inner, columns], |(k, j)| value(k * columns + j)),
        ]
    }

    fn equals_textbook<F: Scalar>(rows: usize, inner: usize, columns: usize) {
        let [a, b] = factors::<F>(rows, inner, columns);
        let mut sparse = Sparse::new();
        if sparse.fill(a.view()) {
            let mut c = Array2::from_elem([rows, columns], F::from_f64(77.0));
            assert!(sparse.product(b.view(), c.view_mut()));
            assert_eq!(c, textbook(&a, &b));
            let [_, b] = factors::<F>(1, rows, columns);
            let mut c = Array2::from_elem([inner, columns], F::from_f64(77.0));
            assert!(sparse.transposed_product(b.view(), c.view_mut()));
            assert_eq!(c, textbook(&a.t().to_owned(), &b));
        }
    }

    proptest! {
        #[test]
        fn the_product_is_that_of_the_textbook_to_the_bit(rows in 1_usize..40, inner in 1_usize..40, columns in 1_usize..200) {
            equals_textbook::<f32>(rows, inner, columns);
            equals_textbook::<f64>(rows, inner, columns);
        }
    }

    #[test]
    fn a_dense_matrix_is_left_to_the_dense_product() {
        assert!(!Sparse::new().fill(Array2::<f32>::ones([8, 8]).view()));
        assert!(Sparse::new().fill(Array2::<f32>::eye(8).view()));
        // A quarter of 8 × 8 elements, and one more.
        let first = |count| Array2::from_shape_fn([8, 8], |(row, column)| f32::from(row * 8 + column < count));
        assert!(Sparse::new().fill(first(16).view()) && !Sparse::new().fill(first(17).view()));
    }

    #[test]
    fn what_is_not_finite_is_not_left_out() {
        let mut sparse = Sparse::new();
        assert!(sparse.fill(Array2::<f32>::zeros([2, 70]).view()));
        for (value, done) in [(1.0, true), (f32::NAN, false), (f32::NEG_INFINITY, false)] {
            for element in [[0, 0], [69, 2]] {
                let mut b = Array2::ones([70, 3]);
                b[element] = value;
                assert_eq!(sparse.product(b.view(), Array2::zeros([2, 3]).view_mut()), done, "{value} at {element:?}");
            }
        }
    }

    #[test]
    #[should_panic(expected = "as many rows as A has columns")]
    fn factors_that_do_not_fit_are_refused() {
        let mut sparse = Sparse::new();
        sparse.fill(Array2::<f32>::zeros([2, 4]).view());
        sparse.product(Array2::zeros([3, 3]).view(), Array2::zeros([2, 3]).view_mut());
    }
}
