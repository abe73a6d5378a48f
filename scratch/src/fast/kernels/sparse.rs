//! Products with a matrix that is mostly zeros, as images are: only its other elements are multiplied.
//!
//! They are listed by pairs of neighbouring columns. Where an image has something in one pixel it mostly has in the next, so
//! that what is loaded for the one serves the other: MNIST has 42 % fewer pairs than pixels that are something.
//!
//! All [`WIDTH`] columns of a tile are computed, however many matter.

use pulp::{Simd, WithSimd};

use super::pixels::{MASKED, Pixel, mask, prefetch};
use super::rows::{Row, WIDTH};

/// Columns of a pair.
const PAIR: usize = 2;

/// Rows that share lists: those of a tile stay in the level 1 cache.
const PANEL: usize = 64;

/// The pairs of a mask that are not all zero: the bit of the first column of each.
#[inline(always)]
fn pairs(mask: u64) -> u64 {
    (mask | mask >> 1) & (u64::MAX / 3)
}

/// A matrix by its elements that are not zero. Its buffers are used again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sparse<T> {
    /// Row by row, [`MASKED`] columns each: a bit for each element that is not zero.
    masks: Vec<u64>,
    columns: usize,
    /// How long the list of each pair of columns is, [`PANEL`] by [`PANEL`].
    lengths: Vec<u32>,
    /// Room for each list.
    room: usize,
    elements: Vec<Element<T>>,
}

/// What a row has in a pair of columns, not all of it zero.
#[derive(Clone, Copy, Debug, Default)]
struct Element<T> {
    /// Within its panel.
    row: u16,
    values: [T; PAIR],
}

impl<T: Pixel> Sparse<T> {
    /// Looks which elements of these rows are not zero, for [`fill`](Self::fill), and says what share of the pairs has one.
    pub(crate) fn find<'a>(&mut self, rows: impl ExactSizeIterator<Item = &'a [T]> + Clone) -> f64
    where
        T: 'a,
    {
        let all = rows.len() * rows.clone().next().map_or(0, |row| row.len().div_ceil(PAIR));
        rows.clone().for_each(prefetch);
        self.masks.clear();
        self.masks.extend(rows.flat_map(|row| row.chunks(MASKED).map(mask)));
        let found: usize = self.masks.iter().map(|&mask| pairs(mask).count_ones() as usize).sum();
        found as f64 / all as f64
    }

    /// Lists the elements of these rows, which are those that were looked at last.
    pub(crate) fn fill<'a>(&mut self, rows: impl ExactSizeIterator<Item = &'a [T]> + Clone)
    where
        T: 'a,
    {
        self.clear(rows.len(), rows.clone().next().map_or(0, <[T]>::len));
        let masks = self.masks.chunks_exact(self.columns.div_ceil(MASKED));
        for (index, (row, masks)) in rows.zip(masks).enumerate() {
            let first_list = index / PANEL * self.columns.div_ceil(PAIR);
            for (first_column, &mask) in (0..).step_by(MASKED).zip(masks) {
                let mut left = pairs(mask);
                while left != 0 {
                    let column = first_column + left.trailing_zeros() as usize;
                    let list = first_list + column / PAIR;
                    let length = &mut self.lengths[list];
                    let second = row.get(column + 1).copied().unwrap_or_default();
                    self.elements[list * self.room + *length as usize] =
                        Element { row: (index % PANEL) as u16, values: [row[column], second] };
                    *length += 1;
                    left &= left - 1;
                }
            }
        }
    }

    /// Makes room for a matrix of this shape without an element.
    fn clear(&mut self, rows: usize, columns: usize) {
        self.columns = columns;
        let lists = rows.div_ceil(PANEL) * columns.div_ceil(PAIR);
        self.lengths.clear();
        self.lengths.resize(lists, 0);
        // Were the room a power of two, the lists would lie in few sets of the caches.
        self.room = rows.min(PANEL) | 1;
        self.elements.resize(self.elements.len().max(lists * self.room), Element::default());
    }

    /// What the rows of a panel have in a pair of columns.
    #[inline(always)]
    fn list(&self, panel: usize, pair: usize) -> &[Element<T>] {
        let list = panel * self.columns.div_ceil(PAIR) + pair;
        &self.elements[list * self.room..][..self.lengths[list] as usize]
    }

    /// Whether no row has anything in a pair of columns.
    #[inline(always)]
    fn is_empty(&self, pair: usize) -> bool {
        self.lengths[pair..].iter().step_by(self.columns.div_ceil(PAIR)).all(|&length| length == 0)
    }
}

/// C ← C + A·B.
pub(crate) struct SparseProduct<'a, T> {
    pub(crate) a: &'a Sparse<T>,
    /// A row for each column of A.
    pub(crate) b: &'a [Row],
    /// A row for each row of A.
    pub(crate) c: &'a mut [Row],
}

/// Aᵀ·B, row by row.
pub(crate) struct SparseTransposedProduct<'a, T, E> {
    pub(crate) a: &'a Sparse<T>,
    /// A row for each row of A.
    pub(crate) b: &'a [Row],
    /// What each sum starts from.
    pub(crate) start: &'a Row,
    /// Whether rows may be left out for which A has no element.
    pub(crate) without_empty: bool,
    /// The index of the first row.
    pub(crate) first_index: usize,
    /// Gets the index of each row, and the row.
    pub(crate) each: E,
}

impl<T: Pixel> SparseProduct<'_, T> {
    /// Computes it.
    pub(crate) fn run(self) {
        super::dispatch(Kernel(self));
    }
}

impl<T: Pixel> ByStrips for SparseProduct<'_, T> {
    /// Registers hold B's two rows, and C stays in the level 1 cache.
    #[inline(always)]
    fn by_strips<S: Simd, const V: usize>(self, simd: S) {
        for (panel, c) in self.c.chunks_mut(PANEL).enumerate() {
            for (pair, b) in self.b.chunks(PAIR).enumerate() {
                let list = self.a.list(panel, pair);
                let [first, second] = [&b[0], b.get(1).unwrap_or(&Row::ZERO)];
                for strip in 0..WIDTH / (V * S::F32_LANES) {
                    let [first, second] = [*vectors::<S, V>(first, strip), *vectors::<S, V>(second, strip)];
                    for element in list {
                        let sums = vectors_mut::<S, V>(&mut c[usize::from(element.row)], strip);
                        let [x, y] = splat(simd, element);
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

impl<T: Pixel, E: FnMut(usize, &Row)> SparseTransposedProduct<'_, T, E> {
    /// Computes it. `each` has to be `#[inline(always)]`.
    pub(crate) fn run(self) {
        super::dispatch(Kernel(self));
    }
}

impl<T: Pixel, E: FnMut(usize, &Row)> ByStrips for SparseTransposedProduct<'_, T, E> {
    /// Registers hold the two sums.
    #[inline(always)]
    fn by_strips<S: Simd, const V: usize>(mut self, simd: S) {
        let mut rows = [Row::ZERO; PAIR];
        for (pair, column) in (0..self.a.columns).step_by(PAIR).enumerate() {
            if self.without_empty && self.a.is_empty(pair) {
                continue;
            }
            for strip in 0..WIDTH / (V * S::F32_LANES) {
                let mut sums = [*vectors::<S, V>(self.start, strip); PAIR];
                let [first, second] = &mut sums;
                for (panel, b) in self.b.chunks(PANEL).enumerate() {
                    for element in self.a.list(panel, pair) {
                        let b = vectors::<S, V>(&b[usize::from(element.row)], strip);
                        let [x, y] = splat(simd, element);
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
            for (column, row) in (column..self.a.columns).zip(&rows) {
                (self.each)(self.first_index + column, row);
            }
        }
    }
}

/// What is computed for V vectors of each row at a time.
trait ByStrips {
    fn by_strips<S: Simd, const V: usize>(self, simd: S);
}

/// As many vectors at a time as the registers of the instruction set hold beside what they are multiplied by.
struct Kernel<P>(P);

impl<P: ByStrips> WithSimd for Kernel<P> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match S::F32_LANES {
            16 | 8 => self.0.by_strips::<S, 4>(simd),
            4 => self.0.by_strips::<S, 8>(simd),
            _ => self.0.by_strips::<S, 64>(simd),
        }
    }
}

/// Each value in all places of a vector.
#[inline(always)]
fn splat<S: Simd, T: Pixel>(simd: S, element: &Element<T>) -> [S::f32s; PAIR] {
    element.values.map(
        #[inline(always)]
        |value| simd.splat_f32s(value.value()),
    )
}

/// A strip of V vectors.
#[inline(always)]
fn vectors<S: Simd, const V: usize>(row: &Row, strip: usize) -> &[S::f32s; V] {
    &S::as_simd_f32s(&row.0).0.as_chunks().0[strip]
}

/// Likewise.
#[inline(always)]
fn vectors_mut<S: Simd, const V: usize>(row: &mut Row, strip: usize) -> &mut [S::f32s; V] {
    &mut S::as_mut_simd_f32s(&mut row.0).0.as_chunks_mut().0[strip]
}

#[cfg(test)]
mod tests {
    use mlp_parity::Dataset;
    use ndarray::Array2;

    use super::*;
    use crate::fast::kernels::rows::tests::{rows, whole};

    /// A matrix in which every third element is something.
    fn bytes(count: usize, columns: usize) -> Array2<u8> {
        Array2::from_shape_fn(
            [count, columns],
            |(row, column)| if (row + 2 * column) % 3 == 0 { (row + column) as u8 } else { 0 },
        )
    }

    fn sparse<T: Pixel>(matrix: &Array2<T>, before: &Array2<T>) -> Sparse<T> {
        let mut sparse = Sparse::default();
        // What it held before does not matter.
        for matrix in [before, matrix] {
            let rows = matrix.rows().into_iter().map(|row| row.to_slice().unwrap());
            let pairs: Vec<_> = rows.clone().flat_map(|row| row.chunks(PAIR)).collect();
            let found = pairs.iter().filter(|pair| pair.iter().any(|&element| element != T::default())).count();
            assert_eq!(sparse.find(rows.clone()), found as f64 / pairs.len() as f64);
            sparse.fill(rows);
        }
        sparse
    }

    #[test]
    fn products_are_those_of_the_textbook() {
        for (count, columns) in [(1, 1), (5, 196), (64, 21), (130, 3)] {
            let matrix = bytes(count, columns);
            let dense = matrix.mapv(f32::from);
            let a = sparse(&dense, &bytes(9, 50).mapv(f32::from));
            let [b, start] = [rows((columns, 64)), rows((count, 64))];
            let mut c = start.clone();
            SparseProduct { a: &a, b: &b, c: &mut c }.run();
            assert_eq!(whole(&c, 64), whole(&start, 64) + dense.dot(&whole(&b, 64)), "{count} x {columns}");
        }
    }

    #[test]
    fn transposed_products_are_those_of_the_textbook() {
        for (count, columns, without_empty) in [(30, 40, false), (30, 40, true), (130, 41, true)] {
            let mut matrix = bytes(count, columns);
            // One pair of columns, and half of another.
            [6, 7, 9].into_iter().for_each(|column| matrix.column_mut(column).fill(0));
            let matrix = matrix.mapv(f32::from);
            let (a, b, start) = (sparse(&matrix, &bytes(9, 50).mapv(f32::from)), rows((count, 64)), rows((1, 64))[0]);
            let mut seen = Vec::new();
            let mut c = vec![start; columns];
            SparseTransposedProduct {
                a: &a,
                b: &b,
                start: &start,
                without_empty,
                first_index: 100,
                each: |index: usize, row: &Row| {
                    seen.push(index);
                    c[index - 100] = *row;
                },
            }
            .run();
            let expected = matrix.t().dot(&whole(&b, 64)) + whole(&[start], 64).row(0);
            assert_eq!(whole(&c, 64), expected, "{count} x {columns}");
            let left_out = |column| without_empty && [6, 7].contains(&column);
            let all = (0..columns).filter(|&column| !left_out(column)).map(|column| 100 + column);
            assert_eq!(seen, all.collect::<Vec<_>>());
        }
    }

    #[test]
    fn bytes_stand_for_their_values() {
        let bytes = Array2::from_shape_fn([3, 256], |(_, column)| column as u8);
        let values = bytes.mapv(Dataset::value);
        let (of_bytes, of_values) = (sparse(&bytes, &bytes), sparse(&values, &values));
        let b = rows((256, 64));
        let mut products = [vec![Row::ZERO; 3], vec![Row::ZERO; 3]];
        let [first, second] = &mut products;
        SparseProduct { a: &of_bytes, b: &b, c: first }.run();
        SparseProduct { a: &of_values, b: &b, c: second }.run();
        assert_eq!(products[0], products[1]);
        assert_ne!(products[0], vec![Row::ZERO; 3]);
    }
}
