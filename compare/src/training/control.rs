//! How different may two trained networks be? Training amplifies rounding: after some hundred steps two correct
//! implementations are as far apart as two runs of one implementation that started from slightly different parameters.
//! So such replicas are the control. A candidate may differ from the first one by [`FACTOR`] times what the replicas do.
//!
//! How slightly? Another implementation rounds otherwise in every one of N steps, each time by about one unit in the
//! last place of a parameter, up or down as by chance, and so walks √N of them away. A replica, which rounds as the first
//! one does, is placed that far away at the start ([`perturbation_ulps`]). For training that amplifies much this hardly matters,
//! since what comes first grows longest; for a short or a smooth run it is the whole difference.
//!
//! Counted are test images. d is the number of those classified differently; the difference of the accuracies, in
//! images, cannot exceed d, and if each disagreement helped either side by the toss of a coin its standard deviation
//! would be √d. With the largest d of the replicas, and the largest difference a of their accuracies:
//!
//! ```text
//! bound disagreements       = max(FACTOR · d,          FLOOR · images)
//! bound accuracy difference = max(FACTOR · max(a, √d), FLOOR · images) / images
//! ```
//!
//! A handful of replicas estimates the control roughly; more of them, or more seeds, make it sharper.

use mlp_parity::metrics::Evaluation;
use serde::Serialize;

/// How many times more than the replicas a candidate may differ.
pub const FACTOR: f64 = 3.0;

/// The share of the test images that may always differ: where replicas do not part at all (few steps, smooth activations),
/// another rounding can still turn an image that lies on the border of two classes.
pub const FLOOR: f64 = 0.001;

/// How far from the first candidate its replicas start in a run of this many steps, in units in the last place of each
/// parameter: √steps, rounded up.
pub fn perturbation_ulps(steps: usize) -> usize {
    (steps as f64).sqrt().ceil() as usize
}

/// One candidate with one seed, judged by the replicas of the first.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Control {
    /// Test images that each replica classifies differently from the first candidate.
    pub control_disagreements: Vec<usize>,
    /// Each replica's accuracy less that of the first candidate.
    pub control_accuracy_differences: Vec<f64>,
    /// How many disagreements are bound.
    pub disagreement_limit: f64,
    /// How large a difference of the accuracies is bound.
    pub accuracy_difference_limit: f64,
    /// Whether both stay within what is bound.
    pub passed: bool,
}

impl Control {
    /// Judges `right` against `left` by what the replicas of `left` do.
    pub fn new(first: &Evaluation, second: &Evaluation, replicas: &[&Evaluation]) -> Self {
        let images = first.predictions.len() as f64;
        let from_first = |other: &Evaluation| {
            let pairs = first.predictions.iter().zip(&other.predictions);
            (pairs.filter(|(first, other)| first != other).count(), other.accuracy - first.accuracy)
        };
        let (disagreements, accuracy_difference) = from_first(second);
        let (control_disagreements, control_accuracy_differences): (Vec<_>, Vec<_>) =
            replicas.iter().copied().map(from_first).unzip();
        let most = control_disagreements.iter().copied().max().unwrap_or(0) as f64;
        let whole_images = |difference: &f64| (difference.abs() * images).round();
        let farthest = control_accuracy_differences.iter().map(whole_images).fold(0.0_f64, f64::max);
        let disagreement_limit = (FACTOR * most).max(FLOOR * images);
        let allowed_images = (FACTOR * farthest.max(most.sqrt())).max(FLOOR * images);
        Self {
            control_disagreements,
            control_accuracy_differences,
            disagreement_limit,
            accuracy_difference_limit: allowed_images / images,
            passed: disagreements as f64 <= disagreement_limit && whole_images(&accuracy_difference) <= allowed_images,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `wrong` of 1,000 images, from the first one on, are classified as 1 where the label is 0.
    fn evaluation(wrong: usize) -> Evaluation {
        let predictions = (0..1000).map(|image| usize::from(image < wrong)).collect();
        Evaluation { accuracy: 1.0 - wrong as f64 / 1000.0, loss: 0.0, predictions }
    }

    fn judged(right: usize, replicas: &[usize]) -> Control {
        let replicas: Vec<_> = replicas.iter().map(|&wrong| evaluation(wrong)).collect();
        let replicas: Vec<_> = replicas.iter().collect();
        Control::new(&evaluation(20), &evaluation(right), &replicas)
    }

    #[test]
    fn a_twin_starts_where_a_coin_a_step_would_walk() {
        assert_eq!([0, 1, 2, 188, 14_070].map(perturbation_ulps), [0, 1, 2, 14, 119]);
    }

    #[test]
    fn three_times_the_control_is_allowed_and_no_more() {
        let control = judged(50, &[25, 30]);
        assert_eq!(control.control_disagreements, [5, 10]);
        assert!(control.passed);
        assert!(!judged(51, &[25, 30]).passed);
    }

    #[test]
    fn without_any_difference_in_the_control_one_in_a_thousand_may_differ() {
        assert!(judged(21, &[20, 20]).passed);
        assert!(!judged(22, &[20, 20]).passed);
    }

    #[test]
    fn an_accuracy_that_is_not_a_number_never_passes() {
        let right = Evaluation { accuracy: f64::NAN, ..evaluation(20) };
        assert!(!Control::new(&evaluation(20), &right, &[&evaluation(30)]).passed);
    }
}
