//! What two classifiers, or one, answer to the same images.

use std::fmt;

use mlp_parity::metrics::Evaluation;
use ndarray::Array2;
use serde::Serialize;
use statrs::distribution::{Binomial, DiscreteCDF};

/// McNemar's exact test: how probable it is that, of the images on which just one of two classifiers is right, as few or
/// fewer fall to one side, if each of them could as well have fallen to the other.
pub fn mcnemar(left_only: usize, right_only: usize) -> f64 {
    let (fewer, all) = (left_only.min(right_only) as u64, (left_only + right_only) as u64);
    Binomial::new(0.5, all).map_or(f64::NAN, |coins| (2.0 * coins.cdf(fewer)).min(1.0))
}

/// Cohen's κ: by how much two classifiers agree beyond what their choice of classes alone would bring about, as a share
/// of what is possible; NaN if both give one and the same class to every image.
///
/// # Panics
///
/// If a prediction is not below `classes`.
pub fn cohen_kappa(left: &[usize], right: &[usize], classes: usize) -> f64 {
    let mut table = Array2::<f64>::zeros([classes, classes]);
    left.iter().zip(right).for_each(|(&left, &right)| table[[left, right]] += 1.0);
    table /= left.len() as f64;
    let observed = table.diag().sum();
    let by_chance = table.sum_axis(ndarray::Axis(0)).dot(&table.sum_axis(ndarray::Axis(1)));
    (observed - by_chance) / (1.0 - by_chance)
}

/// Symptom of a classifier that learned nothing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Degeneracy {
    /// It predicts this class for every image.
    Constant(usize),
    /// It is not significantly more accurate than predicting this class, the most frequent one, for every image.
    Collapsed(usize),
}

impl Degeneracy {
    /// Examines predictions for images with the given labels; returns `None` if the classifier learned something.
    pub fn of(evaluation: &Evaluation, labels: &[usize]) -> Option<Self> {
        let first = *evaluation.predictions.first()?;
        if evaluation.predictions.iter().all(|&prediction| prediction == first) {
            return Some(Self::Constant(first));
        }
        let mut counts = vec![0_usize; labels.iter().max()? + 1];
        labels.iter().for_each(|&label| counts[label] += 1);
        Self::collapsed(evaluation.accuracy, &counts)
    }

    /// Examines an accuracy, given the number of images of each label.
    ///
    /// The classifier has collapsed if its accuracy is at most p + 3 √(p (1 − p)/n), where p is the fraction of the most
    /// frequent label among n images: random guessing nearly always stays below this.
    pub fn collapsed(accuracy: f64, images_per_label: &[usize]) -> Option<Self> {
        // Of several most frequent labels any will do; this takes the last.
        let (class, &count) = images_per_label.iter().enumerate().max_by_key(|(_, count)| **count)?;
        let images = images_per_label.iter().sum::<usize>() as f64;
        let fraction = count as f64 / images;
        let chance = fraction + 3.0 * (fraction * (1.0 - fraction) / images).sqrt();
        (accuracy <= chance).then_some(Self::Collapsed(class))
    }
}

impl fmt::Display for Degeneracy {
    /// Continues a sentence whose subject is the classifier.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant(class) => write!(formatter, "predicts class {class} for every image"),
            Self::Collapsed(class) => {
                write!(formatter, "is not significantly more accurate than predicting class {class} for every image")
            }
        }
    }
}
