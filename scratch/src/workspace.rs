//! The forward and the backward pass, in buffers that are made once and used again.

use mlp_parity::{MlpConfig, Parameters, Scalar};
use ndarray::{Array2, ArrayView2, s};

use crate::kernels::{Sparse, product};
use crate::{activation, loss};

/// Activations, deltas and gradients of one batch.
#[derive(Clone, Debug)]
pub(crate) struct Workspace<F> {
    /// A¹ … Aᴸ⁻¹ and Zᴸ, `[images, width]`; there is room for more images than a batch has.
    activations: Vec<Array2<F>>,
    /// δ¹ … δᴸ, likewise.
    deltas: Vec<Array2<F>>,
    /// ∂ℒ/∂W and ∂ℒ/∂b of the last backward pass.
    gradients: Parameters<F>,
    /// The images of the last forward pass, most of whose pixels are background.
    sparse: Sparse<F>,
    /// Whether they were taken over: dense ones are not.
    is_sparse: bool,
}

/// Everything that the forward and the backward pass compute on one batch, in the notation of the [crate](crate).
#[derive(Clone, Debug)]
pub struct Passes<F> {
    /// A¹ … Aᴸ⁻¹ and the logits Zᴸ, `[images, width]`.
    pub activations: Vec<Array2<F>>,
    /// δ¹ … δᴸ, `[images, width]`.
    pub deltas: Vec<Array2<F>>,
    /// ℒ
    pub loss: F,
    /// ∂ℒ/∂W and ∂ℒ/∂b of every layer.
    pub gradients: Parameters<F>,
}

impl<F: Scalar> Workspace<F> {
    /// Without room for any image.
    pub(crate) fn new(config: &MlpConfig) -> Self {
        let buffers: Vec<_> = config.sizes()[1..].iter().map(|&width| Array2::zeros([0, width])).collect();
        Self {
            activations: buffers.clone(),
            deltas: buffers,
            gradients: Parameters::zeros(config),
            sparse: Sparse::new(),
            is_sparse: false,
        }
    }

    /// The gradients of the last backward pass.
    pub(crate) fn gradients(&self) -> &Parameters<F> {
        &self.gradients
    }

    /// What the last backward pass, which had as many images as there is room for, has left.
    pub(crate) fn into_passes(self, loss: F) -> Passes<F> {
        Passes { activations: self.activations, deltas: self.deltas, loss, gradients: self.gradients }
    }

    /// Equations (1) and (2): the logits.
    pub(crate) fn forward(
        &mut self,
        config: &MlpConfig,
        parameters: &Parameters<F>,
        images: ArrayView2<'_, F>,
    ) -> ArrayView2<'_, F> {
        let count = images.nrows();
        make_room(&mut self.activations, count);
        let last = parameters.layers().len() - 1;
        for (index, layer) in parameters.layers().iter().enumerate() {
            let (before, after) = self.activations.split_at_mut(index);
            let mut output = after[0].slice_mut(s![..count, ..]);
            match before.last() {
                None => {
                    self.is_sparse = self.sparse.fill(images);
                    let done = self.is_sparse && self.sparse.product(layer.weight.view(), output.view_mut());
                    if !done {
                        product(images, layer.weight.view(), output.view_mut());
                    }
                }
                Some(input) => product(input.slice(s![..count, ..]), layer.weight.view(), output.view_mut()),
            }
            output += &layer.bias;
            if index < last {
                activation::apply(config.activation(), output);
            }
        }
        self.activations[last].slice(s![..count, ..])
    }

    /// Equations (1) to (7): the loss; the gradients are then in [`gradients`](Self::gradients).
    pub(crate) fn backward(
        &mut self,
        config: &MlpConfig,
        parameters: &Parameters<F>,
        images: ArrayView2<'_, F>,
        labels: &[usize],
    ) -> F {
        self.forward(config, parameters, images);
        let count = images.nrows();
        make_room(&mut self.deltas, count);
        let rows = s![..count, ..];
        let layers = parameters.layers();
        let last = layers.len() - 1;
        let logits = self.activations[last].slice(rows);
        let loss = loss::softmax_cross_entropy(logits, labels, self.deltas[last].slice_mut(rows));
        for index in (0..=last).rev() {
            let (before, after) = self.deltas.split_at_mut(index);
            let delta = after[0].slice(rows);
            let gradient = &mut self.gradients.layers_mut()[index];
            gradient.bias.fill(F::zero());
            delta.rows().into_iter().for_each(|row| gradient.bias += &row);
            match (before.last_mut(), index.checked_sub(1)) {
                (Some(previous), Some(below)) => {
                    let input = self.activations[below].slice(rows);
                    product(input.t(), delta, gradient.weight.view_mut());
                    let mut previous = previous.slice_mut(rows);
                    product(delta, layers[index].weight.t(), previous.view_mut());
                    activation::multiply_by_derivative(config.activation(), input, previous);
                }
                _ => {
                    let mut weight = gradient.weight.view_mut();
                    let done = self.is_sparse && self.sparse.transposed_product(delta, weight.view_mut());
                    if !done {
                        product(images.t(), delta, weight);
                    }
                }
            }
        }
        loss
    }
}

/// Makes room for `count` images.
fn make_room<F: Scalar>(buffers: &mut [Array2<F>], count: usize) {
    for buffer in buffers {
        if buffer.nrows() < count {
            *buffer = Array2::zeros([count, buffer.ncols()]);
        }
    }
}
