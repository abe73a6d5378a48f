//! Products with a matrix that is mostly zeros, as images are: only its other elements are multiplied.
//!
//! Each of them costs as many loads as multiplications, since a row of the other factor is used for one element only.

use pulp::{Simd, WithSimd};

use super::rows::Row;
use super::vectorized;

/// Elements of a row that share a mask.
const MASKED: usize = u64::BITS as usize;

/// A matrix by its elements that are not zero. Its buffers are used again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sparse {
    /// Row by row, [`MASKED`] columns each: a bit for each element that is not zero.
    masks: Vec<u64>,
    by_row: Lists,
    by_column: Lists,
}

/// Lists of elements.
#[derive(Clone, Debug, Default)]
struct Lists {
    /// How long each list is.
    lengths: Vec<u32>,
    /// Room for each list.
    room: usize,
    /// Column or row, and value.
    elements: Vec<(u32, f32)>,
}

impl Lists {
    /// So many empty lists with room for so many elements each.
    fn clear(&mut self, lists: usize, room: usize) {
        self.lengths.clear();
        self.lengths.resize(lists, 0);
        self.room = room;
        self.elements.resize(self.elements.len().max(lists * room), (0, 0.0));
    }

    #[inline(always)]
    fn iter(&self) -> impl Iterator<Item = &[(u32, f32)]> {
        let room = self.elements.chunks_exact(self.room.max(1));
        self.lengths.iter().zip(room).map(
            #[inline(always)]
            |(&length, room)| &room[..length as usize],
        )
    }
}

impl Sparse {
    /// Looks which elements of these rows are not zero, for [`fill`](Self::fill), and says how many.
    pub(crate) fn find<'a, T: Copy + Default + PartialEq + 'a>(
        &mut self,
        rows: impl ExactSizeIterator<Item = &'a [T]> + Clone,
        columns: usize,
    ) -> usize {
        rows.clone().for_each(prefetch);
        self.masks.clear();
        self.masks.resize(rows.len() * columns.div_ceil(MASKED), 0);
        let masks = &mut self.masks;
        vectorized(
            #[inline(always)]
            || {
                let mut count = 0;
                for (row, masks) in rows.zip(masks.chunks_exact_mut(columns.div_ceil(MASKED))) {
                    for (elements, to) in row.chunks(MASKED).zip(masks) {
                        *to = mask(elements);
                        count += to.count_ones() as usize;
                    }
                }
                count
            },
        )
    }

    /// Takes over the elements of these rows, which are those that were looked at last; for transposed products too, where
    /// asked for. `value` is that of an element; it has to be `#[inline(always)]`, and of a zero 0.
    #[inline(always)]
    pub(crate) fn fill<'a, T: Copy + 'a>(
        &mut self,
        rows: impl ExactSizeIterator<Item = &'a [T]>,
        columns: usize,
        value: impl Fn(T) -> f32,
        for_transposed: bool,
    ) {
        let count = rows.len();
        self.by_row.clear(count, columns);
        let lists = self.by_row.lengths.iter_mut().zip(self.by_row.elements.chunks_exact_mut(columns));
        let masks = self.masks.chunks_exact(columns.div_ceil(MASKED));
        for ((row, masks), (length, list)) in rows.zip(masks).zip(lists) {
            let mut used = 0;
            for (first, &mask) in (0..).step_by(MASKED).zip(masks) {
                let mut left = mask;
                while left != 0 {
                    let column = first + left.trailing_zeros() as usize;
                    list[used] = (column as u32, value(row[column]));
                    used += 1;
                    left &= left - 1;
                }
            }
            *length = used as u32;
        }
        if for_transposed {
            self.sort_by_column(count, columns);
        }
    }

    fn sort_by_column(&mut self, rows: usize, columns: usize) {
        // Were the room a power of two, the lists would lie in few sets of the caches.
        self.by_column.clear(columns, rows | 1);
        let Lists { lengths, room, elements } = &mut self.by_column;
        for (row, list) in (0..).zip(self.by_row.iter()) {
            for &(column, value) in list {
                let length = &mut lengths[column as usize];
                elements[column as usize * *room + *length as usize] = (row, value);
                *length += 1;
            }
        }
    }
}

/// A bit for each of at most [`MASKED`] elements, set where it is not zero.
#[inline(always)]
fn mask<T: Copy + Default + PartialEq>(elements: &[T]) -> u64 {
    /// Times eight bytes that are 0 or 1, it has them as bits in its highest byte.
    const GATHER: u64 = 0x0102_0408_1020_4080;
    let (eights, rest) = elements.as_chunks::<8>();
    let mut mask = 0;
    for (index, eight) in eights.iter().enumerate() {
        let bytes = eight.map(
            #[inline(always)]
            |element| u8::from(element != T::default()),
        );
        mask |= (u64::from_le_bytes(bytes).wrapping_mul(GATHER) >> 56) << (8 * index);
    }
    for (index, &element) in (8 * eights.len()..).zip(rest) {
        mask |= u64::from(element != T::default()) << index;
    }
    mask
}

/// Asks for all of it. So memory is waited for once, and not row after row.
fn prefetch<T>(row: &[T]) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    for part in row.chunks(64 / size_of::<T>()) {
        // SAFETY: SSE is part of x86-64, and asking for a byte reads nothing.
        unsafe { std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(part.as_ptr().cast()) };
    }
}

/// C ← C + A·B.
pub(crate) struct SparseProduct<'a> {
    pub(crate) a: &'a Sparse,
    /// A row for each column of A.
    pub(crate) b: &'a [Row],
    /// A row for each row of A.
    pub(crate) c: &'a mut [Row],
}

/// Aᵀ·B, row by row.
pub(crate) struct SparseTransposedProduct<'a, E> {
    pub(crate) a: &'a Sparse,
    /// A row for each row of A.
    pub(crate) b: &'a [Row],
    /// What each sum starts from.
    pub(crate) start: &'a Row,
    /// Whether rows are left out for which A has no element.
    pub(crate) without_empty: bool,
    /// The index of the first row.
    pub(crate) first_index: usize,
    /// Gets the index of each row, and the row.
    pub(crate) each: E,
}

impl SparseProduct<'_> {
    /// Computes it.
    pub(crate) fn run(self) {
        super::dispatch(self);
    }
}

impl<E: FnMut(usize, &Row)> SparseTransposedProduct<'_, E> {
    /// Computes it. `each` has to be `#[inline(always)]`.
    pub(crate) fn run(self) {
        super::dispatch(self);
    }
}

impl WithSimd for SparseProduct<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for (list, c) in self.a.by_row.iter().zip(self.c) {
            add_rows(simd, list, self.b, c);
        }
    }
}

impl<E: FnMut(usize, &Row)> WithSimd for SparseTransposedProduct<'_, E> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        for (index, list) in (self.first_index..).zip(self.a.by_column.iter()) {
            if !(list.is_empty() && self.without_empty) {
                let mut row = *self.start;
                add_rows(simd, list, self.b, &mut row);
                (self.each)(index, &row);
            }
        }
    }
}

/// `sum` ← `sum` + the rows of `b` in the list, times their values.
#[inline(always)]
fn add_rows<S: Simd>(simd: S, list: &[(u32, f32)], b: &[Row], sum: &mut Row) {
    match S::F32_LANES {
        16 => add_vectors::<S, 4>(simd, list, b, sum),
        8 => add_vectors::<S, 8>(simd, list, b, sum),
        4 => add_vectors::<S, 16>(simd, list, b, sum),
        _ => add_vectors::<S, 64>(simd, list, b, sum),
    }
}

#[inline(always)]
fn add_vectors<S: Simd, const V: usize>(simd: S, list: &[(u32, f32)], b: &[Row], sum: &mut Row) {
    let Some(sum) = S::as_mut_simd_f32s(&mut sum.0).0.first_chunk_mut::<V>() else { return };
    let mut vectors = *sum;
    for &(row, value) in list {
        let Some(b) = S::as_simd_f32s(&b[row as usize].0).0.first_chunk::<V>() else { return };
        let value = simd.splat_f32s(value);
        for vector in 0..V {
            vectors[vector] = simd.mul_add_e_f32s(value, b[vector], vectors[vector]);
        }
    }
    *sum = vectors;
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::kernels::rows::tests::{rows, whole};

    /// A matrix in which every third element is something.
    fn bytes(count: usize, columns: usize) -> Array2<u8> {
        Array2::from_shape_fn(
            [count, columns],
            |(row, column)| if (row + 2 * column) % 3 == 0 { (row + column) as u8 } else { 0 },
        )
    }

    fn sparse(matrix: &Array2<u8>) -> Sparse {
        let mut sparse = Sparse::default();
        // What it held before does not matter.
        for matrix in [&bytes(9, 50), matrix] {
            let rows = matrix.rows().into_iter().map(|row| row.to_slice().unwrap());
            let found = sparse.find(rows.clone(), matrix.ncols());
            assert_eq!(found, matrix.iter().filter(|&&element| element != 0).count());
            sparse.fill(rows, matrix.ncols(), f32::from, true);
        }
        sparse
    }

    #[test]
    fn products_are_those_of_the_textbook() {
        for (count, columns) in [(1, 1), (5, 196), (64, 20), (70, 3)] {
            let matrix = bytes(count, columns);
            let (a, dense) = (sparse(&matrix), matrix.mapv(f32::from));
            let [b, start] = [rows((columns, 64)), rows((count, 64))];
            let mut c = start.clone();
            SparseProduct { a: &a, b: &b, c: &mut c }.run();
            assert_eq!(whole(&c, 64), whole(&start, 64) + dense.dot(&whole(&b, 64)), "{count} x {columns}");
        }
    }

    #[test]
    fn transposed_products_are_those_of_the_textbook() {
        for without_empty in [false, true] {
            let mut matrix = bytes(30, 40);
            matrix.column_mut(7).fill(0);
            let (a, b, start) = (sparse(&matrix), rows((30, 64)), rows((1, 64))[0]);
            let mut seen = Vec::new();
            let mut c = vec![start; 40];
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
            let expected = matrix.mapv(f32::from).t().dot(&whole(&b, 64)) + whole(&[start], 64).row(0);
            assert_eq!(whole(&c, 64), expected);
            assert_eq!(seen, (100..140).filter(|&index| !without_empty || index != 107).collect::<Vec<_>>());
        }
    }
}
