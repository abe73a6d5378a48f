//! Tiles of neurons: a layer in pieces of at most 64 neurons, which are distributed to the threads.
//!
//! # Parameters of a tile
//!
//! A tile stores:
//!
//! - its biases, one row;
//! - in the first layer only, its columns of W¹ (`incoming`), one row per pixel;
//! - in all layers but the last, its rows of the next layer's weight (`outgoing`): one matrix tile after the other,
//!   each with one row per neuron.
//!
//! A weight between two layers thus belongs to the tile below. The thread of that tile multiplies by it in the forward
//! pass and in the backward pass, and updates it, so it finds the weight in its own caches.
//!
//! # Why results do not depend on the number of threads
//!
//! A thread that processes a tile writes only what belongs to this tile: its activations in the forward pass; its δ,
//! its biases and its weights in the backward pass. No two threads write the same data, no sum is split between
//! threads, and every sum is computed in the same order on any number of threads.

use crate::fast::formulas::activation::{self, HiddenFunction};
use crate::fast::formulas::optimizer::OptimizerStep;
use crate::fast::images::{IMAGE_CHUNK, PixelBlock};
use crate::fast::kernels::{TileProduct, TileRow, TransposedTileProduct, WIDTH, transpose, vectorized};
use crate::fast::tensor::ParameterTensor;

/// A tile: at most [`WIDTH`] (64) neighbouring neurons of one layer, with the parameters that they own (see the [module
/// documentation](self)).
#[derive(Clone, Debug)]
pub(crate) struct NeuronTile {
    /// Number of neurons in the tile, 1 to [`WIDTH`].
    pub(crate) neurons: usize,
    /// Biases of the neurons: one row.
    pub(crate) bias: ParameterTensor,
    /// In the first layer, the neurons' columns of W¹, one row per pixel; empty in other layers.
    pub(crate) incoming: ParameterTensor,
    /// The neurons' rows of the next layer's weight matrix, one tile of columns after the other; empty in the last
    /// layer.
    pub(crate) outgoing: ParameterTensor,
    /// The sum of 0·w over the rows of `incoming`: zero, or NaN in each column with a weight that is not finite. See
    /// [`TileRow::add_zero_times`].
    incoming_zeros: TileRow,
}

/// The results of the forward and backward passes of one tile on one batch. The buffers may have more rows than the batch
/// has images.
#[derive(Clone, Debug, Default)]
pub(crate) struct TileActivations {
    /// The activations Aˡ, or in the last layer the logits Zᴸ: one row per image.
    pub(crate) activations: Vec<TileRow>,
    /// The derivatives of the loss, δˡ = ∂ℒ/∂Zˡ: one row per image.
    pub(crate) deltas: Vec<TileRow>,
}

/// All or some tiles of a layer, and the activations of each of these tiles.
pub(crate) type TiledLayer<'a> = (&'a [NeuronTile], &'a [TileActivations]);

/// Computes `start` + A·W for one tile of the next layer and writes it to `sums`, one row per image. A and W are
/// restricted to the neurons of the tiles in `layer`, so the result is a partial sum of Z. `tile` is the index of the
/// tile in the next layer, `columns` its number of neurons.
pub(crate) fn forward_tile(layer: TiledLayer<'_>, tile: usize, columns: usize, start: TileRow, sums: &mut [TileRow]) {
    let (tiles, activations) = layer;
    sums.fill(start);
    // Chunk by chunk, so that 64 rows of sums stay in the level 1 cache while all tiles are added to them.
    for (chunk, c) in sums.chunks_mut(IMAGE_CHUNK).enumerate() {
        for (neurons, activations) in tiles.iter().zip(activations) {
            let a = &activations.activations[chunk * IMAGE_CHUNK..][..c.len()];
            TileProduct { a, b: neurons.outgoing_tile(tile), c, columns }.run();
        }
    }
}

impl NeuronTile {
    /// Creates a tile of `neurons` neurons with these parameters and without optimizer moments.
    pub(crate) fn new(neurons: usize, bias: TileRow, incoming: Vec<TileRow>, outgoing: Vec<TileRow>) -> Self {
        let incoming_zeros = sum_of_zero_products(&incoming);
        let [bias, incoming, outgoing] = [vec![bias], incoming, outgoing].map(ParameterTensor::new);
        Self { neurons, bias, incoming, outgoing, incoming_zeros }
    }

    /// Returns the tensors of the tile: `bias`, `incoming` and `outgoing`.
    pub(crate) fn tensors_mut(&mut self) -> [&mut ParameterTensor; 3] {
        [&mut self.bias, &mut self.incoming, &mut self.outgoing]
    }

    /// Replaces the parameters by those of `other`, a tile of the same shape. Keeps the optimizer's moments.
    pub(crate) fn take_values(&mut self, mut other: Self) {
        self.incoming_zeros = other.incoming_zeros;
        for (tensor, other) in self.tensors_mut().into_iter().zip(other.tensors_mut()) {
            tensor.values = std::mem::take(&mut other.values);
        }
    }

    /// Updates every parameter of the tile. `gradients` is a tile of the same shape that holds gradients in place of
    /// parameters.
    pub(crate) fn update_all(&mut self, gradients: &Self, step: &OptimizerStep<f32>) {
        let gradients = [&gradients.bias, &gradients.incoming, &gradients.outgoing];
        for (tensor, gradient) in self.tensors_mut().into_iter().zip(gradients) {
            tensor.update(0, &gradient.values, Some(step));
        }
        self.incoming_zeros = sum_of_zero_products(&self.incoming.values);
    }

    /// Returns this tile's rows of the next layer's weight, restricted to the columns of tile `tile` of that layer.
    pub(crate) fn outgoing_tile(&self, tile: usize) -> &[TileRow] {
        &self.outgoing.values[tile * self.neurons..][..self.neurons]
    }

    /// Computes the pre-activations of this tile of the first layer, by equation (1): writes Z¹ = A⁰·W¹ + b¹ to `sums`,
    /// one row per image.
    /// `blocks` holds the images.
    pub(crate) fn forward_first_layer(&self, blocks: &[PixelBlock], sums: &mut [TileRow]) {
        let mut start = self.bias.values[0];
        // A sparse product skips the terms 0·w, which are NaN for a weight that is not finite. Adds their sum here.
        start.add(&self.incoming_zeros);
        sums.fill(start);
        blocks.iter().for_each(|block| block.multiply(&self.incoming.values, sums, self.neurons));
    }

    /// Computes δ of this tile from δ of the next layer, by equation (7): writes δˡ⁻¹ = (δˡ·Wˡᵀ) ∘ f′ to
    /// `tile_activations.deltas`. Layer l is `next_layer`, of which all tiles must be given. `f` is the activation
    /// function of the hidden layers.
    pub(crate) fn backward_tile(
        &self,
        next_layer: TiledLayer<'_>,
        images: usize,
        tile_activations: &mut TileActivations,
        f: HiddenFunction,
    ) {
        let (next_tiles, next_activations) = next_layer;
        let deltas = &mut tile_activations.deltas[..images];
        deltas.fill(TileRow::ZERO);
        // The product needs the weight with one row per neuron of the next layer. Transposing a tile costs little
        // beside multiplying it by all images.
        let mut transposed = [TileRow::ZERO; WIDTH];
        for (tile, (next, activations)) in next_tiles.iter().zip(next_activations).enumerate() {
            transpose(self.outgoing_tile(tile), &mut transposed);
            let chunks = activations.deltas[..images].chunks(IMAGE_CHUNK).zip(deltas.chunks_mut(IMAGE_CHUNK));
            for (a, c) in chunks {
                TileProduct { a, b: &transposed[..next.neurons], c, columns: self.neurons }.run();
            }
        }
        vectorized(
            #[inline(always)]
            || {
                for (a, delta) in tile_activations.activations.iter().zip(deltas) {
                    activation::multiply_by_derivative(f, a.0.iter().zip(&mut delta.0));
                }
            },
        );
    }

    /// Computes the gradient of this tile's rows of the next layer's weight, and updates them. The gradient is Aᵀ·δ
    /// (equation (5)), with the activations A of this tile and δ of the next layer. Without `step`, stores the gradient
    /// in place of the weight.
    pub(crate) fn update_outgoing(
        &mut self,
        next_layer: TiledLayer<'_>,
        images: usize,
        tile_activations: &TileActivations,
        step: Option<&OptimizerStep<f32>>,
    ) {
        let (next_tiles, next_activations) = next_layer;
        for (tile, (next, activations)) in next_tiles.iter().zip(next_activations).enumerate() {
            let mut gradient = [TileRow::ZERO; WIDTH];
            let c = &mut gradient[..self.neurons];
            let chunks =
                tile_activations.activations[..images].chunks(IMAGE_CHUNK).zip(activations.deltas.chunks(IMAGE_CHUNK));
            for (a, b) in chunks {
                TransposedTileProduct { a, b: &b[..a.len()], c, columns: next.neurons }.run();
            }
            // The gradient is still in the level 1 cache: update now, instead of storing it for later.
            self.outgoing.update(tile * self.neurons, c, step);
        }
    }

    /// Computes the gradient of the biases, which is the sum of δ over all images (equation (6)), and updates the
    /// biases. Without `step`, stores the gradient in place of the biases.
    pub(crate) fn update_bias(&mut self, deltas: &[TileRow], step: Option<&OptimizerStep<f32>>) {
        let mut sum = TileRow::ZERO;
        vectorized(
            #[inline(always)]
            || {
                for delta in deltas {
                    sum.add(delta);
                }
            },
        );
        self.bias.update(0, &[sum], step);
    }

    /// Computes the gradient of this tile's columns of the first layer's weight W¹ (equation (5)), pixel by pixel, and
    /// updates them. Without `step`, stores the gradient in place of the weight.
    pub(crate) fn update_incoming(
        &mut self,
        blocks: &[PixelBlock],
        deltas: &[TileRow],
        step: Option<&OptimizerStep<f32>>,
    ) {
        let zeros_of_deltas = sum_of_zero_products(deltas);
        // The weights of pixels that are background in all images of the batch have gradient 0. If the optimizer does
        // not change such weights, their rows need not be touched.
        let may_skip_zero_rows = step.is_some_and(OptimizerStep::keeps_parameters_without_gradient);
        let Self { incoming, incoming_zeros, neurons, .. } = self;
        for block in blocks {
            block.multiply_transposed(
                deltas,
                &zeros_of_deltas,
                may_skip_zero_rows,
                *neurons,
                #[inline(always)]
                |pixel, gradient| {
                    incoming.update_row(pixel, gradient, step);
                    // Records weights that are no longer finite. No update makes such a weight finite again, so the sum
                    // may stay NaN until the parameters are replaced.
                    incoming_zeros.add_zero_times(&incoming.values[pixel]);
                },
            );
        }
    }
}

/// Returns the sum of 0·x over all rows: zero, or NaN in each column with a value that is not finite.
fn sum_of_zero_products(rows: &[TileRow]) -> TileRow {
    let mut zeros = TileRow::ZERO;
    vectorized(
        #[inline(always)]
        || {
            for row in rows {
                zeros.add_zero_times(row);
            }
        },
    );
    zeros
}
