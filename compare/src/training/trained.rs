//! Comparison of trained networks: with one seed against the [control](super::control), with several seeds by the
//! [statistics](crate::statistics) of their paired differences.

use std::fmt;

use mlp_parity::Dataset;
use mlp_parity::metrics::Evaluation;
use serde::Serialize;

use super::control::Control;
use crate::number::{number, numbers};
use crate::statistics::{
    CONFIDENCE, DIFFERENCE_LEVEL, Degeneracy, EQUIVALENCE_LEVEL, FEWEST_SEEDS, POWER, Sample, Summary,
    bootstrap_interval, cohen_kappa, mcnemar, seeds_needed,
};

/// Two candidates that were trained with the same configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TrainedPair {
    /// Name of the training configuration.
    pub training: String,
    /// Name of the first candidate.
    pub first: String,
    /// Name of the candidate that is compared with the first.
    pub second: String,
}

/// The predictions of two candidates on the test images, after training with one seed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Agreement {
    /// The two candidates and their training.
    #[serde(flatten)]
    pub pair: TrainedPair,
    /// The seed of both runs.
    pub seed: u64,
    /// Number of test images.
    pub images: usize,
    /// Number of test images that the two classify differently.
    pub disagreements: usize,
    /// Accuracy of the second candidate minus that of the first.
    pub accuracy_difference: f64,
    /// Number of test images that only the first classifies correctly.
    pub first_only_correct: usize,
    /// Number of test images that only the second classifies correctly.
    pub second_only_correct: usize,
    /// The p value of [`mcnemar`]'s test on these two numbers.
    pub mcnemar_p: f64,
    /// [`cohen_kappa`] of the predictions.
    #[serde(serialize_with = "number")]
    pub kappa: f64,
    /// Comparison with the control; only with a single seed.
    #[serde(flatten)]
    pub control: Option<Control>,
}

impl Agreement {
    /// Compares two evaluations on the images of `test`, without a control.
    pub fn of(
        pair: TrainedPair,
        seed: u64,
        first: &Evaluation,
        second: &Evaluation,
        test: &Dataset,
        classes: usize,
    ) -> Self {
        let predictions = || first.predictions.iter().zip(&second.predictions).zip(test.labels());
        let count_correct = |wanted: [bool; 2]| {
            let correct = |(first, second): (&usize, &usize), label: &usize| [first == label, second == label];
            predictions().filter(|&(pair, label)| correct(pair, label) == wanted).count()
        };
        let (first_only_correct, second_only_correct) = (count_correct([true, false]), count_correct([false, true]));
        Self {
            pair,
            seed,
            images: test.len(),
            disagreements: predictions().filter(|((first, second), _)| first != second).count(),
            accuracy_difference: second.accuracy - first.accuracy,
            first_only_correct,
            second_only_correct,
            mcnemar_p: mcnemar(first_only_correct, second_only_correct),
            kappa: cohen_kappa(&first.predictions, &second.predictions, classes),
            control: None,
        }
    }

    /// Returns false only if the candidates differ by more than their control.
    pub fn passed(&self) -> bool {
        self.control.as_ref().is_none_or(|control| control.passed)
    }
}

/// Performance of a trained network on the test images.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// Fraction of the images that are classified correctly, from 0 to 1.
    pub accuracy: f64,
    /// Mean cross-entropy.
    pub loss: f64,
}

impl From<&Evaluation> for Score {
    fn from(evaluation: &Evaluation) -> Self {
        Self { accuracy: evaluation.accuracy, loss: evaluation.loss }
    }
}

/// One metric of two candidates over several seeds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct PairedMetric {
    /// Values of the first candidate.
    pub first: Summary,
    /// Values of the second candidate.
    pub second: Summary,
    /// Second minus first, paired by seed.
    pub difference: Summary,
    /// 95 % confidence interval of the mean difference.
    #[serde(serialize_with = "numbers")]
    pub interval: [f64; 2],
}

/// Result of an equivalence test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EquivalenceVerdict {
    /// The accuracies differ by less than the margin.
    Equivalent,
    /// The accuracies differ by more than the margin.
    Different,
    /// There are too few seeds to decide.
    Inconclusive,
}

/// Equivalence test of two candidates over several seeds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Equivalence {
    /// The two candidates and their training.
    #[serde(flatten)]
    pub pair: TrainedPair,
    /// Number of seeds.
    pub seeds: usize,
    /// Largest difference between equivalent accuracies, as a fraction of the images.
    pub margin: f64,
    /// Accuracy on the test images.
    pub accuracy: PairedMetric,
    /// Mean cross-entropy on the test images.
    pub loss: PairedMetric,
    /// The p value of the hypothesis that the accuracies differ by more than the margin: the larger one of two one-sided
    /// paired t-tests.
    #[serde(serialize_with = "number")]
    pub equivalence_p: f64,
    /// The p value of the hypothesis that the accuracies differ by less than the margin.
    #[serde(serialize_with = "number")]
    pub difference_p: f64,
    /// 90 % interval of the mean difference of the accuracies by a paired bootstrap; 90 % is the interval that
    /// corresponds to two one-sided tests at 5 %.
    pub bootstrap: [f64; 2],
    /// Number of seeds that would show equivalence with a probability of 90 %, assuming the observed mean and standard
    /// deviation; null if no number would.
    pub seeds_needed: Option<usize>,
    /// The result.
    pub verdict: EquivalenceVerdict,
}

impl Equivalence {
    /// Tests the runs of two candidates, paired by seed: `first[i]` and `second[i]` have the same seed.
    pub fn test(pair: TrainedPair, first: &[Score], second: &[Score], margin: f64) -> Self {
        let values = |scores: &[Score], value: fn(&Score) -> f64| scores.iter().map(value).collect::<Vec<_>>();
        let metric = |value: fn(&Score) -> f64| {
            let (first, second) = (values(first, value), values(second, value));
            let pairs: Vec<f64> = first.iter().zip(&second).map(|(first, second)| second - first).collect();
            let differences = Sample::of(&pairs);
            let metric = PairedMetric {
                first: Summary::of(&first),
                second: Summary::of(&second),
                difference: differences.summary,
                interval: differences.interval(CONFIDENCE),
            };
            (metric, differences, pairs)
        };
        let (accuracy, differences, pairs) = metric(|score| score.accuracy);
        let (loss, ..) = metric(|score| score.loss);
        let bootstrap = bootstrap_interval(&pairs, 1.0 - 2.0 * EQUIVALENCE_LEVEL);
        let (equivalence_p, difference_p) = (differences.equivalence_p(margin), differences.difference_p(margin));
        let bootstrap_within = bootstrap.iter().all(|end| end.abs() < margin);
        let verdict = match differences.count {
            ..FEWEST_SEEDS => EquivalenceVerdict::Inconclusive,
            _ if equivalence_p < EQUIVALENCE_LEVEL && bootstrap_within => EquivalenceVerdict::Equivalent,
            _ if difference_p < DIFFERENCE_LEVEL => EquivalenceVerdict::Different,
            _ => EquivalenceVerdict::Inconclusive,
        };
        let Summary { mean, standard_deviation, .. } = differences.summary;
        Self {
            pair,
            seeds: differences.count,
            margin,
            accuracy,
            loss,
            equivalence_p,
            difference_p,
            bootstrap,
            seeds_needed: seeds_needed(mean, standard_deviation, margin),
            verdict,
        }
    }
}

impl fmt::Display for Equivalence {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pair: TrainedPair { training, first, second }, seeds, .. } = self;
        let points = |fraction: f64| fraction * 100.0;
        let [low, high] = self.accuracy.interval.map(points);
        let (mean, margin) = (points(self.accuracy.difference.mean), points(self.margin));
        write!(
            formatter,
            "training {training}, {seeds} seeds: the accuracy of {second} differs from that of {first} by {mean:+.2} points \
             (95 % confidence interval {low:+.2} to {high:+.2})"
        )?;
        match (self.verdict, self.seeds_needed) {
            (EquivalenceVerdict::Equivalent, _) => write!(formatter, ", equivalent within {margin:.2} points"),
            (EquivalenceVerdict::Different, _) => write!(formatter, ", more than the margin of {margin:.2} points"),
            (EquivalenceVerdict::Inconclusive, None) => {
                write!(formatter, "; no number of seeds would show equivalence within {margin:.2} points")
            }
            (EquivalenceVerdict::Inconclusive, Some(needed)) if needed <= *seeds => write!(
                formatter,
                "; this does not show equivalence within {margin:.2} points, although {seeds} seeds usually would: train \
                 with more seeds"
            ),
            (EquivalenceVerdict::Inconclusive, Some(needed)) => write!(
                formatter,
                "; too few seeds to show equivalence within {margin:.2} points: with this mean and spread, {needed} seeds \
                 would with a probability of {:.0} %",
                POWER * 100.0
            ),
        }
    }
}

/// A trained network that learned nothing.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Degenerate {
    /// Name of the training configuration.
    pub training: String,
    /// Name of the candidate.
    pub candidate: String,
    /// The seed of the run.
    pub seed: u64,
    /// Accuracy on the test images.
    pub accuracy: f64,
    /// The symptom.
    #[serde(flatten)]
    pub degeneracy: Degeneracy,
}

impl fmt::Display for Degenerate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { training, candidate, seed, accuracy, degeneracy } = self;
        write!(
            formatter,
            "training {training}, seed {seed}: {candidate} {degeneracy} (accuracy {:.2} %)",
            accuracy * 100.0
        )
    }
}
