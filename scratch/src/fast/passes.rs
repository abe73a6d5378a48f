//! The forward and the backward pass through all groups, in buffers that are made once and used again.

use mlp_parity::{Activation, MlpConfig, Parameters};

use crate::fast::group::{Activity, Group, push_forward};
use crate::fast::images::{Block, Images};
use crate::fast::kernels::{Pool, Row, WIDTH, tiles, vectorized};
use crate::reference::optimizer::Step;
use crate::reference::{activation, loss};

/// Logits of a row are exponentiated in so many at a time.
const VECTOR: usize = 16;

/// A sum over the neurons of a layer is made of so many parts, whatever the number of threads. Each is over neighbouring
/// groups, so that of two threads each multiplies by the weights that it owns, which its caches have.
const PARTS: usize = 2;

/// What the groups of all layers compute on a batch.
#[derive(Clone, Debug)]
pub(crate) struct Workspace {
    blocks: Vec<Block>,
    layers: Vec<Vec<Activity>>,
    /// Z of each layer but the first in parts that are to be added up: part after part, tile after tile.
    parts: Vec<Vec<Vec<Row>>>,
    labels: Vec<usize>,
    /// One row of logits.
    row: Vec<f32>,
    activation: Activation,
    images: usize,
}

/// The groups of all layers, with these parameters.
pub(crate) fn groups(parameters: &Parameters<f32>) -> Vec<Vec<Group>> {
    let layers = parameters.layers();
    let group = |index: usize, neurons: std::ops::Range<usize>| {
        let layer = &layers[index];
        let row = |row: ndarray::ArrayView1<'_, f32>| Row::from_values(row);
        let incoming = if index == 0 {
            layer.weight.rows().into_iter().map(|pixel| row(pixel.slice(ndarray::s![neurons.clone()]))).collect()
        } else {
            Vec::new()
        };
        let outgoing = layers.get(index + 1).map(|next| {
            let weight = next.weight.slice(ndarray::s![neurons.clone(), ..]);
            let tile =
                |columns| weight.slice_move(ndarray::s![.., columns]).rows().into_iter().map(row).collect::<Vec<_>>();
            tiles(weight.ncols()).flat_map(tile).collect()
        });
        let bias = row(layer.bias.slice(ndarray::s![neurons.clone()]));
        Group::new(neurons.len(), bias, incoming, outgoing.unwrap_or_default())
    };
    let of_layer = |index: usize| tiles(layers[index].bias.len()).map(|neurons| group(index, neurons)).collect();
    (0..layers.len()).map(of_layer).collect()
}

/// The parameters of all groups.
pub(crate) fn parameters(groups: &[Vec<Group>], config: &MlpConfig) -> Parameters<f32> {
    let mut parameters = Parameters::zeros(config);
    for (index, layer) in parameters.layers_mut().iter_mut().enumerate() {
        let columns: Vec<_> = tiles(layer.bias.len()).collect();
        for (tile, (group, columns)) in groups[index].iter().zip(&columns).enumerate() {
            copy(&group.bias.values[0], layer.bias.slice_mut(ndarray::s![columns.clone()]));
            let sources: Box<dyn Iterator<Item = &Row>> = match index.checked_sub(1) {
                None => Box::new(group.incoming.values.iter()),
                Some(below) => Box::new(groups[below].iter().flat_map(move |group| group.outgoing_tile(tile))),
            };
            for (row, mut to) in sources.zip(layer.weight.rows_mut()) {
                copy(row, to.slice_mut(ndarray::s![columns.clone()]));
            }
        }
    }
    parameters
}

/// The first so many rows. There may be more.
fn room_for(images: usize, rows: &mut Vec<Row>) -> &mut [Row] {
    rows.resize(rows.len().max(images), Row::ZERO);
    &mut rows[..images]
}

/// The sum of the parts.
fn add<'a>(parts: impl Iterator<Item = &'a Vec<Row>>, sums: &mut [Row]) {
    sums.fill(Row::ZERO);
    vectorized(
        #[inline(always)]
        || {
            for part in parts {
                for (sum, row) in sums.iter_mut().zip(part) {
                    sum.add(row);
                }
            }
        },
    );
}

fn copy(row: &Row, mut to: ndarray::ArrayViewMut1<'_, f32>) {
    to.iter_mut().zip(&row.0).for_each(|(to, &from)| *to = from);
}

impl Workspace {
    /// Without room for any image.
    pub(crate) fn new(config: &MlpConfig) -> Self {
        let tiles: Vec<usize> = config.sizes()[1..].iter().map(|&width| tiles(width).len()).collect();
        let layers = tiles.iter().map(|&tiles| vec![Activity::default(); tiles]).collect();
        let parts = tiles.iter().map(|&tiles| vec![Vec::new(); PARTS * tiles]).collect();
        let row = vec![0.0; config.classes().next_multiple_of(VECTOR)];
        let blocks = Block::all(config.inputs());
        Self { blocks, layers, parts, labels: Vec::new(), row, activation: config.activation(), images: 0 }
    }

    /// Equations (1) and (2).
    pub(crate) fn forward(&mut self, groups: &[Vec<Group>], images: &Images<'_>, pool: &Pool) {
        self.images = images.count();
        Block::read(&mut self.blocks, images, pool);
        for (index, own) in groups.iter().enumerate() {
            if let Some(below) = index.checked_sub(1) {
                self.sum_parts(below, &groups[below], own, pool);
            }
            self.activate(index, own, pool);
        }
    }

    /// Equation (1) for the layer above the one with this index, in parts.
    fn sum_parts(&mut self, below: usize, groups: &[Group], above: &[Group], pool: &Pool) {
        let (images, activities, tiles) = (self.images, &self.layers[below], above.len());
        pool.for_each(&mut self.parts[below + 1], &mut vec![(); PARTS * tiles], |index, sums, ()| {
            let (part, tile) = (index / tiles, index % tiles);
            let own = groups.len() * part / PARTS..groups.len() * (part + 1) / PARTS;
            let Group { neurons, bias, .. } = &above[tile];
            let start = if part == 0 { bias.values[0] } else { Row::ZERO };
            push_forward((&groups[own.clone()], &activities[own]), tile, *neurons, start, room_for(images, sums));
        });
    }

    /// Equation (1) for the first layer; for others, the sum of its parts. Equation (2).
    fn activate(&mut self, index: usize, groups: &[Group], pool: &Pool) {
        let (images, f, is_last) = (self.images, self.activation, index + 1 == self.layers.len());
        let (blocks, parts, tiles) = (&self.blocks, &self.parts[index], groups.len());
        pool.for_each(&mut self.layers[index], &mut vec![(); tiles], |tile, activity, ()| {
            let sums = room_for(images, &mut activity.activations);
            if index == 0 {
                groups[tile].sum_pixels(blocks, sums);
            } else {
                add(parts[tile..].iter().step_by(tiles), sums);
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

    /// Equations (3) and (4): the loss of the last forward pass.
    pub(crate) fn loss(&mut self, labels: impl Iterator<Item = usize>, classes: usize) -> f32 {
        // All at once: of labels in random order, each would be waited for.
        self.labels.clear();
        self.labels.extend(labels);
        let (images, row) = (self.images, &mut self.row);
        let Some(last) = self.layers.last_mut() else { return f32::NAN };
        last.iter_mut().for_each(|own| _ = room_for(images, &mut own.deltas));
        let mut sum = 0.0;
        for (image, &label) in (0..images).zip(&self.labels) {
            for (row, own) in row.chunks_mut(WIDTH).zip(&*last) {
                row.copy_from_slice(&own.activations[image].0[..row.len()]);
            }
            // exp(−∞) is 0, as what a row has more than classes has to be.
            row[classes..].fill(f32::NEG_INFINITY);
            sum += vectorized(
                #[inline(always)]
                || loss::of_one_image(row, classes, label, images as f32),
            );
            for (row, own) in row.chunks(WIDTH).zip(&mut *last) {
                own.deltas[image].0[..row.len()].copy_from_slice(row);
            }
        }
        sum / images as f32
    }

    /// Equations (5) to (7), and the update of everything; without a step, parameters become their gradients.
    pub(crate) fn backward(&mut self, groups: &mut [Vec<Group>], step: Option<&Step<f32>>, pool: &Pool) {
        let (images, f) = (self.images, self.activation);
        for index in (0..self.layers.len()).rev() {
            let (layers, above) = self.layers.split_at_mut(index + 1);
            let (own_groups, groups_above) = groups.split_at_mut(index + 1);
            let above = groups_above.first().zip(above.first());
            let blocks = &self.blocks;
            pool.for_each(&mut own_groups[index], &mut layers[index], |_, group, own| {
                if let Some((groups, activities)) = above {
                    let above = (&groups[..], &activities[..]);
                    room_for(images, &mut own.deltas);
                    group.pull_back(above, images, own, f);
                    group.update_outgoing(above, images, own, step);
                }
                let deltas = &own.deltas[..images];
                group.update_bias(deltas, step);
                if index == 0 {
                    group.update_incoming(blocks, deltas, step);
                }
            });
        }
    }

    /// The logits of the last forward pass, image by image.
    pub(crate) fn copy_logits(&self, mut to: ndarray::ArrayViewMut2<'_, f32>) {
        let Some(last) = self.layers.last() else { return };
        for (columns, own) in tiles(to.ncols()).zip(last) {
            for (row, mut to) in own.activations.iter().zip(to.rows_mut()) {
                copy(row, to.slice_mut(ndarray::s![columns.clone()]));
            }
        }
    }
}
