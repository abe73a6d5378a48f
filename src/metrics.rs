//! How good a classifier is.

use ndarray::{Array2, ArrayView1, ArrayView2};
use serde::Serialize;

/// How a trained classifier does on a data set.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// Share of the images whose predicted class is their label, 0 to 1.
    pub accuracy: f64,
    /// Mean [`cross_entropy`].
    pub loss: f64,
    /// The predicted class of each image.
    pub predictions: Vec<usize>,
}

impl Evaluation {
    /// Evaluates the probabilities `[images, classes]` of a classifier on images with these labels.
    ///
    /// # Panics
    ///
    /// If a label is not below the number of classes.
    pub fn new(probabilities: ArrayView2<'_, f32>, labels: &[usize]) -> Self {
        let predictions: Vec<usize> = probabilities.rows().into_iter().map(argmax).collect();
        let accuracy = accuracy(&predictions, labels);
        Self { accuracy, loss: cross_entropy(probabilities, labels), predictions }
    }
}

/// One epoch of a run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Epoch {
    /// Counted from 1.
    pub epoch: usize,
    /// Mean of the loss of every image, each taken in its batch, before that batch's update.
    pub train_loss: f64,
    /// Time of the epoch, in seconds, without what the observer did.
    pub seconds: f64,
}

/// What became of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// The complete epochs.
    pub epochs: Vec<Epoch>,
    /// Whether the observer stopped the run before its last epoch was complete.
    pub stopped: bool,
}

/// The index of the largest value, the first of equals: the class of largest probability. NaN is never largest.
pub fn argmax(values: ArrayView1<'_, f32>) -> usize {
    let mut best = (0, f32::NEG_INFINITY);
    for (index, &value) in values.iter().enumerate() {
        if value > best.1 {
            best = (index, value);
        }
    }
    best.0
}

/// Share of the predictions that are the label.
pub fn accuracy(predictions: &[usize], labels: &[usize]) -> f64 {
    let correct = predictions.iter().zip(labels).filter(|(prediction, label)| prediction == label).count();
    correct as f64 / labels.len() as f64
}

/// Mean of −ln p over the images, p being the probability given to the label. Where p underflowed to 0 it counts as
/// the smallest normal f32 (a loss of 87.3). `probabilities` is `[images, classes]`.
///
/// # Panics
///
/// If a label is not below the number of classes.
pub fn cross_entropy(probabilities: ArrayView2<'_, f32>, labels: &[usize]) -> f64 {
    let losses = probabilities.rows().into_iter().zip(labels).map(|(row, &label)| {
        let probability = row[label];
        // Not `f32::max`, which would turn NaN into a number.
        let probability = if probability < f32::MIN_POSITIVE { f32::MIN_POSITIVE } else { probability };
        -f64::from(probability).ln()
    });
    losses.sum::<f64>() / labels.len() as f64
}

/// Number of images of each label (rows) for which each class (columns) is predicted.
///
/// # Panics
///
/// If a label or prediction is not below `classes`.
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
    fn the_first_of_equal_probabilities_wins_and_nan_never() {
        assert_eq!(argmax(array![0.2, 0.4, 0.4].view()), 1);
        assert_eq!(argmax(array![f32::NAN, 0.1, 0.3].view()), 2);
    }

    #[test]
    fn accuracy_and_confusion_count_the_same_images() {
        let (predictions, labels) = ([0, 1, 1, 2], [0, 1, 2, 2]);
        assert_eq!(accuracy(&predictions, &labels), 0.75);
        assert_eq!(confusion_matrix(&predictions, &labels, 3), array![[1, 0, 0], [0, 1, 0], [0, 1, 1]]);
    }

    #[test]
    fn cross_entropy_is_the_mean_of_minus_log_probability() {
        let loss = cross_entropy(array![[0.5, 0.5], [0.25, 0.75]].view(), &[0, 0]);
        approx::assert_relative_eq!(loss, (2.0_f64.ln() + 4.0_f64.ln()) / 2.0);
        assert!(cross_entropy(array![[0.0, 1.0]].view(), &[0]).is_finite());
        assert!(cross_entropy(array![[f32::NAN, 1.0]].view(), &[0]).is_nan());
    }
}
