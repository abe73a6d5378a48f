//! The input images of a batch, A⁰, prepared for the products of the first layer.
//!
//! The pixels are split into blocks of 128. Each block is stored in one of two formats:
//!
//! - *sparse*: lists of the non-zero pixels, if at most 65 % of the pairs of neighbouring pixels are non-zero. MNIST
//!   images are mostly background, so most of their blocks are sparse.
//! - *dense*: tiles of `f32`, multiplied like any other matrix.
//!
//! The format is chosen for each block, so the margin of an image can be sparse even if its centre is dense. Threads
//! prepare different blocks in parallel.

use std::ops::Range;

use mlp_parity::Dataset;

use crate::fast::kernels::{
    Pixel, Pool, SparseMatrix, SparseProduct, SparseTransposedProduct, TileProduct, TileRow, TransposedTileProduct,
    WIDTH, prefetch, tiles, vectorized,
};

/// Number of pixels of a block. It is a multiple of [`WIDTH`], so that a dense block consists of whole tiles.
const BLOCK_PIXELS: usize = 128;

/// Largest fraction of non-zero pairs of pixels at which a block is stored in sparse format.
///
/// Above this fraction the dense product is faster: with AVX2 from 0.64 on, with the portable kernels from 0.8 on. Both
/// were measured with `cargo bench -p mlp-parity-scratch first_layer_by_density` on an AMD Zen 1.
const MAX_SPARSE_DENSITY: f64 = 0.65;

/// Number of images that one product of tiles processes. Their rows of one matrix occupy 16 KiB and stay in the level 1
/// cache.
pub(crate) const IMAGE_CHUNK: usize = 64;

/// The images of a batch, borrowed from the caller.
#[derive(Clone, Copy)]
pub(crate) enum ImageSource<'a> {
    /// Contiguous pixels, image by image, and the number of pixels per image.
    Batch(&'a [f32], usize),
    /// Images of a data set, selected by index and read without a copy.
    Dataset {
        /// Data set that contains the images of this batch and the next one.
        dataset: &'a Dataset,
        /// Indices of the images of this batch.
        indices: &'a [usize],
        /// Indices of the images of the next batch, which are prefetched.
        next: &'a [usize],
    },
}

impl ImageSource<'_> {
    /// Returns the number of images.
    pub(crate) fn count(&self) -> usize {
        match self {
            Self::Batch(images, width) => images.len() / width,
            Self::Dataset { indices, .. } => indices.len(),
        }
    }
}

/// A block of at most [`BLOCK_PIXELS`] neighbouring pixels of all images of a batch: some columns of A⁰.
#[derive(Clone, Debug)]
pub(crate) struct PixelBlock {
    /// Indices of the pixels within an image.
    pixels: Range<usize>,
    /// The format in use, that is, which of the three following fields is valid.
    format: Format,
    sparse_bytes: SparseMatrix<u8>,
    sparse_floats: SparseMatrix<f32>,
    /// The pixels in dense format: tile after tile, one row per image.
    dense: Vec<TileRow>,
    /// Number of images in the batch.
    images: usize,
}

/// Storage format of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// Non-zero pixels as the bytes of a data set.
    SparseBytes,
    /// Non-zero pixels as the `f32` values of a batch.
    SparseFloats,
    /// All pixels as `f32`, in tiles.
    Dense,
}

impl PixelBlock {
    /// Creates empty blocks for images with `pixels` pixels each.
    pub(crate) fn blocks(pixels: usize) -> Vec<Self> {
        let ranges = (0..pixels).step_by(BLOCK_PIXELS).map(|first| first..pixels.min(first + BLOCK_PIXELS));
        let empty = |pixels| Self {
            pixels,
            format: Format::Dense,
            sparse_bytes: SparseMatrix::default(),
            sparse_floats: SparseMatrix::default(),
            dense: Vec::new(),
            images: 0,
        };
        ranges.map(empty).collect()
    }

    /// Stores the pixels of all `images` in the blocks, replacing the previous ones.
    pub(crate) fn load(blocks: &mut [Self], images: &ImageSource<'_>, pool: &Pool) {
        pool.for_each(blocks, &mut vec![(); blocks.len()], |_, block, ()| {
            let pixels = block.pixels.clone();
            block.images = images.count();
            block.format = match images {
                ImageSource::Batch(images, width) => {
                    let images = images.chunks_exact(*width).map(|image| &image[pixels.clone()]);
                    let is_sparse = store(images, &mut block.sparse_floats, &mut block.dense);
                    if is_sparse { Format::SparseFloats } else { Format::Dense }
                }
                ImageSource::Dataset { dataset, indices, next } => {
                    let pixels_of = |&index: &usize| &dataset.image(index)[pixels.clone()];
                    // The images of a shuffled batch come from main memory: request those of the next batch now, so
                    // that they arrive while this one is trained on.
                    next.iter().map(pixels_of).for_each(prefetch);
                    let images = indices.iter().map(pixels_of);
                    let is_sparse = store(images, &mut block.sparse_bytes, &mut block.dense);
                    if is_sparse { Format::SparseBytes } else { Format::Dense }
                }
            }
        });
    }

    /// Adds this block's contribution to A⁰·W¹, the product of the images and the first layer's weight, to `sums`, one
    /// row per image. `weight` is a tile of W¹ with `columns` columns and one row for each pixel of the whole image.
    pub(crate) fn multiply(&self, weight: &[TileRow], sums: &mut [TileRow], columns: usize) {
        let b = &weight[self.pixels.clone()];
        match self.format {
            Format::SparseBytes => SparseProduct { a: &self.sparse_bytes, b, c: sums }.run(),
            Format::SparseFloats => SparseProduct { a: &self.sparse_floats, b, c: sums }.run(),
            Format::Dense => self.multiply_dense(b, sums, columns),
        }
    }

    /// Computes [`multiply`](Self::multiply) in the dense format. `weight` has one row for each pixel of the block.
    fn multiply_dense(&self, weight: &[TileRow], sums: &mut [TileRow], columns: usize) {
        for (tile, b) in weight.chunks(WIDTH).enumerate() {
            let images = self.tile(tile);
            for (a, c) in images.chunks(IMAGE_CHUNK).zip(sums.chunks_mut(IMAGE_CHUNK)) {
                TileProduct { a, b, c, columns }.run();
            }
        }
    }

    /// Computes this block's rows of A⁰ᵀ·δ¹, the gradient of W¹, for one tile of δ¹ with `columns` columns. Calls
    /// `visit` with the index of each pixel and the row of that pixel.
    ///
    /// `zeros` is the sum of 0·δ over the rows of `deltas`: it makes the gradient NaN if δ¹ is not finite, although a
    /// sparse product skips the zeros. If `may_skip_zero_rows` is true, pixels that are zero in all images may be
    /// skipped.
    ///
    /// `visit` must be `#[inline(always)]` to be compiled for the instruction set in use.
    pub(crate) fn multiply_transposed(
        &self,
        deltas: &[TileRow],
        zeros: &TileRow,
        may_skip_zero_rows: bool,
        columns: usize,
        visit: impl FnMut(usize, &TileRow),
    ) {
        let (first_index, b, start) = (self.pixels.start, deltas, zeros);
        // A skipped row is zero only if δ¹ is finite; otherwise it is NaN and has to be visited.
        let skip_empty_pairs = may_skip_zero_rows && *zeros == TileRow::ZERO;
        match self.format {
            Format::SparseBytes => {
                let a = &self.sparse_bytes;
                SparseTransposedProduct { a, b, start, skip_empty_pairs, first_index, visit }.run();
            }
            Format::SparseFloats => {
                let a = &self.sparse_floats;
                SparseTransposedProduct { a, b, start, skip_empty_pairs, first_index, visit }.run();
            }
            Format::Dense => self.multiply_transposed_dense(deltas, columns, visit),
        }
    }

    /// Computes [`multiply_transposed`](Self::multiply_transposed) in the dense format, which skips no row.
    fn multiply_transposed_dense(&self, deltas: &[TileRow], columns: usize, mut visit: impl FnMut(usize, &TileRow)) {
        let first = self.pixels.start;
        for (tile, pixels) in tiles(self.pixels.len()).enumerate() {
            let mut gradient = [TileRow::ZERO; WIDTH];
            for (a, b) in self.tile(tile).chunks(IMAGE_CHUNK).zip(deltas.chunks(IMAGE_CHUNK)) {
                TransposedTileProduct { a, b, c: &mut gradient[..pixels.len()], columns }.run();
            }
            vectorized(
                #[inline(always)]
                || {
                    for (pixel, row) in pixels.zip(&gradient) {
                        visit(first + pixel, row);
                    }
                },
            );
        }
    }

    /// Returns the rows of a tile of the dense format, one per image.
    fn tile(&self, tile: usize) -> &[TileRow] {
        &self.dense[tile * self.images..][..self.images]
    }
}

/// Stores the pixels of a block, one slice per image, in `sparse` if few enough pairs are non-zero, else in `dense`.
/// Returns true if they were stored in `sparse`.
fn store<'a, T: Pixel + 'a>(
    images: impl ExactSizeIterator<Item = &'a [T]> + Clone,
    sparse: &mut SparseMatrix<T>,
    dense: &mut Vec<TileRow>,
) -> bool {
    let count = images.len();
    let width = images.clone().next().map_or(0, <[T]>::len);
    let is_sparse = sparse.scan(images.clone()) <= MAX_SPARSE_DENSITY;
    if is_sparse {
        sparse.fill(images);
        return true;
    }
    let rows = width.div_ceil(WIDTH) * count;
    // Never shrinks: a smaller batch uses the first rows, and a later larger one needs no new allocation.
    dense.resize(dense.len().max(rows), TileRow::ZERO);
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

    /// The block has 200 pairs of pixels, of which up to 130 (65 %) may be non-zero. The products in both formats are
    /// tested in `tests/reference.rs`.
    #[test]
    fn pixel_block_is_sparse_up_to_maximum_density() {
        let cases = [(0, 2, true), (130, 1, true), (130, 2, true), (131, 1, false), (131, 2, false), (200, 2, false)];
        for (non_zero_pairs, pixels_per_pair, is_sparse) in cases {
            let is_non_zero = |pixel: usize| pixel / 2 < non_zero_pairs && pixel % 2 < pixels_per_pair;
            let pixels: Vec<f32> = (0..400).map(|pixel| f32::from(u8::from(is_non_zero(pixel)))).collect();
            let mut blocks = PixelBlock::blocks(100);
            PixelBlock::load(&mut blocks, &ImageSource::Batch(&pixels, 100), &Pool::new(1));
            assert_eq!(
                (blocks.len(), blocks[0].format == Format::SparseFloats),
                (1, is_sparse),
                "{non_zero_pairs} non-zero pairs, {pixels_per_pair} non-zero pixels each"
            );
        }
    }

    #[test]
    fn pixel_blocks_choose_formats_independently() {
        let pixels: Vec<f32> = (0..3 * 300).map(|pixel| f32::from(u8::from(pixel % 300 < BLOCK_PIXELS))).collect();
        let mut blocks = PixelBlock::blocks(300);
        PixelBlock::load(&mut blocks, &ImageSource::Batch(&pixels, 300), &Pool::new(2));
        let expected = [Format::Dense, Format::SparseFloats, Format::SparseFloats];
        assert_eq!(blocks.iter().map(|block| block.format).collect::<Vec<_>>(), expected);
    }
}
