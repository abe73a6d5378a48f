//! Comparison of the predictions of two classifiers on the same images, and symptoms of a classifier that learned
//! nothing.

use std::fmt;

use mlp_parity::metrics::Evaluation;
use ndarray::Array2;
use serde::Serialize;
use statrs::distribution::{Binomial, DiscreteCDF};

/// Returns the two-sided p value of McNemar's exact test of the hypothesis that two classifiers are equally accurate.
///
/// The arguments are the numbers of images that only the first, or only the second classifier classifies correctly.
/// Under the hypothesis, each of these b + c images is equally likely to be on either side, so the smaller number has a
/// binomial distribution:
///
/// ```text
/// p = min(1, 2 · P(X ≤ min(b, c))),     X ~ Binomial(b + c, ½)
/// ```
///
/// The test assumes independent images. It is valid for small counts too, where the usual χ² approximation is not. With
/// b = c = 0 the p value is 1.
pub fn mcnemar(first_only: usize, second_only: usize) -> f64 {
    let (smaller, all) = (first_only.min(second_only) as u64, (first_only + second_only) as u64);
    Binomial::new(0.5, all).map_or(f64::NAN, |binomial| (2.0 * binomial.cdf(smaller)).min(1.0))
}

/// Returns Cohen's κ of two lists of predictions for the same images: their agreement beyond chance.
///
/// ```text
/// κ = (pₒ − pₑ) / (1 − pₑ)
/// ```
///
/// pₒ is the fraction of images for which both predict the same class. pₑ is the fraction expected of independent
/// classifiers that predict each class as often as these do. κ is 1 for equal predictions, about 0 for unrelated ones,
/// and NaN if both lists contain only one and the same class.
///
/// # Panics
///
/// If a prediction is not below `classes`.
pub fn cohen_kappa(first: &[usize], second: &[usize], classes: usize) -> f64 {
    let mut table = Array2::<f64>::zeros([classes, classes]);
    first.iter().zip(second).for_each(|(&first, &second)| table[[first, second]] += 1.0);
    table /= first.len() as f64;
    let observed = table.diag().sum();
    let expected = table.sum_axis(ndarray::Axis(0)).dot(&table.sum_axis(ndarray::Axis(1)));
    (observed - expected) / (1.0 - expected)
}

/// Symptom of a classifier that learned nothing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Degeneracy {
    /// The classifier predicts this class for every image.
    Constant(usize),
    /// The classifier is not significantly more accurate than predicting this class, the most frequent one, for every
    /// image.
    Collapsed(usize),
}

impl Degeneracy {
    /// Examines the predictions for images with the given labels. Returns `None` if the classifier learned something,
    /// or if there is no image.
    pub fn detect(evaluation: &Evaluation, labels: &[usize]) -> Option<Self> {
        let first = *evaluation.predictions.first()?;
        if evaluation.predictions.iter().all(|&prediction| prediction == first) {
            return Some(Self::Constant(first));
        }
        let mut counts = vec![0_usize; labels.iter().max()? + 1];
        labels.iter().for_each(|&label| counts[label] += 1);
        Self::detect_collapse(evaluation.accuracy, &counts)
    }

    /// Examines an accuracy, given the number of images of each label. Returns [`Collapsed`](Self::Collapsed) or
    /// `None`.
    ///
    /// The classifier has collapsed if its accuracy is at most p + 3 √(p (1 − p)/n), where p is the fraction of the
    /// most frequent label among n images. A classifier whose predictions are unrelated to the labels exceeds this
    /// bound with a probability of about 0.1 %.
    pub fn detect_collapse(accuracy: f64, images_per_label: &[usize]) -> Option<Self> {
        // If several labels are equally frequent, any of them will do; `max_by_key` returns the last.
        let (class, &count) = images_per_label.iter().enumerate().max_by_key(|(_, count)| **count)?;
        let images = images_per_label.iter().sum::<usize>() as f64;
        let fraction = count as f64 / images;
        let limit = fraction + 3.0 * (fraction * (1.0 - fraction) / images).sqrt();
        (accuracy <= limit).then_some(Self::Collapsed(class))
    }
}

impl fmt::Display for Degeneracy {
    /// Writes a predicate whose subject is the classifier: `predicts class 3 for every image`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant(class) => write!(formatter, "predicts class {class} for every image"),
            Self::Collapsed(class) => {
                write!(formatter, "is not significantly more accurate than predicting class {class} for every image")
            }
        }
    }
}
