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

    /// Takes over the pixels of these images; for [`multiply_transposed`](Self::multiply_transposed) too, where asked for.
    pub(crate) fn read(blocks: &mut [Self], images: &Images<'_>, for_gradients: bool, pool: &Pool) {
        let values: [f32; 256] = std::array::from_fn(|pixel| Dataset::value(pixel as u8));
        let mut nothing = vec![(); blocks.len()];
        pool.for_each(blocks, &mut nothing, |_, block, ()| {
            let pixels = block.pixels.clone();
            match images {
                Images::Rows(images, width) => block.fill(
                    images.chunks_exact(*width).map(|image| &image[pixels.clone()]),
                    #[inline(always)]
                    |value| value,
                    for_gradients,
                ),
                Images::Of(dataset, indices) => block.fill(
                    indices.iter().map(|&index| &dataset.image(index)[pixels.clone()]),
                    #[inline(always)]
                    |pixel| values[usize::from(pixel)],
                    for_gradients,
                ),
            }
        });
    }

    fn fill<'a, T: Copy + Default + PartialEq + 'a>(
        &mut self,
        images: impl ExactSizeIterator<Item = &'a [T]> + Clone,
        value: impl Fn(T) -> f32,
        for_gradients: bool,
    ) {
        let (width, count) = (self.pixels.len(), images.len());
        self.images = count;
        self.is_sparse = self.sparse.find(images.clone(), width) as f64 <= (width * count) as f64 * SPARSE;
        if self.is_sparse {
            return self.sparse.fill(images, width, value, for_gradients);
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Half of the pixels of a block may be something; one more, and it is dense. Results are those of the textbook either
    /// way, which `tests/agreement.rs` shows.
    #[test]
    fn a_block_is_sparse_up_to_half_of_its_pixels() {
        for (count, is_sparse) in [(0, true), (200, true), (201, false), (400, false)] {
            let pixels: Vec<f32> = (0..400).map(|pixel| f32::from(u8::from(pixel < count))).collect();
            let mut blocks = Block::all(100);
            Block::read(&mut blocks, &Images::Rows(&pixels, 100), true, &Pool::new(1));
            assert_eq!((blocks.len(), blocks[0].is_sparse), (1, is_sparse), "{count}");
        }
    }

    #[test]
    fn blocks_are_chosen_one_by_one() {
        let pixels: Vec<f32> = (0..3 * 300).map(|pixel| f32::from(u8::from(pixel % 300 < BLOCK))).collect();
        let mut blocks = Block::all(300);
        Block::read(&mut blocks, &Images::Rows(&pixels, 300), true, &Pool::new(2));
        assert_eq!(blocks.iter().map(|block| block.is_sparse).collect::<Vec<_>>(), [false, true, true]);
    }
}
