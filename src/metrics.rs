//! Measures of a trained classifier (accuracy, cross-entropy, confusion matrix) and the history of a training run.

use ndarray::{Array2, ArrayView1, ArrayView2};
use serde::Serialize;

/// Accuracy, loss and predictions of a classifier on a data set.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// Fraction of the images whose predicted class equals their label, from 0 to 1.
    pub accuracy: f64,
    /// Mean [cross-entropy](cross_entropy) over the images, in nats.
    pub loss: f64,
    /// Predicted class of each image, in the order of the data set.
    pub predictions: Vec<usize>,
}

impl Evaluation {
    /// Computes accuracy, loss and predictions from the predicted probabilities, `[images, classes]`, and the label of
    /// each image.
    ///
    /// # Panics
    ///
    /// Panics if a label is not below the number of classes.
    pub fn new(probabilities: ArrayView2<'_, f32>, labels: &[usize]) -> Self {
        let predictions: Vec<usize> = probabilities.rows().into_iter().map(argmax).collect();
        let accuracy = accuracy(&predictions, labels);
        Self { accuracy, loss: cross_entropy(probabilities, labels), predictions }
    }
}

/// Result of one epoch of a training run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Epoch {
    /// Number of the epoch, counted from 1.
    pub epoch: usize,
    /// Mean loss over the training images. The loss of each image is computed just before the update of its batch, so
    /// the mean combines losses at different parameter values.
    pub train_loss: f64,
    /// Training time of the epoch in seconds, excluding the time spent in the observer.
    pub seconds: f64,
}

/// Result of a training run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// The epochs that were completed.
    pub epochs: Vec<Epoch>,
    /// True if the observer stopped the run before its last epoch was complete.
    pub stopped: bool,
}

/// Returns the index of the largest value: the predicted class if the values are probabilities or logits. Among equal
/// values the lowest index wins. NaN is ignored; the result is 0 if no value is above −∞.
pub fn argmax(values: ArrayView1<'_, f32>) -> usize {
    let mut best = (0, f32::NEG_INFINITY);
    for (index, &value) in values.iter().enumerate() {
        if value > best.1 {
            best = (index, value);
        }
    }
    best.0
}

/// Computes the fraction of predictions that equal their label, from 0 to 1 (NaN if there are no labels).
pub fn accuracy(predictions: &[usize], labels: &[usize]) -> f64 {
    let correct = predictions.iter().zip(labels).filter(|(prediction, label)| prediction == label).count();
    correct as f64 / labels.len() as f64
}

/// Computes the mean cross-entropy over the images, in nats. An image contributes −ln p, where p is the predicted
/// probability of its label. `probabilities` is `[images, classes]`.
///
/// A probability below the smallest normal `f32`, 1.2e-38, such as one that underflowed to 0, is raised to that number,
/// so a single image contributes at most 87.3. NaN stays NaN.
///
/// # Panics
///
/// Panics if a label is not below the number of classes.
pub fn cross_entropy(probabilities: ArrayView2<'_, f32>, labels: &[usize]) -> f64 {
    let losses = probabilities.rows().into_iter().zip(labels).map(|(row, &label)| {
        let probability = row[label];
        // `f32::max` would replace NaN by the limit and hide it.
        let probability = if probability < f32::MIN_POSITIVE { f32::MIN_POSITIVE } else { probability };
        -f64::from(probability).ln()
    });
    losses.sum::<f64>() / labels.len() as f64
}

/// Computes the confusion matrix: element `[label, prediction]` is the number of images with that label for which that
/// class was predicted.
///
/// # Panics
///
/// Panics if a label or prediction is not below `classes`.
pub fn confusion_matrix(predictions: &[usize], labels: &[usize], classes: usize) -> Array2<usize> {
    let mut matrix = Array2::zeros([classes, classes]);
    for (&prediction, &label) in predictions.iter().zip(labels) {
        matrix[[label, prediction]] += 1;
    }
    matrix
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn argmax_prefers_first_maximum_and_ignores_nan() {
        assert_eq!(argmax(array![0.2, 0.4, 0.4].view()), 1);
        assert_eq!(argmax(array![f32::NAN, 0.1, 0.3].view()), 2);
    }

    #[test]
    fn accuracy_is_fraction_on_confusion_matrix_diagonal() {
        let (predictions, labels) = ([0, 1, 1, 2], [0, 1, 2, 2]);
        assert_eq!(accuracy(&predictions, &labels), 0.75);
        assert_eq!(confusion_matrix(&predictions, &labels, 3), array![[1, 0, 0], [0, 1, 0], [0, 1, 1]]);
    }

    #[test]
    fn cross_entropy_is_mean_negative_log_probability() {
        let loss = cross_entropy(array![[0.5, 0.5], [0.25, 0.75]].view(), &[0, 0]);
        approx::assert_relative_eq!(loss, (2.0_f64.ln() + 4.0_f64.ln()) / 2.0);
        // An underflowed probability has a finite loss, but NaN is not hidden.
        assert!(cross_entropy(array![[0.0, 1.0]].view(), &[0]).is_finite());
        assert!(cross_entropy(array![[f32::NAN, 1.0]].view(), &[0]).is_nan());
    }
}
