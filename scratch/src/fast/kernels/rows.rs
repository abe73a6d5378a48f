//! The memory layout of every matrix: tiles of 64 columns, each stored as one contiguous array of rows.
//!
//! A matrix of n columns is cut into ⌈n / 64⌉ tiles. Row i of a tile holds 64 consecutive `f32` values (256 bytes, four
//! cache lines) and is followed directly by row i + 1. The last tile is padded with zeros on the right.
//!
//! In a conventional row-major matrix, consecutive rows of such a tile would be a whole matrix row apart. That stride
//! is often a power of two, so the rows would compete for the same few cache sets, each would lie on another page, and
//! most vectors would straddle two cache lines. With this layout the kernels need not pack their operands, and a tile
//! of 64 × 64 values (16 KiB) fits in the level 1 data cache.

use std::ops::Range;

/// Number of columns of a tile, and of values in a row of it.
pub(crate) const WIDTH: usize = 64;

/// One row of a tile: 64 values, zero beyond the last column of the matrix.
///
/// The alignment of 64 bytes is that of a cache line and of an AVX-512 register, so no vector of a row straddles two
/// cache lines.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C, align(64))]
pub(crate) struct TileRow(pub(crate) [f32; WIDTH]);

impl TileRow {
    /// A row of zeros.
    pub(crate) const ZERO: Self = Self([0.0; WIDTH]);

    /// Creates a row from at most [`WIDTH`] values and pads it with zeros.
    pub(crate) fn from_values<'a>(values: impl IntoIterator<Item = &'a f32>) -> Self {
        let mut row = Self::ZERO;
        row.0.iter_mut().zip(values).for_each(|(to, &from)| *to = from);
        row
    }

    /// Adds 0·x to every element of this row, where x is the element of `row` in the same column: 0 if x is finite, NaN
    /// if x is infinite or NaN.
    ///
    /// A sparse product skips the products with zero, and with them the NaN that 0·∞ and 0·NaN would contribute. The
    /// sum computed here is added to its result so that NaN still propagates.
    #[inline(always)]
    pub(crate) fn add_zero_times(&mut self, row: &Self) {
        for (zero, value) in self.0.iter_mut().zip(&row.0) {
            *zero += 0.0 * value;
        }
    }

    /// Adds `row` to this row, element by element.
    #[inline(always)]
    pub(crate) fn add(&mut self, row: &Self) {
        for (sum, value) in self.0.iter_mut().zip(&row.0) {
            *sum += value;
        }
    }
}

/// Returns the range of columns of each tile of a matrix with `columns` columns. The last range may be shorter than
/// [`WIDTH`].
pub(crate) fn tiles(columns: usize) -> impl ExactSizeIterator<Item = Range<usize>> {
    (0..columns).step_by(WIDTH).map(move |first| first..columns.min(first + WIDTH))
}

#[cfg(test)]
pub(super) mod tests {
    use ndarray::Array2;

    use super::*;

    /// Creates `count` rows whose first `columns` values are integers from −4 to 4. All products and sums of such
    /// values are exact, so that tests can compare results with `==`.
    pub(in crate::fast::kernels) fn integer_rows((count, columns): (usize, usize)) -> Vec<TileRow> {
        let value = |index: usize| ((index * 7919 + count * 31 + columns) % 1009 % 9) as f32 - 4.0;
        let row =
            |row: usize| std::array::from_fn(|column| if column < columns { value(row * 64 + column) } else { 0.0 });
        (0..count).map(|index| TileRow(row(index))).collect()
    }

    /// Returns the first `columns` columns of `rows` as an ndarray matrix.
    pub(in crate::fast::kernels) fn to_matrix(rows: &[TileRow], columns: usize) -> Array2<f32> {
        Array2::from_shape_fn([rows.len(), columns], |(row, column)| rows[row].0[column])
    }

    #[test]
    fn tiles_cover_all_columns() {
        assert_eq!(tiles(130).collect::<Vec<_>>(), [0..64, 64..128, 128..130]);
        assert_eq!((tiles(64).len(), tiles(0).len()), (1, 0));
    }

    #[test]
    fn tile_row_add_zero_times_propagates_non_finite_values() {
        let mut zeros = TileRow::ZERO;
        zeros.add_zero_times(&TileRow([f32::MAX; WIDTH]));
        assert_eq!(zeros, TileRow::ZERO);
        for value in [f32::NAN, f32::NEG_INFINITY] {
            let (mut zeros, mut row) = (TileRow::ZERO, TileRow::ZERO);
            row.0[63] = value;
            zeros.add_zero_times(&row);
            assert!(zeros.0[63].is_nan() && zeros.0[..63].iter().all(|&zero| zero == 0.0));
        }
    }
}
