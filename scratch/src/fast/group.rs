//! The network in groups of neurons, which is how it is shared out to threads.
//!
//! Each group owns what its neurons alone change: in the forward pass its activations; in the backward pass its δ, its
//! biases and the rows of the next layer's weight that go out from it, and in the first layer the columns of W¹ that come
//! in. So no two threads write the same, how a sum is split does not depend on their number, and neither does any result.

use mlp_parity::Activation;

use crate::fast::images::{Block, TOGETHER};
use crate::fast::kernels::{Product, Row, TransposedProduct, WIDTH, transpose, vectorized};
use crate::fast::tensor::Tensor;
use crate::reference::activation;
use crate::reference::optimizer::Step;

/// At most [`WIDTH`] neurons of one layer.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) neurons: usize,
    /// One row.
    pub(crate) bias: Tensor,
    /// Their columns of W¹; nothing in other layers.
    pub(crate) incoming: Tensor,
    /// Their rows of the next layer's weight, tile after tile; nothing in the last layer.
    pub(crate) outgoing: Tensor,
    /// The sum of 0·W¹ over the rows: NaN where W¹ is not finite.
    zeros: Row,
}

/// What a group computes on a batch.
#[derive(Clone, Debug, Default)]
pub(crate) struct Activity {
    /// A row for each image; there may be room for more. In the last layer, logits.
    pub(crate) activations: Vec<Row>,
    /// δ, likewise.
    pub(crate) deltas: Vec<Row>,
}

/// Groups of a layer, and what they compute.
pub(crate) type Layer<'a> = (&'a [Group], &'a [Activity]);

/// What these groups add to a tile of the next layer's Z: `start` + A·W of `columns` columns.
pub(crate) fn push_forward((groups, activities): Layer<'_>, tile: usize, columns: usize, start: Row, sums: &mut [Row]) {
    sums.fill(start);
    for (chunk, c) in sums.chunks_mut(TOGETHER).enumerate() {
        for (group, activity) in groups.iter().zip(activities) {
            let a = &activity.activations[chunk * TOGETHER..][..c.len()];
            Product { a, b: group.outgoing_tile(tile), c, columns }.run();
        }
    }
}

impl Group {
    /// Neurons with these parameters.
    pub(crate) fn new(neurons: usize, bias: Row, incoming: Vec<Row>, outgoing: Vec<Row>) -> Self {
        let zeros = zeros_of(&incoming);
        let [bias, incoming, outgoing] = [vec![bias], incoming, outgoing].map(Tensor::new);
        Self { neurons, bias, incoming, outgoing, zeros }
    }

    /// Every tensor that it owns.
    pub(crate) fn tensors_mut(&mut self) -> [&mut Tensor; 3] {
        [&mut self.bias, &mut self.incoming, &mut self.outgoing]
    }

    /// Takes over the parameters of another such group. The optimizer's state stays.
    pub(crate) fn take_values(&mut self, mut other: Self) {
        self.zeros = other.zeros;
        for (own, other) in self.tensors_mut().into_iter().zip(other.tensors_mut()) {
            own.values = std::mem::take(&mut other.values);
        }
    }

    /// Updates every parameter from another such group, which holds gradients.
    pub(crate) fn update_all(&mut self, gradients: &Self, step: &Step<f32>) {
        let gradients = [&gradients.bias, &gradients.incoming, &gradients.outgoing];
        for (own, gradient) in self.tensors_mut().into_iter().zip(gradients) {
            own.update(0, &gradient.values, Some(step));
        }
        self.zeros = zeros_of(&self.incoming.values);
    }

    /// Their rows of a tile of the next layer's weight.
    pub(crate) fn outgoing_tile(&self, tile: usize) -> &[Row] {
        &self.outgoing.values[tile * self.neurons..][..self.neurons]
    }

    /// Equation (1) for the first layer.
    pub(crate) fn sum_pixels(&self, blocks: &[Block], sums: &mut [Row]) {
        let mut start = self.bias.values[0];
        // What the zeros that a sparse product skips would have added.
        start.add(&self.zeros);
        sums.fill(start);
        blocks.iter().for_each(|block| block.multiply(&self.incoming.values, sums, self.neurons));
    }

    /// Equation (7): their δ, from the layer above.
    pub(crate) fn pull_back(&self, (groups, activities): Layer<'_>, images: usize, own: &mut Activity, f: Activation) {
        let deltas = &mut own.deltas[..images];
        deltas.fill(Row::ZERO);
        let mut weight = [Row::ZERO; WIDTH];
        for (tile, (group, activity)) in groups.iter().zip(activities).enumerate() {
            transpose(self.outgoing_tile(tile), &mut weight);
            let chunks = activity.deltas[..images].chunks(TOGETHER).zip(deltas.chunks_mut(TOGETHER));
            for (a, c) in chunks {
                Product { a, b: &weight[..group.neurons], c, columns: self.neurons }.run();
            }
        }
        vectorized(
            #[inline(always)]
            || {
                for (a, delta) in own.activations.iter().zip(deltas) {
                    activation::multiply_by_derivative(f, a.0.iter().zip(&mut delta.0));
                }
            },
        );
    }

    /// Equation (5) for the next layer, tile by tile, and the update.
    pub(crate) fn update_outgoing(
        &mut self,
        (groups, activities): Layer<'_>,
        images: usize,
        own: &Activity,
        step: Option<&Step<f32>>,
    ) {
        for (tile, (group, activity)) in groups.iter().zip(activities).enumerate() {
            let mut gradient = [Row::ZERO; WIDTH];
            let c = &mut gradient[..self.neurons];
            let chunks = own.activations[..images].chunks(TOGETHER).zip(activity.deltas.chunks(TOGETHER));
            for (a, b) in chunks {
                TransposedProduct { a, b: &b[..a.len()], c, columns: group.neurons }.run();
            }
            self.outgoing.update(tile * self.neurons, c, step);
        }
    }

    /// Equation (6), and the update.
    pub(crate) fn update_bias(&mut self, deltas: &[Row], step: Option<&Step<f32>>) {
        let mut sum = Row::ZERO;
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

    /// Equation (5) for the first layer, pixel by pixel, and the update.
    pub(crate) fn update_incoming(&mut self, blocks: &[Block], deltas: &[Row], step: Option<&Step<f32>>) {
        let zeros_of_deltas = zeros_of(deltas);
        let may_leave_out = step.is_some_and(Step::keeps_parameters_without_gradient);
        let Self { incoming, zeros, neurons, .. } = self;
        for block in blocks {
            block.multiply_transposed(
                deltas,
                &zeros_of_deltas,
                may_leave_out,
                *neurons,
                #[inline(always)]
                |pixel, gradient| {
                    incoming.update_row(pixel, gradient, step);
                    zeros.add_zero_times(&incoming.values[pixel]);
                },
            );
        }
    }
}

fn zeros_of(rows: &[Row]) -> Row {
    let mut zeros = Row::ZERO;
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
