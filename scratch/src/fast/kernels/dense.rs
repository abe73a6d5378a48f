//! Products of tiles.
//!
//! A vector of B's row is used for four rows of A, and four of them at a time, so that of 16 fused multiplications and
//! additions only 8 operands come from memory, all of them from the level 1 cache: an inner dimension of 64 makes B's tile
//! 16 kB. The order of every sum is that of the inner dimension.

use pulp::{Simd, WithSimd};

use super::rows::{Row, WIDTH};

/// Rows of C that are summed up together.
const TOGETHER: usize = 4;

/// C ← C + A·B.
pub(crate) struct Product<'a> {
    /// As many rows as C; as many columns are used as B has rows.
    pub(crate) a: &'a [Row],
    /// At most [`WIDTH`] rows.
    pub(crate) b: &'a [Row],
    pub(crate) c: &'a mut [Row],
    /// Those of B and C that matter. More may be computed.
    pub(crate) columns: usize,
}

/// C ← C + Aᵀ·B.
pub(crate) struct TransposedProduct<'a> {
    /// As many columns are used as C has rows.
    pub(crate) a: &'a [Row],
    /// As many rows as A.
    pub(crate) b: &'a [Row],
    /// At most [`WIDTH`] rows.
    pub(crate) c: &'a mut [Row],
    /// Those of B and C that matter. More may be computed.
    pub(crate) columns: usize,
}

impl Product<'_> {
    /// Computes it.
    pub(crate) fn run(self) {
        super::dispatch(self);
    }
}

impl TransposedProduct<'_> {
    /// Computes it.
    pub(crate) fn run(self) {
        super::dispatch(self);
    }
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { a, b, c, columns } = self;
        let b = &b[..b.len().min(WIDTH)];
        let (c4, c1) = c.as_chunks_mut::<TOGETHER>();
        let (a4, a1) = a.as_chunks::<TOGETHER>();
        each_strip::<S>(
            columns,
            #[inline(always)]
            |strip| {
                for (a, c) in a4.iter().zip(&mut *c4) {
                    let pairs = b.iter().enumerate().map(
                        #[inline(always)]
                        |(k, b)| ([a[0].0[k], a[1].0[k], a[2].0[k], a[3].0[k]], b),
                    );
                    strip.add(simd, pairs, c);
                }
                for (a, c) in a1.iter().zip(&mut *c1) {
                    let pairs = b.iter().enumerate().map(
                        #[inline(always)]
                        |(k, b)| ([a.0[k]], b),
                    );
                    strip.add(simd, pairs, std::array::from_mut(c));
                }
            },
        );
    }
}

impl WithSimd for TransposedProduct<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { a, b, c, columns } = self;
        let count = c.len().min(WIDTH);
        let (c4, c1) = c[..count].as_chunks_mut::<TOGETHER>();
        let first_of_rest = c4.len() * TOGETHER;
        each_strip::<S>(
            columns,
            #[inline(always)]
            |strip| {
                for (index, c) in c4.iter_mut().enumerate() {
                    let pairs = a.iter().zip(b).map(
                        #[inline(always)]
                        |(a, b)| (a.0.as_chunks::<TOGETHER>().0[index], b),
                    );
                    strip.add(simd, pairs, c);
                }
                for (index, c) in c1.iter_mut().enumerate() {
                    let pairs = a.iter().zip(b).map(
                        #[inline(always)]
                        |(a, b)| ([a.0[first_of_rest + index]], b),
                    );
                    strip.add(simd, pairs, std::array::from_mut(c));
                }
            },
        );
    }
}

/// Some vectors of each row.
#[derive(Clone, Copy)]
struct Strip {
    first: usize,
    /// 4, 2 or 1.
    vectors: usize,
}

/// Gives `each` the strips of so many columns. The widest that the registers of the instruction set hold come first.
#[inline(always)]
fn each_strip<S: Simd>(columns: usize, mut each: impl FnMut(Strip)) {
    let count = columns.min(WIDTH).div_ceil(S::F32_LANES);
    // AVX2 has half as many registers as the others.
    let most = if S::F32_LANES == 8 { 2 } else { 4 };
    let mut first = 0;
    for vectors in [4, 2, 1] {
        while vectors <= most && count - first >= vectors {
            each(Strip { first, vectors });
            first += vectors;
        }
    }
}

impl Strip {
    /// Adds to R rows of C the sum of these pairs' products.
    #[inline(always)]
    fn add<'b, S: Simd, const R: usize>(
        self,
        simd: S,
        pairs: impl Iterator<Item = ([f32; R], &'b Row)>,
        c: &mut [Row; R],
    ) {
        match self.vectors {
            4 => add::<S, R, 4>(simd, self.first, pairs, c),
            2 => add::<S, R, 2>(simd, self.first, pairs, c),
            _ => add::<S, R, 1>(simd, self.first, pairs, c),
        }
    }
}

#[inline(always)]
fn add<'b, S: Simd, const R: usize, const V: usize>(
    simd: S,
    first: usize,
    pairs: impl Iterator<Item = ([f32; R], &'b Row)>,
    c: &mut [Row; R],
) {
    let mut sums = [[simd.splat_f32s(0.0); V]; R];
    for (sums, c) in sums.iter_mut().zip(&*c) {
        sums.copy_from_slice(&S::as_simd_f32s(&c.0).0[first..first + V]);
    }
    for (a, b) in pairs {
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

/// `to` ← `from`ᵀ; `from` has at most [`WIDTH`] rows, and what `to` has more columns is not touched.
pub(crate) fn transpose(from: &[Row], to: &mut [Row]) {
    let (from4, rest) = from.as_chunks::<4>();
    for (block, rows) in from4.iter().enumerate() {
        let rows: [&[[f32; 4]]; 4] = std::array::from_fn(|row| rows[row].0.as_chunks::<4>().0);
        for (column, to) in to.as_chunks_mut::<4>().0.iter_mut().enumerate() {
            let transposed = transpose_4(rows.map(|row| row[column]));
            for (to, values) in to.iter_mut().zip(transposed) {
                to.0.as_chunks_mut::<4>().0[block] = values;
            }
        }
    }
    let first = from4.len() * 4;
    for (row, from) in rest.iter().enumerate() {
        to.iter_mut().zip(&from.0).for_each(|(to, &value)| to.0[first + row] = value);
    }
}

/// The compiler does not find these eight instructions.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn transpose_4(rows: [[f32; 4]; 4]) -> [[f32; 4]; 4] {
    use std::arch::x86_64::{__m128, _mm_movehl_ps, _mm_movelh_ps, _mm_unpackhi_ps, _mm_unpacklo_ps};
    // SAFETY: both are four numbers of 32 bits in the same order, and every bit pattern is one.
    let [a, b, c, d] = rows.map(|row| unsafe { std::mem::transmute::<[f32; 4], __m128>(row) });
    // SAFETY: SSE is part of x86-64.
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
    // SAFETY: as above.
    columns.map(|column| unsafe { std::mem::transmute::<__m128, [f32; 4]>(column) })
}

#[cfg(not(target_arch = "x86_64"))]
fn transpose_4(rows: [[f32; 4]; 4]) -> [[f32; 4]; 4] {
    std::array::from_fn(|column| std::array::from_fn(|row| rows[row][column]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fast::kernels::rows::tests::{rows, whole};

    /// Of every number of rows and columns around those that the kernels are made of.
    const SIZES: [usize; 10] = [1, 3, 4, 5, 15, 16, 17, 33, 63, 64];

    #[test]
    fn products_are_those_of_the_textbook() {
        for rows_of_a in SIZES {
            for inner in [1, 2, 63, 64] {
                for columns in SIZES {
                    let [a, b, start] = [(rows_of_a, inner), (inner, columns), (rows_of_a, columns)].map(rows);
                    let mut c = start.clone();
                    Product { a: &a, b: &b, c: &mut c, columns }.run();
                    let expected = whole(&start, columns) + whole(&a, inner).dot(&whole(&b, columns));
                    assert_eq!(whole(&c, columns), expected, "{rows_of_a} x {inner} x {columns}");
                    assert!(c.iter().all(|row| row.0[columns..].iter().all(|&value| value == 0.0)));
                }
            }
        }
    }

    #[test]
    fn transposed_products_are_those_of_the_textbook() {
        for rows_of_c in SIZES {
            for inner in [1, 2, 65] {
                for columns in SIZES {
                    let [a, b, start] = [(inner, rows_of_c), (inner, columns), (rows_of_c, columns)].map(rows);
                    let mut c = start.clone();
                    TransposedProduct { a: &a, b: &b, c: &mut c, columns }.run();
                    let expected = whole(&start, columns) + whole(&a, rows_of_c).t().dot(&whole(&b, columns));
                    assert_eq!(whole(&c, columns), expected, "{rows_of_c} x {inner} x {columns}");
                }
            }
        }
    }

    #[test]
    fn a_transposed_tile_is_that_of_the_textbook() {
        for (count, columns) in [(1, 64), (4, 3), (7, 64), (52, 64), (64, 10), (64, 64)] {
            let from = rows((count, columns));
            let mut to = [Row::ZERO; WIDTH];
            transpose(&from, &mut to);
            assert_eq!(whole(&to[..columns], count), whole(&from, columns).t(), "{count} x {columns}");
        }
    }
}
