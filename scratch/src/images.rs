//! The images of a step as the first layer multiplies them.

use std::ops::Range;

use mlp_parity::Dataset;

use crate::kernels::{
    Pool, Product, Row, Sparse, SparseProduct, SparseTransposedProduct, TransposedProduct, WIDTH, tiles, vectorized,
};

/// Pixels of a block: a multiple of [`WIDTH`]. Their rows of a tile of W¹ are 32 kB, and stay in the caches for all
/// images.
const BLOCK: usize = 128;

/// Up to this share of pixels that are not background, a block is multiplied as a sparse matrix.
const SPARSE: f64 = 0.5;

/// Images of which a product of tiles takes so many at once: their rows stay in the level 1 cache.
pub(crate) const TOGETHER: usize = 64;

/// Images, wherever they are.
#[derive(Clone, Copy)]
pub(crate) enum Images<'a> {
    /// One after the other, with so many pixels each.
    Rows(&'a [f32], usize),
    /// Those of a data set with these indices.
    Of(&'a Dataset, &'a [usize]),
}

impl Images<'_> {
    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        match self {
            Self::Rows(images, width) => images.len() / width,
            Self::Of(_, indices) => indices.len(),
        }
    }
}

/// Some pixels of all images.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pixels: Range<usize>,
    /// Those that are not background.
    sparse: Sparse,
    /// Whether there are few enough of them; else all pixels are in `dense`.
    is_sparse: bool,
    /// Tile after tile, a row for each image.
    dense: Vec<Row>,
    images: usize,
}

impl Block {
    /// The blocks of images with so many pixels, without an image.
    pub(crate) fn all(pixels: usize) -> Vec<Self> {
        let blocks = (0..pixels).step_by(BLOCK).map(|first| first..pixels.min(first + BLOCK));
        let empty = |pixels| Self { pixels, sparse: Sparse::default(), is_sparse: true, dense: Vec::new(), images: 0 };
        blocks.map(empty).collect()
    }

    /// Takes over the pixels of these images.
    pub(crate) fn read(blocks: &mut [Self], images: &Images<'_>, pool: &Pool) {
        let values: [f32; 256] = std::array::from_fn(|pixel| Dataset::value(pixel as u8));
        let mut nothing = vec![(); blocks.len()];
        pool.for_each(blocks, &mut nothing, |_, block, ()| {
            let pixels = block.pixels.clone();
            match images {
                Images::Rows(images, width) => block.fill(
                    images.chunks_exact(*width).map(|image| &image[pixels.clone()]),
                    #[inline(always)]
                    |value| value,
                ),
                Images::Of(dataset, indices) => block.fill(
                    indices.iter().map(|&index| &dataset.image(index)[pixels.clone()]),
                    #[inline(always)]
                    |pixel| values[usize::from(pixel)],
                ),
            }
        });
    }

    fn fill<'a, T: Copy + Default + PartialEq + 'a>(
        &mut self,
        images: impl ExactSizeIterator<Item = &'a [T]> + Clone,
        value: impl Fn(T) -> f32,
    ) {
        touch(images.clone());
        let (width, count) = (self.pixels.len(), images.len());
        self.images = count;
        self.is_sparse = self.sparse.fill(images.clone(), width, ((width * count) as f64 * SPARSE) as usize, &value);
        if self.is_sparse {
            return;
        }
        let rows = width.div_ceil(WIDTH) * count;
        self.dense.resize(self.dense.len().max(rows), Row::ZERO);
        for (index, image) in images.enumerate() {
            for (tile, pixels) in image.chunks(WIDTH).enumerate() {
                let row = &mut self.dense[tile * count + index];
                row.0.iter_mut().zip(pixels).for_each(|(to, &pixel)| *to = value(pixel));
            }
        }
    }

    /// Z ← Z + A⁰·W¹ for a tile of `columns` columns.
    pub(crate) fn multiply(&self, weight: &[Row], sums: &mut [Row], columns: usize) {
        let weight = &weight[self.pixels.clone()];
        if self.is_sparse {
            return SparseProduct { a: &self.sparse, b: weight, c: sums }.run();
        }
        for (tile, b) in weight.chunks(WIDTH).enumerate() {
            let images = self.tile(tile);
            for (a, c) in images.chunks(TOGETHER).zip(sums.chunks_mut(TOGETHER)) {
                Product { a, b, c, columns }.run();
            }
        }
    }

    /// A⁰ᵀ·δ¹ for a tile of `columns` columns: `each` gets every pixel and its row, but for pixels that no image has where
    /// they may be left out. It has to be `#[inline(always)]`. `zeros` is the sum of 0·δ¹: NaN where that is not finite.
    pub(crate) fn multiply_transposed(
        &self,
        deltas: &[Row],
        zeros: &Row,
        may_leave_out: bool,
        columns: usize,
        mut each: impl FnMut(usize, &Row),
    ) {
        let first = self.pixels.start;
        if self.is_sparse {
            let without_empty = may_leave_out && *zeros == Row::ZERO;
            let product = SparseTransposedProduct {
                a: &self.sparse,
                b: deltas,
                start: zeros,
                without_empty,
                first_index: first,
                each,
            };
            return product.run();
        }
        for (tile, pixels) in tiles(self.pixels.len()).enumerate() {
            let mut gradient = [Row::ZERO; WIDTH];
            for (a, b) in self.tile(tile).chunks(TOGETHER).zip(deltas.chunks(TOGETHER)) {
                TransposedProduct { a, b, c: &mut gradient[..pixels.len()], columns }.run();
            }
            vectorized(
                #[inline(always)]
                || {
                    for (pixel, row) in pixels.zip(&gradient) {
                        each(first + pixel, row);
                    }
                },
            );
        }
    }

    fn tile(&self, tile: usize) -> &[Row] {
        &self.dense[tile * self.images..][..self.images]
    }
}

/// Loads some of each row, so that memory is waited for once, and not at every row.
fn touch<'a, T: Copy + Default + PartialEq + 'a>(rows: impl Iterator<Item = &'a [T]>) {
    let line = 64 / size_of::<T>();
    let is_any = rows.fold(false, |is_any, row| {
        row.iter().step_by(line).chain(row.last()).fold(is_any, |is_any, &value| is_any | (value != T::default()))
    });
    std::hint::black_box(is_any);
}
