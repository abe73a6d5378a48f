//! The forward pass, the loss and the backward pass through all layers, in buffers that are reused from batch to batch.
//!
//! Equation numbers are those of the [crate documentation](crate). Within a layer, each tile of neurons is one task of
//! the thread pool; layers follow each other.

use mlp_parity::{MlpConfig, Parameters};
use ndarray::{ArrayView1, ArrayViewMut1, ArrayViewMut2, s};

use crate::fast::formulas::activation::{self, HiddenFunction};
use crate::fast::formulas::loss;
use crate::fast::formulas::optimizer::OptimizerStep;
use crate::fast::images::{ImageSource, PixelBlock};
use crate::fast::kernels::{Pool, TileRow, WIDTH, tiles, vectorized};
use crate::fast::tile::{NeuronTile, TileActivations, forward_tile};

/// The buffer for the logits of one image is padded to a multiple of this length, so that the vectorized loops of
/// softmax have no remainder. It is a multiple of the vector length of every instruction set.
const LOGITS_MULTIPLE: usize = 16;

/// Number of partial sums into which a sum over the neurons of a layer is split: one over the first half of the tiles,
/// one over the second half.
///
/// With two threads, each computes the partial sum over the tiles whose weights it also updates, so that its caches
/// hold them. The number of partial sums is fixed, so that rounding does not depend on the number of threads.
const PARTIAL_SUMS: usize = 2;

/// The buffers for one batch: prepared images, activations and δ of all layers, and partial sums.
#[derive(Clone, Debug)]
pub(crate) struct Workspace {
    /// The images of the batch, A⁰, as blocks of pixels.
    blocks: Vec<PixelBlock>,
    /// For each layer, the activations and δ of each tile.
    layers: Vec<Vec<TileActivations>>,
    /// For each layer but the first, [`PARTIAL_SUMS`] partial sums of Z: all tiles of the first sum, then all tiles of
    /// the second one.
    partial_sums: Vec<Vec<Vec<TileRow>>>,
    /// Class index of each image in the batch.
    labels: Vec<usize>,
    /// Logits of one image, padded to [`LOGITS_MULTIPLE`].
    logits: Vec<f32>,
    function: HiddenFunction,
    /// Number of images in the batch.
    images: usize,
}

/// Converts parameters to tiles of neurons, with one vector of tiles for each layer.
pub(crate) fn to_tiles(parameters: &Parameters<f32>) -> Vec<Vec<NeuronTile>> {
    let layers = parameters.layers();
    let tile = |index: usize, neurons: std::ops::Range<usize>| {
        let layer = &layers[index];
        let row = |row: ArrayView1<'_, f32>| TileRow::from_values(row);
        let incoming = if index == 0 {
            layer.weight.rows().into_iter().map(|pixel| row(pixel.slice(s![neurons.clone()]))).collect()
        } else {
            Vec::new()
        };
        let outgoing = layers.get(index + 1).map(|next| {
            let weight = next.weight.slice(s![neurons.clone(), ..]);
            let rows = |columns| weight.slice_move(s![.., columns]).rows().into_iter().map(row).collect::<Vec<_>>();
            tiles(weight.ncols()).flat_map(rows).collect()
        });
        let bias = row(layer.bias.slice(s![neurons.clone()]));
        NeuronTile::new(neurons.len(), bias, incoming, outgoing.unwrap_or_default())
    };
    let layer_tiles = |index: usize| tiles(layers[index].bias.len()).map(|neurons| tile(index, neurons)).collect();
    (0..layers.len()).map(layer_tiles).collect()
}

/// Converts the tiles of all layers back to parameters: the inverse of [`to_tiles`].
pub(crate) fn to_parameters(layers: &[Vec<NeuronTile>], config: &MlpConfig) -> Parameters<f32> {
    let mut parameters = Parameters::zeros(config);
    for (index, layer) in parameters.layers_mut().iter_mut().enumerate() {
        let columns: Vec<_> = tiles(layer.bias.len()).collect();
        for (tile, (neurons, columns)) in layers[index].iter().zip(&columns).enumerate() {
            copy(&neurons.bias.values[0], layer.bias.slice_mut(s![columns.clone()]));
            // A weight is stored by the tiles of the layer below, except the first one.
            let rows: Box<dyn Iterator<Item = &TileRow>> = match index.checked_sub(1) {
                None => Box::new(neurons.incoming.values.iter()),
                Some(below) => Box::new(layers[below].iter().flat_map(move |below| below.outgoing_tile(tile))),
            };
            for (row, mut to) in rows.zip(layer.weight.rows_mut()) {
                copy(row, to.slice_mut(s![columns.clone()]));
            }
        }
    }
    parameters
}

/// Returns the first `images` rows of a buffer, which grows if it has fewer. It never shrinks, so that batches of
/// different sizes do not allocate again and again.
fn first_rows(images: usize, buffer: &mut Vec<TileRow>) -> &mut [TileRow] {
    buffer.resize(buffer.len().max(images), TileRow::ZERO);
    &mut buffer[..images]
}

/// Writes the sum of several buffers to `sums`, row by row, in the order of the iterator.
fn add_up<'a>(terms: impl Iterator<Item = &'a Vec<TileRow>>, sums: &mut [TileRow]) {
    sums.fill(TileRow::ZERO);
    vectorized(
        #[inline(always)]
        || {
            for term in terms {
                for (sum, row) in sums.iter_mut().zip(term) {
                    sum.add(row);
                }
            }
        },
    );
}

/// Copies the first `to.len()` values of a row to `to`, that is, the row without its padding.
fn copy(row: &TileRow, mut to: ArrayViewMut1<'_, f32>) {
    to.iter_mut().zip(&row.0).for_each(|(to, &from)| *to = from);
}

impl Workspace {
    /// Creates the buffers for a network. They grow when the first batch is processed.
    pub(crate) fn new(config: &MlpConfig, function: HiddenFunction) -> Self {
        let tile_counts: Vec<usize> = config.sizes()[1..].iter().map(|&width| tiles(width).len()).collect();
        let layers = tile_counts.iter().map(|&count| vec![TileActivations::default(); count]).collect();
        let partial_sums = tile_counts.iter().map(|&count| vec![Vec::new(); PARTIAL_SUMS * count]).collect();
        let logits = vec![0.0; config.classes().next_multiple_of(LOGITS_MULTIPLE)];
        let blocks = PixelBlock::blocks(config.inputs());
        Self { blocks, layers, partial_sums, labels: Vec::new(), logits, function, images: 0 }
    }

    /// Computes the forward pass, equations (1) and (2): the activations of all hidden layers and the logits.
    pub(crate) fn forward(&mut self, layers: &[Vec<NeuronTile>], images: &ImageSource<'_>, pool: &Pool) {
        self.images = images.count();
        PixelBlock::load(&mut self.blocks, images, pool);
        for (index, tiles) in layers.iter().enumerate() {
            if let Some(below) = index.checked_sub(1) {
                self.compute_partial_sums(below, &layers[below], tiles, pool);
            }
            self.compute_activations(index, tiles, pool);
        }
    }

    /// Computes the pre-activations Z (equation (1)) of the layer above layer `below`, as partial sums. `tiles_below`
    /// and `tiles_above` are the tiles of the two layers.
    fn compute_partial_sums(
        &mut self,
        below: usize,
        tiles_below: &[NeuronTile],
        tiles_above: &[NeuronTile],
        pool: &Pool,
    ) {
        let (images, activations, count) = (self.images, &self.layers[below], tiles_above.len());
        pool.for_each(&mut self.partial_sums[below + 1], &mut vec![(); PARTIAL_SUMS * count], |index, sums, ()| {
            let (part, tile) = (index / count, index % count);
            let range = tiles_below.len() * part / PARTIAL_SUMS..tiles_below.len() * (part + 1) / PARTIAL_SUMS;
            let NeuronTile { neurons, bias, .. } = &tiles_above[tile];
            // The bias is added once, in the first partial sum.
            let start = if part == 0 { bias.values[0] } else { TileRow::ZERO };
            let layer = (&tiles_below[range.clone()], &activations[range]);
            forward_tile(layer, tile, *neurons, start, first_rows(images, sums));
        });
    }

    /// Computes the activations of layer `index`: first the pre-activations Z, by equation (1) for the first layer and
    /// by adding the partial sums for the others, then the activation function, equation (2), except for the last
    /// layer.
    fn compute_activations(&mut self, index: usize, tiles: &[NeuronTile], pool: &Pool) {
        let (images, f, is_last) = (self.images, self.function.activation, index + 1 == self.layers.len());
        let (blocks, partial_sums, count) = (&self.blocks, &self.partial_sums[index], tiles.len());
        pool.for_each(&mut self.layers[index], &mut vec![(); count], |tile, tile_activations, ()| {
            let sums = first_rows(images, &mut tile_activations.activations);
            if index == 0 {
                tiles[tile].forward_first_layer(blocks, sums);
            } else {
                add_up(partial_sums[tile..].iter().step_by(count), sums);
            }
            if !is_last {
                vectorized(
                    #[inline(always)]
                    || {
                        for row in sums {
                            activation::apply(f, row.0.iter_mut());
                        }
                    },
                );
            }
        });
    }

    /// Computes the loss and its gradient, equations (3) and (4), from the logits of the last forward pass: returns the
    /// mean loss, and stores δ of the last layer.
    pub(crate) fn loss(&mut self, labels: impl Iterator<Item = usize>, classes: usize) -> f32 {
        // Copied in a loop of its own: the labels of a shuffled batch are scattered over memory, and here the processor
        // can load many of them at once. In the loop below it would wait for each.
        self.labels.clear();
        self.labels.extend(labels);
        let (images, logits) = (self.images, &mut self.logits);
        let Some(last) = self.layers.last_mut() else { return f32::NAN };
        last.iter_mut().for_each(|tile| _ = first_rows(images, &mut tile.deltas));
        let mut sum = 0.0;
        for (image, &label) in (0..images).zip(&self.labels) {
            for (logits, tile) in logits.chunks_mut(WIDTH).zip(&*last) {
                logits.copy_from_slice(&tile.activations[image].0[..logits.len()]);
            }
            // Padding gets the probability exp(−∞) = 0, and so δ = 0.
            logits[classes..].fill(f32::NEG_INFINITY);
            sum += vectorized(
                #[inline(always)]
                || loss::image_loss_and_delta(logits, classes, label, images as f32),
            );
            // The logits have been replaced by δ.
            for (deltas, tile) in logits.chunks(WIDTH).zip(&mut *last) {
                tile.deltas[image].0[..deltas.len()].copy_from_slice(deltas);
            }
        }
        sum / images as f32
    }

    /// Computes the backward pass, equations (5) to (7), after [`forward`](Self::forward) and [`loss`](Self::loss), and
    /// updates all parameters. Without `step`, stores the gradients in place of the parameters.
    pub(crate) fn backward(&mut self, layers: &mut [Vec<NeuronTile>], step: Option<&OptimizerStep<f32>>, pool: &Pool) {
        let (images, f) = (self.images, self.function);
        for index in (0..self.layers.len()).rev() {
            let (activations, activations_above) = self.layers.split_at_mut(index + 1);
            let (tiles, tiles_above) = layers.split_at_mut(index + 1);
            let next_layer = tiles_above.first().zip(activations_above.first());
            let blocks = &self.blocks;
            pool.for_each(&mut tiles[index], &mut activations[index], |_, tile, tile_activations| {
                if let Some((tiles, activations)) = next_layer {
                    let next_layer = (&tiles[..], &activations[..]);
                    first_rows(images, &mut tile_activations.deltas);
                    // δ first: it needs the weight before its update.
                    tile.backward_tile(next_layer, images, tile_activations, f);
                    tile.update_outgoing(next_layer, images, tile_activations, step);
                }
                let deltas = &tile_activations.deltas[..images];
                tile.update_bias(deltas, step);
                if index == 0 {
                    tile.update_incoming(blocks, deltas, step);
                }
            });
        }
    }

    /// Copies the logits of the last forward pass to `to`, `[images, classes]`.
    pub(crate) fn copy_logits(&self, mut to: ArrayViewMut2<'_, f32>) {
        let Some(last) = self.layers.last() else { return };
        for (columns, tile) in tiles(to.ncols()).zip(last) {
            for (row, mut to) in tile.activations.iter().zip(to.rows_mut()) {
                copy(row, to.slice_mut(s![columns.clone()]));
            }
        }
    }
}
