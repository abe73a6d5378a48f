//! How matrices lie in memory: in tiles of 64 columns, each row by row in one piece.
//!
//! In a whole matrix, the rows of such a tile would each lie on another page, with a stride that is often a power of two,
//! and their vectors across cache lines. So no kernel has to pack anything, and 64 × 64 values fit the level 1 cache.

use std::ops::Range;

/// Columns of a tile.
pub(crate) const WIDTH: usize = 64;

/// A row of a tile; none of its vectors lies in two cache lines. What it has more than the matrix is zero.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C, align(64))]
pub(crate) struct Row(pub(crate) [f32; WIDTH]);

impl Row {
    pub(crate) const ZERO: Self = Self([0.0; WIDTH]);

    /// These values, and zeros.
    pub(crate) fn from_values<'a>(values: impl IntoIterator<Item = &'a f32>) -> Self {
        let mut row = Self::ZERO;
        row.0.iter_mut().zip(values).for_each(|(to, &from)| *to = from);
        row
    }

    /// Adds 0·x, which is 0 for a finite x and NaN for any other: what is left of the zeros that a sparse product skips.
    #[inline(always)]
    pub(crate) fn add_zero_times(&mut self, row: &Self) {
        for (zero, value) in self.0.iter_mut().zip(&row.0) {
            *zero += 0.0 * value;
        }
    }

    #[inline(always)]
    pub(crate) fn add(&mut self, row: &Self) {
        for (sum, value) in self.0.iter_mut().zip(&row.0) {
            *sum += value;
        }
    }
}

/// The columns of each tile of a matrix.
pub(crate) fn tiles(columns: usize) -> impl ExactSizeIterator<Item = Range<usize>> {
    (0..columns).step_by(WIDTH).map(move |first| first..columns.min(first + WIDTH))
}

#[cfg(test)]
pub(super) mod tests {
    use ndarray::Array2;

    use super::*;

    /// Whole numbers from −4 to 4: every product and sum of them is exact, so that equality means equality.
    pub(in crate::fast::kernels) fn rows((count, columns): (usize, usize)) -> Vec<Row> {
        let value = |index: usize| ((index * 7919 + count * 31 + columns) % 1009 % 9) as f32 - 4.0;
        let row =
            |row: usize| std::array::from_fn(|column| if column < columns { value(row * 64 + column) } else { 0.0 });
        (0..count).map(|index| Row(row(index))).collect()
    }

    /// The first columns as a matrix.
    pub(in crate::fast::kernels) fn whole(rows: &[Row], columns: usize) -> Array2<f32> {
        Array2::from_shape_fn([rows.len(), columns], |(row, column)| rows[row].0[column])
    }

    #[test]
    fn the_last_tile_has_what_is_left() {
        assert_eq!(tiles(130).collect::<Vec<_>>(), [0..64, 64..128, 128..130]);
        assert_eq!((tiles(64).len(), tiles(0).len()), (1, 0));
    }

    #[test]
    fn zero_times_a_row_is_zero_where_it_is_finite() {
        let mut zeros = Row::ZERO;
        zeros.add_zero_times(&Row([f32::MAX; WIDTH]));
        assert_eq!(zeros, Row::ZERO);
        for value in [f32::NAN, f32::NEG_INFINITY] {
            let (mut zeros, mut row) = (Row::ZERO, Row::ZERO);
            row.0[63] = value;
            zeros.add_zero_times(&row);
            assert!(zeros.0[63].is_nan() && zeros.0[..63].iter().all(|&zero| zero == 0.0));
        }
    }
}
