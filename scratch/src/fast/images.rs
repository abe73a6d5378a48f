//! The images of a step as the first layer multiplies them.

use std::ops::Range;

use mlp_parity::Dataset;

use crate::fast::kernels::{
    Pixel, Pool, Product, Row, Sparse, SparseProduct, SparseTransposedProduct, TransposedProduct, WIDTH, prefetch,
    tiles, vectorized,
};

/// Pixels of a block: a multiple of [`WIDTH`]. Each is listed by one thread, and sparse or dense.
const BLOCK: usize = 128;

/// Up to this share of pairs of pixels that are not background, a block is multiplied as a sparse matrix: beyond it that takes
/// longer than as a dense one, from 0.64 on with AVX2, from 0.8 on with portable kernels (`cargo bench`,
/// `first_layer_by_density`).
const SPARSE: f64 = 0.65;

/// Images of which a product of tiles takes so many at once: their rows stay in the level 1 cache.
pub(crate) const TOGETHER: usize = 64;

/// Images, wherever they are.
#[derive(Clone, Copy)]
pub(crate) enum Images<'a> {
    /// One after the other, with so many pixels each.
    Rows(&'a [f32], usize),
    /// Some of a data set.
    Of {
        dataset: &'a Dataset,
        /// Which ones.
        indices: &'a [usize],
        /// Those that will come next, to be asked for in advance.
        next: &'a [usize],
    },
}

impl Images<'_> {
    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        match self {
            Self::Rows(images, width) => images.len() / width,
            Self::Of { indices, .. } => indices.len(),
        }
    }
}

/// Some pixels of all images.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pixels: Range<usize>,
    held: Held,
    /// As a data set has them.
    bytes: Sparse<u8>,
    /// As a batch has them.
    numbers: Sparse<f32>,
    /// Tile after tile, a row for each image.
    dense: Vec<Row>,
    images: usize,
}

/// Where a block has its pixels: in a sparse matrix, where few enough are not background.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    Bytes,
    Numbers,
    Dense,
}

impl Block {
    /// The blocks of images with so many pixels, without an image.
    pub(crate) fn all(pixels: usize) -> Vec<Self> {
        let blocks = (0..pixels).step_by(BLOCK).map(|first| first..pixels.min(first + BLOCK));
        let empty = |pixels| Self {
            pixels,
            held: Held::Dense,
            bytes: Sparse::default(),
            numbers: Sparse::default(),
            dense: Vec::new(),
            images: 0,
        };
        blocks.map(empty).collect()
    }

    /// Takes over the pixels of these images.
    pub(crate) fn read(blocks: &mut [Self], images: &Images<'_>, pool: &Pool) {
        pool.for_each(blocks, &mut vec![(); blocks.len()], |_, block, ()| {
            let pixels = block.pixels.clone();
            block.images = images.count();
            block.held = match images {
                Images::Rows(images, width) => {
                    let images = images.chunks_exact(*width).map(|image| &image[pixels.clone()]);
                    if take_over(images, &mut block.numbers, &mut block.dense) { Held::Numbers } else { Held::Dense }
                }
                Images::Of { dataset, indices, next } => {
                    let pixels_of = |&index: &usize| &dataset.image(index)[pixels.clone()];
                    next.iter().map(pixels_of).for_each(prefetch);
                    let images = indices.iter().map(pixels_of);
                    if take_over(images, &mut block.bytes, &mut block.dense) { Held::Bytes } else { Held::Dense }
                }
            }
        });
    }

    /// Z ← Z + A⁰·W¹ for a tile of `columns` columns.
    pub(crate) fn multiply(&self, weight: &[Row], sums: &mut [Row], columns: usize) {
        let b = &weight[self.pixels.clone()];
        match self.held {
            Held::Bytes => SparseProduct { a: &self.bytes, b, c: sums }.run(),
            Held::Numbers => SparseProduct { a: &self.numbers, b, c: sums }.run(),
            Held::Dense => self.multiply_dense(b, sums, columns),
        }
    }

    fn multiply_dense(&self, weight: &[Row], sums: &mut [Row], columns: usize) {
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
        each: impl FnMut(usize, &Row),
    ) {
        let (first_index, b, start) = (self.pixels.start, deltas, zeros);
        let without_empty = may_leave_out && *zeros == Row::ZERO;
        match self.held {
            Held::Bytes => {
                SparseTransposedProduct { a: &self.bytes, b, start, without_empty, first_index, each }.run();
            }
            Held::Numbers => {
                SparseTransposedProduct { a: &self.numbers, b, start, without_empty, first_index, each }.run();
            }
            Held::Dense => self.multiply_transposed_dense(deltas, columns, each),
        }
    }

    fn multiply_transposed_dense(&self, deltas: &[Row], columns: usize, mut each: impl FnMut(usize, &Row)) {
        let first = self.pixels.start;
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

/// Takes over these rows of pixels into a sparse matrix, and says so; or into tiles, where too much of it were not zero.
fn take_over<'a, T: Pixel + 'a>(
    images: impl ExactSizeIterator<Item = &'a [T]> + Clone,
    sparse: &mut Sparse<T>,
    dense: &mut Vec<Row>,
) -> bool {
    let count = images.len();
    let width = images.clone().next().map_or(0, <[T]>::len);
    let is_sparse = sparse.find(images.clone()) <= SPARSE;
    if is_sparse {
        sparse.fill(images);
        return true;
    }
    let rows = width.div_ceil(WIDTH) * count;
    dense.resize(dense.len().max(rows), Row::ZERO);
    for (index, image) in images.enumerate() {
        for (tile, pixels) in image.chunks(WIDTH).enumerate() {
            let row = &mut dense[tile * count + index];
            row.0.iter_mut().zip(pixels).for_each(|(to, &pixel)| *to = pixel.value());
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of 200 pairs of a block 130 may be something, with one pixel or with two; one more, and it is dense. Results are those
    /// of the textbook either way, which `tests/agreement.rs` shows.
    #[test]
    fn a_block_is_sparse_up_to_a_share_of_its_pairs() {
        let cases = [(0, 2, true), (130, 1, true), (130, 2, true), (131, 1, false), (131, 2, false), (200, 2, false)];
        for (count, of_each, is_sparse) in cases {
            let is_something = |pixel: usize| pixel / 2 < count && pixel % 2 < of_each;
            let pixels: Vec<f32> = (0..400).map(|pixel| f32::from(u8::from(is_something(pixel)))).collect();
            let mut blocks = Block::all(100);
            Block::read(&mut blocks, &Images::Rows(&pixels, 100), &Pool::new(1));
            assert_eq!((blocks.len(), blocks[0].held == Held::Numbers), (1, is_sparse), "{count} {of_each}");
        }
    }

    #[test]
    fn blocks_are_chosen_one_by_one() {
        let pixels: Vec<f32> = (0..3 * 300).map(|pixel| f32::from(u8::from(pixel % 300 < BLOCK))).collect();
        let mut blocks = Block::all(300);
        Block::read(&mut blocks, &Images::Rows(&pixels, 300), &Pool::new(2));
        let held = [Held::Dense, Held::Numbers, Held::Numbers];
        assert_eq!(blocks.iter().map(|block| block.held).collect::<Vec<_>>(), held);
    }
}
