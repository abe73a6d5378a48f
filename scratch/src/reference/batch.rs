//! The data of a training step.

use mlp_parity::{Batch, Scalar};
use ndarray::Array2;

/// The images of a batch with their targets, and the masks of dropout.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingBatch<F> {
    /// The images, `[images, inputs]`.
    pub images: Array2<F>,
    /// The targets, `[images, outputs]`: 1 for the class of the image, 0 for the others.
    pub targets: Array2<F>,
    /// The dropout mask of each hidden layer, `[images, units]`, by which its activations are multiplied: 0, or the factor
    /// of an activation that is kept. An empty list, or `None` for a layer, is no dropout.
    pub masks: Vec<Option<Array2<F>>>,
}

impl<F: Scalar> TrainingBatch<F> {
    /// Creates a batch without dropout, with one-hot targets. Labels outside the `classes` get no target.
    pub fn new(batch: &Batch<F>, classes: usize) -> Self {
        let mut targets = Array2::zeros([batch.len(), classes]);
        for (image, &label) in batch.labels().iter().enumerate() {
            if let Some(target) = targets.get_mut([image, label]) {
                *target = F::one();
            }
        }
        Self { images: batch.images().to_owned(), targets, masks: Vec::new() }
    }

    /// Converts the values to another precision, rounding to nearest.
    pub fn cast<G: Scalar>(&self) -> TrainingBatch<G> {
        let cast = |values: &Array2<F>| values.mapv(|value| G::from_f64(value.into()));
        TrainingBatch {
            images: cast(&self.images),
            targets: cast(&self.targets),
            masks: self.masks.iter().map(|mask| mask.as_ref().map(cast)).collect(),
        }
    }

    /// Returns the mask of the hidden layer with this index; `None` if it has no dropout.
    pub fn mask(&self, layer: usize) -> Option<&Array2<F>> {
        self.masks.get(layer).and_then(Option::as_ref)
    }
}
