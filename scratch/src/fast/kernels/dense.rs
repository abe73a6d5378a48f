//! Products of dense tiles, C ← C + A·B and C ← C + Aᵀ·B, and the transposition of a tile.
//!
//! # Register blocking
//!
//! The product is computed in blocks of 4 rows by one *strip*, which is 4 vectors wide (2 with AVX2). All sums of
//! a block stay in registers while the inner dimension is traversed. For each inner index, 4 vectors of B and 4 values
//! of A are loaded and 16 fused multiply-adds are executed: 8 loads for 16 operations. The inner dimension is at
//! most 64 for `TileProduct`, so its tile of B has at most 16 KiB and stays in the L1 cache while all rows of A
//! are processed.
//!
//! # Order of summation
//!
//! Each element of C starts from its old value and adds the products in the order of the inner dimension, regardless of
//! vector length and block size.

use pulp::{Simd, WithSimd};

use super::rows::{TileRow, WIDTH};

/// Number of rows of C in a register block.
const BLOCK_ROWS: usize = 4;

/// The operation C ← C + A·B, where A is `[m, k]`, B is `[k, columns]` and C is `[m, columns]`, each one tile wide.
pub(crate) struct TileProduct<'a> {
    /// A: m rows, of which the first k columns are used.
    pub(crate) a: &'a [TileRow],
    /// B: k ≤ [`WIDTH`] rows.
    pub(crate) b: &'a [TileRow],
    /// C: m rows.
    pub(crate) c: &'a mut [TileRow],
    /// Number of columns of B and C to compute. It is rounded up to whole vectors, so padding columns may be computed
    /// too.
    pub(crate) columns: usize,
}

/// The operation C ← C + Aᵀ·B, where A is `[k, m]`, B is `[k, columns]` and C is `[m, columns]`, each one tile wide.
pub(crate) struct TransposedTileProduct<'a> {
    /// A: k rows, of which the first m columns are used.
    pub(crate) a: &'a [TileRow],
    /// B: k rows, each one tile wide.
    pub(crate) b: &'a [TileRow],
    /// C: m ≤ [`WIDTH`] rows.
    pub(crate) c: &'a mut [TileRow],
    /// Number of columns of B and C to compute. It is rounded up to whole vectors, so padding columns may be computed
    /// too.
    pub(crate) columns: usize,
}

impl TileProduct<'_> {
    /// Computes the product and adds it to C.
    pub(crate) fn run(self) {
        super::dispatch(self);
    }
}

impl TransposedTileProduct<'_> {
    /// Computes the product and adds it to C.
    pub(crate) fn run(self) {
        super::dispatch(self);
    }
}

impl WithSimd for TileProduct<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { a, b, c, columns } = self;
        let b = &b[..b.len().min(WIDTH)];
        // Blocks of four rows, and the up to three rows that are left, one by one.
        let (c_blocks, c_rest) = c.as_chunks_mut::<BLOCK_ROWS>();
        let (a_blocks, a_rest) = a.as_chunks::<BLOCK_ROWS>();
        each_strip::<S>(
            columns,
            #[inline(always)]
            |strip| {
                for (a, c) in a_blocks.iter().zip(&mut *c_blocks) {
                    let terms = b.iter().enumerate().map(
                        #[inline(always)]
                        |(k, b)| ([a[0].0[k], a[1].0[k], a[2].0[k], a[3].0[k]], b),
                    );
                    strip.add_terms(simd, terms, c);
                }
                for (a, c) in a_rest.iter().zip(&mut *c_rest) {
                    let terms = b.iter().enumerate().map(
                        #[inline(always)]
                        |(k, b)| ([a.0[k]], b),
                    );
                    strip.add_terms(simd, terms, std::array::from_mut(c));
                }
            },
        );
    }
}

impl WithSimd for TransposedTileProduct<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { a, b, c, columns } = self;
        let count = c.len().min(WIDTH);
        let (c_blocks, c_rest) = c[..count].as_chunks_mut::<BLOCK_ROWS>();
        let first_of_rest = c_blocks.len() * BLOCK_ROWS;
        each_strip::<S>(
            columns,
            #[inline(always)]
            |strip| {
                for (index, c) in c_blocks.iter_mut().enumerate() {
                    // A row of C is a column of A: four neighbouring values of each row of A.
                    let terms = a.iter().zip(b).map(
                        #[inline(always)]
                        |(a, b)| (a.0.as_chunks::<BLOCK_ROWS>().0[index], b),
                    );
                    strip.add_terms(simd, terms, c);
                }
                for (index, c) in c_rest.iter_mut().enumerate() {
                    let terms = a.iter().zip(b).map(
                        #[inline(always)]
                        |(a, b)| ([a.0[first_of_rest + index]], b),
                    );
                    strip.add_terms(simd, terms, std::array::from_mut(c));
                }
            },
        );
    }
}

/// A range of columns of a tile, measured in SIMD vectors of the instruction set in use.
#[derive(Clone, Copy)]
struct Strip {
    /// Index of the strip's first vector within a row.
    first: usize,
    /// Number of vectors: 4, 2 or 1.
    vectors: usize,
}

/// Splits the first `columns` columns into strips and calls `each` for every strip. The widest strips whose sums fit in
/// the registers of the instruction set come first.
#[inline(always)]
fn each_strip<S: Simd>(columns: usize, mut each: impl FnMut(Strip)) {
    let count = columns.min(WIDTH).div_ceil(S::F32_LANES);
    // AVX2 has 16 vector registers, AVX-512 and NEON have 32: 4 rows of 4 vectors would not leave AVX2 any for A and B.
    let widest = if S::F32_LANES == 8 { 2 } else { 4 };
    let mut first = 0;
    for vectors in [4, 2, 1] {
        while vectors <= widest && count - first >= vectors {
            each(Strip { first, vectors });
            first += vectors;
        }
    }
}

impl Strip {
    /// Adds the sum of a·b over all `terms` to this strip of R rows of C. Each term is one value of A for each of the R
    /// rows, and the row of B that they are multiplied by.
    #[inline(always)]
    fn add_terms<'b, S: Simd, const R: usize>(
        self,
        simd: S,
        terms: impl Iterator<Item = ([f32; R], &'b TileRow)>,
        c: &mut [TileRow; R],
    ) {
        // The number of vectors has to be a constant, so that the sums are an array that the compiler keeps in
        // registers.
        match self.vectors {
            4 => add_terms::<S, R, 4>(simd, self.first, terms, c),
            2 => add_terms::<S, R, 2>(simd, self.first, terms, c),
            _ => add_terms::<S, R, 1>(simd, self.first, terms, c),
        }
    }
}

/// Computes [`Strip::add_terms`] for a strip of V vectors that begins at vector `first`.
#[inline(always)]
fn add_terms<'b, S: Simd, const R: usize, const V: usize>(
    simd: S,
    first: usize,
    terms: impl Iterator<Item = ([f32; R], &'b TileRow)>,
    c: &mut [TileRow; R],
) {
    let mut sums = [[simd.splat_f32s(0.0); V]; R];
    for (sums, c) in sums.iter_mut().zip(&*c) {
        sums.copy_from_slice(&S::as_simd_f32s(&c.0).0[first..first + V]);
    }
    for (a, b) in terms {
        // Never `None`, since a strip lies within a row. Unlike an index, this gives an array of known length and no
        // panic.
        let Some(b) = S::as_simd_f32s(&b.0).0[first..].first_chunk::<V>() else { return };
        for row in 0..R {
            let a = simd.splat_f32s(a[row]);
            for vector in 0..V {
                sums[row][vector] = simd.mul_add_e_f32s(a, b[vector], sums[row][vector]);
            }
        }
    }
    for (sums, c) in sums.iter().zip(c) {
        S::as_mut_simd_f32s(&mut c.0).0[first..first + V].copy_from_slice(sums);
    }
}

/// Writes the transpose of `from` to `to`: `to[j].0[i] = from[i].0[j]` for every row i of `from` and every row j of
/// `to`. `from` has at most [`WIDTH`] rows. Columns of `to` from `from.len()` on keep their values.
///
/// The tile is transposed in blocks of 4 × 4 values.
pub(crate) fn transpose(from: &[TileRow], to: &mut [TileRow]) {
    let (row_blocks, rest) = from.as_chunks::<4>();
    for (block, rows) in row_blocks.iter().enumerate() {
        let rows: [&[[f32; 4]]; 4] = std::array::from_fn(|row| rows[row].0.as_chunks::<4>().0);
        for (column, to) in to.as_chunks_mut::<4>().0.iter_mut().enumerate() {
            let transposed = transpose_4(rows.map(|row| row[column]));
            for (to, values) in to.iter_mut().zip(transposed) {
                to.0.as_chunks_mut::<4>().0[block] = values;
            }
        }
    }
    let first = row_blocks.len() * 4;
    for (row, from) in rest.iter().enumerate() {
        to.iter_mut().zip(&from.0).for_each(|(to, &value)| to.0[first + row] = value);
    }
}

/// Transposes a block of 4 × 4 values.
///
/// Eight SSE shuffles do this in registers, but the compiler does not generate them from the portable code.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn transpose_4(rows: [[f32; 4]; 4]) -> [[f32; 4]; 4] {
    use std::arch::x86_64::{__m128, _mm_movehl_ps, _mm_movelh_ps, _mm_unpackhi_ps, _mm_unpacklo_ps};
    // SAFETY: `[f32; 4]` and `__m128` both have 16 bytes without padding, and every bit pattern is valid for both.
    let [a, b, c, d] = rows.map(|row| unsafe { std::mem::transmute::<[f32; 4], __m128>(row) });
    // SAFETY: the intrinsics need SSE, which every x86-64 processor has; they access no memory.
    let columns = unsafe {
        let [ab_low, cd_low] = [_mm_unpacklo_ps(a, b), _mm_unpacklo_ps(c, d)];
        let [ab_high, cd_high] = [_mm_unpackhi_ps(a, b), _mm_unpackhi_ps(c, d)];
        [
            _mm_movelh_ps(ab_low, cd_low),
            _mm_movehl_ps(cd_low, ab_low),
            _mm_movelh_ps(ab_high, cd_high),
            _mm_movehl_ps(cd_high, ab_high),
        ]
    };
    // SAFETY: as for the transmutation in the other direction, above.
    columns.map(|column| unsafe { std::mem::transmute::<__m128, [f32; 4]>(column) })
}

#[cfg(not(target_arch = "x86_64"))]
fn transpose_4(rows: [[f32; 4]; 4]) -> [[f32; 4]; 4] {
    std::array::from_fn(|column| std::array::from_fn(|row| rows[row][column]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fast::kernels::rows::tests::{integer_rows, to_matrix};

    /// Numbers of rows and columns just below, at and above the sizes of blocks, vectors and tiles.
    const SIZES: [usize; 10] = [1, 3, 4, 5, 15, 16, 17, 33, 63, 64];

    #[test]
    fn tile_product_matches_ndarray() {
        for rows_of_a in SIZES {
            for inner in [1, 2, 63, 64] {
                for columns in SIZES {
                    let [a, b, start] = [(rows_of_a, inner), (inner, columns), (rows_of_a, columns)].map(integer_rows);
                    let mut c = start.clone();
                    TileProduct { a: &a, b: &b, c: &mut c, columns }.run();
                    let expected = to_matrix(&start, columns) + to_matrix(&a, inner).dot(&to_matrix(&b, columns));
                    assert_eq!(to_matrix(&c, columns), expected, "{rows_of_a} x {inner} x {columns}");
                    assert!(c.iter().all(|row| row.0[columns..].iter().all(|&value| value == 0.0)));
                }
            }
        }
    }

    #[test]
    fn transposed_tile_product_matches_ndarray() {
        for rows_of_c in SIZES {
            for inner in [1, 2, 65] {
                for columns in SIZES {
                    let [a, b, start] = [(inner, rows_of_c), (inner, columns), (rows_of_c, columns)].map(integer_rows);
                    let mut c = start.clone();
                    TransposedTileProduct { a: &a, b: &b, c: &mut c, columns }.run();
                    let expected =
                        to_matrix(&start, columns) + to_matrix(&a, rows_of_c).t().dot(&to_matrix(&b, columns));
                    assert_eq!(to_matrix(&c, columns), expected, "{rows_of_c} x {inner} x {columns}");
                }
            }
        }
    }

    #[test]
    fn transpose_matches_ndarray() {
        for (count, columns) in [(1, 64), (4, 3), (7, 64), (52, 64), (64, 10), (64, 64)] {
            let from = integer_rows((count, columns));
            let mut to = [TileRow::ZERO; WIDTH];
            transpose(&from, &mut to);
            assert_eq!(to_matrix(&to[..columns], count), to_matrix(&from, columns).t(), "{count} x {columns}");
        }
    }
}
