//! Products with a sparse matrix of pixels, C ← C + A·B and Aᵀ·B. Only the non-zero pixels of A are multiplied.
//!
//! # Storage
//!
//! The columns of A are taken in *pairs* (0 and 1, 2 and 3, …) and its rows in *panels* of 64. For each panel and each
//! pair there is a list of the rows in which at least one pixel of the pair is non-zero, with the values of both
//! pixels. Lists are sorted by row.
//!
//! Storing pairs instead of single pixels pays off because in an image the neighbour of a non-zero pixel is mostly
//! non-zero too: both pixels then share one list entry, and one load and store of the row of C or one load of the row
//! of B. In MNIST the number of non-zero pairs is 42 % lower than the number of non-zero pixels.
//!
//! # Order of summation
//!
//! A·B adds the products in the order of the columns of A, Aᵀ·B in the order of its rows, with every instruction set.
//! Products with zero are skipped, unless the zero is paired with a non-zero pixel. All 64 columns of a tile are
//! computed, padding included.

use pulp::{Simd, WithSimd};

use super::pixels::{MASK_BITS, Pixel, mask, prefetch};
use super::rows::{TileRow, WIDTH};

/// Number of columns of A in a pair.
const PAIR: usize = 2;

/// Number of rows of A in a panel. The 64 rows of C or B that belong to a panel occupy 16 KiB and stay in the level 1
/// cache.
const PANEL: usize = 64;

/// Returns a mask of the non-zero pairs of columns, given the `mask` of the non-zero columns. Each pair is represented
/// by the bit of its first column.
#[inline(always)]
fn pairs(mask: u64) -> u64 {
    // u64::MAX / 3 is 0101…01 in binary: it selects the even bits, into which the odd ones are shifted.
    (mask | mask >> 1) & (u64::MAX / 3)
}

/// A sparse matrix in the format described in the [module documentation](self). Buffers are reused when it is filled
/// again.
#[derive(Clone, Debug, Default)]
pub(crate) struct SparseMatrix<T> {
    /// Masks of the non-zero elements, one bit per column and ⌈columns / 64⌉ masks per row, row by row.
    masks: Vec<u64>,
    /// Number of columns.
    columns: usize,
    /// Number of entries in the list of each pair of columns, panel by panel.
    list_lengths: Vec<u32>,
    /// Distance between the starts of consecutive lists in `entries`, at least the length of any list.
    list_stride: usize,
    /// Entries of all lists, in the order of `list_lengths`. Elements after the last entry of a list are unused.
    entries: Vec<PairEntry<T>>,
}

/// The two elements of a row in a pair of columns, at least one of them non-zero.
#[derive(Clone, Copy, Debug, Default)]
struct PairEntry<T> {
    /// Index of the row within its panel.
    row: u16,
    /// Values in the first and the second column of the pair.
    values: [T; PAIR],
}

impl<T: Pixel> SparseMatrix<T> {
    /// Finds the non-zero elements of the matrix with these rows and returns the fraction of pairs that are non-zero.
    /// The elements themselves are not stored until [`fill`](Self::fill) is called with the same rows.
    pub(crate) fn scan<'a>(&mut self, rows: impl ExactSizeIterator<Item = &'a [T]> + Clone) -> f64
    where
        T: 'a,
    {
        let total = rows.len() * rows.clone().next().map_or(0, |row| row.len().div_ceil(PAIR));
        // All rows at once, so that the loop below does not wait for memory at every row.
        rows.clone().for_each(prefetch);
        self.masks.clear();
        self.masks.extend(rows.flat_map(|row| row.chunks(MASK_BITS).map(mask)));
        let non_zero: usize = self.masks.iter().map(|&mask| pairs(mask).count_ones() as usize).sum();
        non_zero as f64 / total as f64
    }

    /// Replaces the matrix by the one with these rows, which must be the rows of the last [`scan`](Self::scan).
    pub(crate) fn fill<'a>(&mut self, rows: impl ExactSizeIterator<Item = &'a [T]> + Clone)
    where
        T: 'a,
    {
        self.clear(rows.len(), rows.clone().next().map_or(0, <[T]>::len));
        let masks = self.masks.chunks_exact(self.columns.div_ceil(MASK_BITS));
        for (index, (row, masks)) in rows.zip(masks).enumerate() {
            let first_list = index / PANEL * self.columns.div_ceil(PAIR);
            for (first_column, &mask) in (0..).step_by(MASK_BITS).zip(masks) {
                // Visits only the set bits: `remaining & (remaining - 1)` clears the lowest one.
                let mut remaining = pairs(mask);
                while remaining != 0 {
                    let column = first_column + remaining.trailing_zeros() as usize;
                    let list = first_list + column / PAIR;
                    let length = &mut self.list_lengths[list];
                    // If the number of columns is odd, the last pair has no second column.
                    let second = row.get(column + 1).copied().unwrap_or_default();
                    self.entries[list * self.list_stride + *length as usize] =
                        PairEntry { row: (index % PANEL) as u16, values: [row[column], second] };
                    *length += 1;
                    remaining &= remaining - 1;
                }
            }
        }
    }

    /// Empties all lists and makes room for a matrix of `rows` rows and `columns` columns.
    fn clear(&mut self, rows: usize, columns: usize) {
        self.columns = columns;
        let lists = rows.div_ceil(PANEL) * columns.div_ceil(PAIR);
        self.list_lengths.clear();
        self.list_lengths.resize(lists, 0);
        // An odd stride: with a power of two, the starts of the lists would fall into few sets of the caches.
        self.list_stride = rows.min(PANEL) | 1;
        self.entries.resize(self.entries.len().max(lists * self.list_stride), PairEntry::default());
    }

    /// Returns the list of a pair of columns in a panel of rows.
    #[inline(always)]
    fn list(&self, panel: usize, pair: usize) -> &[PairEntry<T>] {
        let list = panel * self.columns.div_ceil(PAIR) + pair;
        &self.entries[list * self.list_stride..][..self.list_lengths[list] as usize]
    }

    /// Returns true if both columns of a pair are zero in all rows.
    #[inline(always)]
    fn is_empty(&self, pair: usize) -> bool {
        self.list_lengths[pair..].iter().step_by(self.columns.div_ceil(PAIR)).all(|&length| length == 0)
    }
}

/// The operation C ← C + A·B for a sparse matrix A and one tile of B and C.
pub(crate) struct SparseProduct<'a, T> {
    /// A, `[m, k]`.
    pub(crate) a: &'a SparseMatrix<T>,
    /// B: k rows, one for each column of A.
    pub(crate) b: &'a [TileRow],
    /// C: m rows, one for each row of A.
    pub(crate) c: &'a mut [TileRow],
}

/// The operation Aᵀ·B for a sparse matrix A and one tile of B. The rows of the result are not stored, but passed to a
/// closure.
pub(crate) struct SparseTransposedProduct<'a, T, E> {
    /// A, `[k, m]`.
    pub(crate) a: &'a SparseMatrix<T>,
    /// B: k rows, one for each row of A.
    pub(crate) b: &'a [TileRow],
    /// Initial value of every row of the result.
    pub(crate) start: &'a TileRow,
    /// If true, rows of the result that belong to an empty pair of columns of A are skipped: the closure is not called.
    pub(crate) skip_empty_pairs: bool,
    /// Offset that is added to each row index before it is passed to the closure.
    pub(crate) first_index: usize,
    /// Closure that is called with the index and the values of each row of the result, in order.
    pub(crate) visit: E,
}

impl<T: Pixel> SparseProduct<'_, T> {
    /// Computes the product and adds it to C.
    pub(crate) fn run(self) {
        super::dispatch(StripDispatch(self));
    }
}

impl<T: Pixel> StripKernel for SparseProduct<'_, T> {
    /// Traverses the lists of a panel one after the other. The two rows of B that belong to the list stay in registers;
    /// the rows of C are loaded and stored for each entry, from the level 1 cache.
    #[inline(always)]
    fn run_strips<S: Simd, const V: usize>(self, simd: S) {
        for (panel, c) in self.c.chunks_mut(PANEL).enumerate() {
            for (pair, b) in self.b.chunks(PAIR).enumerate() {
                let list = self.a.list(panel, pair);
                let [first, second] = [&b[0], b.get(1).unwrap_or(&TileRow::ZERO)];
                for strip in 0..WIDTH / (V * S::F32_LANES) {
                    let [first, second] = [*vectors::<S, V>(first, strip), *vectors::<S, V>(second, strip)];
                    for entry in list {
                        let sums = vectors_mut::<S, V>(&mut c[usize::from(entry.row)], strip);
                        let [x, y] = splat(simd, entry);
                        for vector in 0..V {
                            let sum = simd.mul_add_e_f32s(x, first[vector], sums[vector]);
                            sums[vector] = simd.mul_add_e_f32s(y, second[vector], sum);
                        }
                    }
                }
            }
        }
    }
}

impl<T: Pixel, E: FnMut(usize, &TileRow)> SparseTransposedProduct<'_, T, E> {
    /// Computes the product and passes its rows to the closure, which must be `#[inline(always)]` to be compiled for
    /// the instruction set in use.
    pub(crate) fn run(self) {
        super::dispatch(StripDispatch(self));
    }
}

impl<T: Pixel, E: FnMut(usize, &TileRow)> StripKernel for SparseTransposedProduct<'_, T, E> {
    /// Computes two rows of the result at a time. Their sums stay in registers while the lists of the pair are
    /// traversed in all panels; for each entry, one row of B is loaded.
    #[inline(always)]
    fn run_strips<S: Simd, const V: usize>(mut self, simd: S) {
        let mut rows = [TileRow::ZERO; PAIR];
        for (pair, column) in (0..self.a.columns).step_by(PAIR).enumerate() {
            if self.skip_empty_pairs && self.a.is_empty(pair) {
                continue;
            }
            for strip in 0..WIDTH / (V * S::F32_LANES) {
                let mut sums = [*vectors::<S, V>(self.start, strip); PAIR];
                let [first, second] = &mut sums;
                for (panel, b) in self.b.chunks(PANEL).enumerate() {
                    for entry in self.a.list(panel, pair) {
                        let b = vectors::<S, V>(&b[usize::from(entry.row)], strip);
                        let [x, y] = splat(simd, entry);
                        for vector in 0..V {
                            first[vector] = simd.mul_add_e_f32s(x, b[vector], first[vector]);
                            second[vector] = simd.mul_add_e_f32s(y, b[vector], second[vector]);
                        }
                    }
                }
                for (row, sums) in rows.iter_mut().zip(sums) {
                    *vectors_mut::<S, V>(row, strip) = sums;
                }
            }
            // If the number of columns is odd, the range ends before the second row of the last pair.
            for (column, row) in (column..self.a.columns).zip(&rows) {
                (self.visit)(self.first_index + column, row);
            }
        }
    }
}

/// A kernel that processes a tile in strips of V vectors of columns.
trait StripKernel {
    /// Runs the kernel. V times the number of lanes of a vector must divide [`WIDTH`].
    fn run_strips<S: Simd, const V: usize>(self, simd: S);
}

/// Runs a [`StripKernel`] with the number of vectors per strip that suits the registers of the instruction set: two
/// rows of a strip have to fit, beside the operands of the other matrix.
struct StripDispatch<K>(K);

impl<K: StripKernel> WithSimd for StripDispatch<K> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match S::F32_LANES {
            16 | 8 => self.0.run_strips::<S, 4>(simd),
            4 => self.0.run_strips::<S, 8>(simd),
            // No vectors: one strip of the whole width, so that lists are traversed once.
            _ => self.0.run_strips::<S, 64>(simd),
        }
    }
}

/// Returns, for each of the two values of an entry, a vector that holds this value in every lane.
#[inline(always)]
fn splat<S: Simd, T: Pixel>(simd: S, entry: &PairEntry<T>) -> [S::f32s; PAIR] {
    entry.values.map(
        #[inline(always)]
        |value| simd.splat_f32s(value.value()),
    )
}

/// Returns the V vectors of strip number `strip` of `row`.
#[inline(always)]
fn vectors<S: Simd, const V: usize>(row: &TileRow, strip: usize) -> &[S::f32s; V] {
    &S::as_simd_f32s(&row.0).0.as_chunks().0[strip]
}

/// Returns the V vectors of strip number `strip` of `row`, mutably.
#[inline(always)]
fn vectors_mut<S: Simd, const V: usize>(row: &mut TileRow, strip: usize) -> &mut [S::f32s; V] {
    &mut S::as_mut_simd_f32s(&mut row.0).0.as_chunks_mut().0[strip]
}

#[cfg(test)]
mod tests {
    use mlp_parity::Dataset;
    use ndarray::Array2;

    use super::*;
    use crate::fast::kernels::rows::tests::{integer_rows, to_matrix};

    /// Creates a matrix of bytes in which every third element is not zero.
    fn bytes(count: usize, columns: usize) -> Array2<u8> {
        Array2::from_shape_fn(
            [count, columns],
            |(row, column)| if (row + 2 * column) % 3 == 0 { (row + column) as u8 } else { 0 },
        )
    }

    /// Converts `matrix`, after `previous` was stored in the same buffers, and checks the density that `scan` returns.
    fn sparse<T: Pixel>(matrix: &Array2<T>, previous: &Array2<T>) -> SparseMatrix<T> {
        let mut sparse = SparseMatrix::default();
        for matrix in [previous, matrix] {
            let rows = matrix.rows().into_iter().map(|row| row.to_slice().unwrap());
            let pairs: Vec<_> = rows.clone().flat_map(|row| row.chunks(PAIR)).collect();
            let non_zero = pairs.iter().filter(|pair| pair.iter().any(|&element| element != T::default())).count();
            assert_eq!(sparse.scan(rows.clone()), non_zero as f64 / pairs.len() as f64);
            sparse.fill(rows);
        }
        sparse
    }

    #[test]
    fn sparse_product_matches_ndarray() {
        for (count, columns) in [(1, 1), (5, 196), (64, 21), (130, 3)] {
            let matrix = bytes(count, columns);
            let dense = matrix.mapv(f32::from);
            let a = sparse(&dense, &bytes(9, 50).mapv(f32::from));
            let [b, start] = [integer_rows((columns, 64)), integer_rows((count, 64))];
            let mut c = start.clone();
            SparseProduct { a: &a, b: &b, c: &mut c }.run();
            let expected = to_matrix(&start, 64) + dense.dot(&to_matrix(&b, 64));
            assert_eq!(to_matrix(&c, 64), expected, "{count} x {columns}");
        }
    }

    #[test]
    fn sparse_transposed_product_matches_ndarray() {
        for (count, columns, skip_empty_pairs) in [(30, 40, false), (30, 40, true), (130, 41, true)] {
            let mut matrix = bytes(count, columns);
            // Columns 6 and 7 are an empty pair. Column 9 is empty, but not its neighbour, so that the pair is not.
            [6, 7, 9].into_iter().for_each(|column| matrix.column_mut(column).fill(0));
            let matrix = matrix.mapv(f32::from);
            let a = sparse(&matrix, &bytes(9, 50).mapv(f32::from));
            let (b, start) = (integer_rows((count, 64)), integer_rows((1, 64))[0]);
            let mut visited = Vec::new();
            let mut c = vec![start; columns];
            SparseTransposedProduct {
                a: &a,
                b: &b,
                start: &start,
                skip_empty_pairs,
                first_index: 100,
                visit: |index: usize, row: &TileRow| {
                    visited.push(index);
                    c[index - 100] = *row;
                },
            }
            .run();
            let expected = matrix.t().dot(&to_matrix(&b, 64)) + to_matrix(&[start], 64).row(0);
            assert_eq!(to_matrix(&c, 64), expected, "{count} x {columns}");
            let is_skipped = |column| skip_empty_pairs && [6, 7].contains(&column);
            let expected = (0..columns).filter(|&column| !is_skipped(column)).map(|column| 100 + column);
            assert_eq!(visited, expected.collect::<Vec<_>>());
        }
    }

    #[test]
    fn sparse_product_scales_bytes_like_dataset() {
        let bytes = Array2::from_shape_fn([3, 256], |(_, column)| column as u8);
        let values = bytes.mapv(Dataset::scale_pixel);
        let (byte_matrix, float_matrix) = (sparse(&bytes, &bytes), sparse(&values, &values));
        let b = integer_rows((256, 64));
        let mut products = [vec![TileRow::ZERO; 3], vec![TileRow::ZERO; 3]];
        let [first, second] = &mut products;
        SparseProduct { a: &byte_matrix, b: &b, c: first }.run();
        SparseProduct { a: &float_matrix, b: &b, c: second }.run();
        assert_eq!(products[0], products[1]);
        assert_ne!(products[0], vec![TileRow::ZERO; 3]);
    }
}
