//! Measures of a trained classifier (accuracy, cross-entropy, confusion matrix) and the history of a training run.

use ndarray::{Array2, ArrayView1, ArrayView2};
use serde::Serialize;

use crate::{Dataset, Error, Result};

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
    /// # Errors
    ///
    /// [`Error::NonFiniteOutput`] if a probability is NaN or infinite.
    ///
    /// # Panics
    ///
    /// Panics if a label is not below the number of classes.
    pub fn new(probabilities: ArrayView2<'_, f32>, labels: &[usize]) -> Result<Self> {
        check_probabilities(probabilities)?;
        let predictions: Vec<usize> = probabilities.rows().into_iter().map(argmax).collect();
        let accuracy = accuracy(&predictions, labels);
        Ok(Self { accuracy, loss: cross_entropy(probabilities, labels), predictions })
    }

    /// Checks that this is a possible evaluation of a network with `classes` classes on `dataset`. A program that compares
    /// implementations calls it, because each implementation may compute the evaluation in its own way.
    ///
    /// # Errors
    ///
    /// - [`Error::NonFiniteOutput`] if the loss or the accuracy is NaN or infinite.
    /// - [`Error::Implementation`] if there is not one prediction per image, a prediction is not a class of the network,
    ///   or the accuracy does not follow from the predictions.
    pub fn check(&self, classes: usize, dataset: &Dataset) -> Result<()> {
        let measures = [("loss", self.loss), ("accuracy", self.accuracy)];
        if let Some((name, value)) = measures.into_iter().find(|(_, value)| !value.is_finite()) {
            return Err(Error::NonFiniteOutput { what: format!("the {name} on {} images", dataset.len()), value });
        }
        let invalid = |reason: String| Err(Error::Implementation(format!("`evaluate` returned {reason}").into()));
        let Self { accuracy: stated, predictions, .. } = self;
        if predictions.len() != dataset.len() {
            let (actual, expected) = (predictions.len(), dataset.len());
            return invalid(format!("{actual} predictions for {expected} images; expected one per image"));
        }
        if let Some(image) = predictions.iter().position(|&class| class >= classes) {
            let class = predictions[image];
            return invalid(format!("class {class} for image {image}; expected a class below {classes}"));
        }
        match accuracy(predictions, dataset.labels()) {
            expected if expected == *stated => Ok(()),
            expected => invalid(format!("accuracy {stated}; the fraction of correct predictions is {expected}")),
        }
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

/// Checks that all probabilities, `[images, classes]`, are finite.
///
/// # Errors
///
/// [`Error::NonFiniteOutput`] with the image and the class of the first probability that is NaN or infinite.
pub fn check_probabilities(probabilities: ArrayView2<'_, f32>) -> Result<()> {
    let non_finite = probabilities.indexed_iter().find(|(_, probability)| !probability.is_finite());
    non_finite.map_or(Ok(()), |((image, class), &value)| {
        let what = format!("the probability of class {class} for image {image}");
        Err(Error::NonFiniteOutput { what, value: value.into() })
    })
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
    fn evaluation_rejects_non_finite_probabilities() {
        for value in [f32::NAN, f32::INFINITY] {
            let probabilities = array![[0.5, 0.5], [0.25, value]];
            let error = Evaluation::new(probabilities.view(), &[0, 0]).unwrap_err().to_string();
            let expected = format!("the probability of class 1 for image 1 is {value}; ");
            assert!(error.starts_with(&expected), "{error}");
        }
    }

    #[test]
    fn evaluation_check_rejects_impossible_results() {
        let data = Dataset::synthetic(3, [2, 2], 3, 0).unwrap();
        let labels = data.labels().to_vec();
        let valid = Evaluation { accuracy: 1.0, loss: 0.5, predictions: labels.clone() };
        valid.check(3, &data).unwrap();
        for (invalid, expected) in [
            (Evaluation { loss: f64::NAN, ..valid.clone() }, "the loss on 3 images is NaN"),
            (Evaluation { accuracy: f64::NAN, ..valid.clone() }, "the accuracy on 3 images is NaN"),
            (Evaluation { predictions: labels[1..].to_vec(), ..valid.clone() }, "2 predictions for 3 images"),
            (Evaluation { predictions: vec![0, 3, 0], ..valid.clone() }, "class 3 for image 1"),
            (Evaluation { accuracy: 0.5, ..valid.clone() }, "accuracy 0.5; the fraction of correct predictions is 1"),
        ] {
            let error = invalid.check(3, &data).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
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
