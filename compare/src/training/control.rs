//! The control: a measurement of how much trained networks differ by chance alone.
//!
//! # Purpose
//!
//! Training amplifies rounding errors. After a few hundred steps, two correct implementations differ as much as two
//! runs of one implementation that start from slightly different parameters. At such distances, error bounds are
//! useless, so trained networks are compared by their predictions, and the question is whether they differ by more than
//! chance.
//!
//! *Control replicas* answer it by experiment. A control replica is a copy of the first candidate whose initial
//! parameters are perturbed by rounding-sized noise; it is then trained in the same way. All differences between the
//! first candidate and its replicas are due to chance. The control is used with a single seed; several seeds measure
//! the effect of chance by themselves ([`statistics`](crate::statistics)).
//!
//! # Size of the perturbation
//!
//! A second implementation rounds differently in each of the N steps of a run. Each time, a parameter changes by about
//! one unit in the last place (ulp), up or down at random, and after N steps of this random walk it is about √N ulps
//! away. A replica rounds exactly as the first candidate does, so it is moved by the whole distance at the start: every
//! nonzero parameter changes by √N ulps, rounded up, in a random direction ([`perturbation_ulps`]).
//!
//! If training amplifies differences strongly, the exact size of the perturbation hardly matters, because the earliest
//! differences grow most. In a short or smooth run, however, this size determines the result.
//!
//! # Pass criterion
//!
//! The comparison counts test images. For a replica, let d be its number of disagreements, that is, of test images that
//! it classifies differently from the first candidate, and let a be the absolute difference of the two accuracies, in
//! images. With the largest d and the largest a of all replicas, a candidate passes if
//!
//! ```text
//! disagreements        ≤  max( FACTOR · d,            FLOOR · images )
//! accuracy difference  ≤  max( FACTOR · max(a, √d),   FLOOR · images ) / images
//! ```
//!
//! The term √d is needed because a may be small by chance. If, in each disagreement, either network were right with
//! probability ½, the difference between the accuracies would have a standard deviation of √d images.
//!
//! # Assumptions and limits of the method
//!
//! - Rounding acts like independent noise in every step. A systematic difference between two correct implementations is
//!   covered only as far as [`FACTOR`] allows for it.
//! - A handful of replicas estimates the control only roughly. A candidate that exceeds its limits is therefore
//!   reported as [inconclusive](crate::Verdict::Inconclusive), not as wrong; more replicas, or several seeds, can
//!   settle the question.
//! - Without replicas, only the limit that [`FLOOR`] sets remains.

use mlp_parity::metrics::Evaluation;
use serde::Serialize;

/// Limit of a candidate's difference from the first candidate, as a multiple of the largest difference of a control
/// replica.
pub const FACTOR: f64 = 3.0;

/// Fraction of the test images that may always be classified differently.
///
/// After few steps, or with smooth activations, the replicas may not differ at all. Even then, different rounding can
/// change the predicted class of an image that lies on the boundary between two classes.
pub const FLOOR: f64 = 0.001;

/// Returns the distance by which each initial parameter of a control replica is moved, in units in the last place:
/// √`steps`, rounded up, where `steps` is the number of training steps of the whole run.
pub fn perturbation_ulps(steps: usize) -> usize {
    (steps as f64).sqrt().ceil() as usize
}

/// Comparison of a candidate, trained with one seed, with the limits of the control.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Control {
    /// For each control replica, the number of test images that it classifies differently from the first candidate.
    pub control_disagreements: Vec<usize>,
    /// For each control replica, its accuracy minus that of the first candidate.
    pub control_accuracy_differences: Vec<f64>,
    /// Largest number of disagreements between the candidate and the first one that passes.
    pub disagreement_limit: f64,
    /// Largest absolute difference of their accuracies that passes, as a fraction of the test images.
    pub accuracy_difference_limit: f64,
    /// True if the disagreements and the accuracy difference are both within their limits.
    pub passed: bool,
}

impl Control {
    /// Compares the candidate `second` with the candidate `first`, given the control replicas of `first`. All
    /// evaluations must be of the same test images.
    pub fn new(first: &Evaluation, second: &Evaluation, replicas: &[&Evaluation]) -> Self {
        let images = first.predictions.len() as f64;
        let difference_from_first = |other: &Evaluation| {
            let pairs = first.predictions.iter().zip(&other.predictions);
            (pairs.filter(|(first, other)| first != other).count(), other.accuracy - first.accuracy)
        };
        let (disagreements, accuracy_difference) = difference_from_first(second);
        let (control_disagreements, control_accuracy_differences): (Vec<_>, Vec<_>) =
            replicas.iter().copied().map(difference_from_first).unzip();
        let max_disagreements = control_disagreements.iter().copied().max().unwrap_or(0) as f64;
        // Accuracies are quotients; rounding recovers the exact number of images. NaN stays NaN, and fails below.
        let whole_images = |difference: &f64| (difference.abs() * images).round();
        let max_accuracy_difference = control_accuracy_differences.iter().map(whole_images).fold(0.0_f64, f64::max);
        let disagreement_limit = (FACTOR * max_disagreements).max(FLOOR * images);
        let accuracy_limit_in_images =
            (FACTOR * max_accuracy_difference.max(max_disagreements.sqrt())).max(FLOOR * images);
        Self {
            control_disagreements,
            control_accuracy_differences,
            disagreement_limit,
            accuracy_difference_limit: accuracy_limit_in_images / images,
            passed: disagreements as f64 <= disagreement_limit
                && whole_images(&accuracy_difference) <= accuracy_limit_in_images,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns an evaluation of 1,000 images with label 0, of which the first `wrong` are classified as 1.
    fn evaluation(wrong: usize) -> Evaluation {
        let predictions = (0..1000).map(|image| usize::from(image < wrong)).collect();
        Evaluation { accuracy: 1.0 - wrong as f64 / 1000.0, loss: 0.0, predictions }
    }

    /// Returns the control for a first candidate that misclassifies 20 images, a second one that misclassifies
    /// `second`, and replicas that misclassify the given numbers.
    fn control(second: usize, replicas: &[usize]) -> Control {
        let replicas: Vec<_> = replicas.iter().map(|&wrong| evaluation(wrong)).collect();
        let replicas: Vec<_> = replicas.iter().collect();
        Control::new(&evaluation(20), &evaluation(second), &replicas)
    }

    #[test]
    fn perturbation_ulps_is_square_root_of_steps() {
        assert_eq!([0, 1, 2, 188, 14_070].map(perturbation_ulps), [0, 1, 2, 14, 119]);
    }

    #[test]
    fn control_limit_is_three_times_largest_replica_disagreement() {
        let at_limit = control(50, &[25, 30]);
        assert_eq!(at_limit.control_disagreements, [5, 10]);
        assert!(at_limit.passed);
        assert!(!control(51, &[25, 30]).passed);
    }

    #[test]
    fn control_limit_is_at_least_one_per_thousand_images() {
        assert!(control(21, &[20, 20]).passed);
        assert!(!control(22, &[20, 20]).passed);
    }

    #[test]
    fn control_rejects_nan_accuracy() {
        let second = Evaluation { accuracy: f64::NAN, ..evaluation(20) };
        assert!(!Control::new(&evaluation(20), &second, &[&evaluation(30)]).passed);
    }
}
