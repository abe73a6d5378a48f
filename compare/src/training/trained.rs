//! Comparison of trained networks: image by image for one seed, statistically for several seeds.

use std::fmt;

use mlp_parity::Dataset;
use mlp_parity::metrics::Evaluation;
use serde::Serialize;

use super::control::Control;
use crate::statistics::text::{serialize_interval, serialize_number};
use crate::statistics::{
    CONFIDENCE, DIFFERENCE_LEVEL, Degeneracy, EQUIVALENCE_LEVEL, MIN_SEEDS, POWER, Sample, Summary, bootstrap_interval,
    cohen_kappa, mcnemar, seeds_needed,
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

/// Comparison of the predictions of two candidates on the test images, after training with one seed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Agreement {
    /// The two candidates and their training configuration.
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
    /// The p value of [McNemar's test](mcnemar) for equal accuracy.
    pub mcnemar_p: f64,
    /// Agreement between the two candidates' predictions beyond chance: Cohen's κ ([`cohen_kappa`]), which is 1 if all
    /// predictions are equal.
    #[serde(serialize_with = "serialize_number")]
    pub kappa: f64,
    /// Comparison with the [control](super::control), which measures how much networks differ by chance; `None` with
    /// several seeds.
    #[serde(flatten)]
    pub control: Option<Control>,
}

impl Agreement {
    /// Compares two evaluations on the images of `test`. The field [`control`](Self::control) of the result is `None`.
    pub fn new(
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

    /// Returns false if the candidates differ by more than the limits of the control. Returns true otherwise, and
    /// without a control.
    pub fn passed(&self) -> bool {
        self.control.as_ref().is_none_or(|control| control.passed)
    }
}

/// Performance of a trained network on the test images.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// Fraction of the images that are classified correctly, from 0 to 1.
    pub accuracy: f64,
    /// Mean cross-entropy over the images, in nats.
    pub loss: f64,
}

impl From<&Evaluation> for Score {
    fn from(evaluation: &Evaluation) -> Self {
        Self { accuracy: evaluation.accuracy, loss: evaluation.loss }
    }
}

/// One metric, such as the test accuracy, of two candidates over several seeds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct PairedMetric {
    /// Values of the first candidate.
    pub first: Summary,
    /// Values of the second candidate.
    pub second: Summary,
    /// Differences of the values, second minus first, paired by seed.
    pub difference: Summary,
    /// 95 % confidence interval of the mean difference.
    #[serde(serialize_with = "serialize_interval")]
    pub interval: [f64; 2],
}

/// Result of an equivalence test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EquivalenceVerdict {
    /// The accuracies are shown to differ by less than the margin.
    Equivalent,
    /// The accuracies are shown to differ by more than the margin.
    Different,
    /// Neither is shown: there are too few seeds, or the differences vary too much.
    Inconclusive,
}

/// Equivalence test of two candidates over several seeds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Equivalence {
    /// The two candidates and their training configuration.
    #[serde(flatten)]
    pub pair: TrainedPair,
    /// Number of seeds.
    pub seeds: usize,
    /// Margin of equivalence: accuracies that differ by less are equivalent. A fraction of the images.
    pub margin: f64,
    /// Accuracy on the test images.
    pub accuracy: PairedMetric,
    /// Mean cross-entropy on the test images.
    pub loss: PairedMetric,
    /// The p value of the null hypothesis that the accuracies differ by at least the margin: the larger p value of two
    /// one-sided paired t-tests.
    #[serde(serialize_with = "serialize_number")]
    pub equivalence_p: f64,
    /// The p value of the null hypothesis that the accuracies differ by at most the margin.
    #[serde(serialize_with = "serialize_number")]
    pub difference_p: f64,
    /// Bootstrap interval of the mean difference of the accuracies at a confidence of 90 %, which corresponds to two
    /// one-sided tests at the level of 5 %.
    pub bootstrap: [f64; 2],
    /// Number of seeds that would show equivalence with a probability of 90 % if the observed mean and standard
    /// deviation were the true ones; `None` if no practical number would.
    pub seeds_needed: Option<usize>,
    /// The verdict that these p values and intervals lead to.
    pub verdict: EquivalenceVerdict,
}

impl Equivalence {
    /// Tests whether the accuracies of two candidates are equivalent within `margin`, a fraction of the images. The
    /// scores are paired: `first[i]` and `second[i]` are of the same seed.
    ///
    /// With at least [`MIN_SEEDS`] seeds, the verdict is *equivalent* if the two one-sided t-tests are significant at
    /// [`EQUIVALENCE_LEVEL`] and the bootstrap interval lies within ±`margin`; *different* if the difference is
    /// significantly larger than `margin` at [`DIFFERENCE_LEVEL`]; and *inconclusive* otherwise. The losses are
    /// reported, but do not influence the verdict.
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
                interval: differences.confidence_interval(CONFIDENCE),
            };
            (metric, differences, pairs)
        };
        let (accuracy, differences, pairs) = metric(|score| score.accuracy);
        let (loss, ..) = metric(|score| score.loss);
        let bootstrap = bootstrap_interval(&pairs, 1.0 - 2.0 * EQUIVALENCE_LEVEL);
        let (equivalence_p, difference_p) = (differences.equivalence_p(margin), differences.difference_p(margin));
        let bootstrap_within = bootstrap.iter().all(|end| end.abs() < margin);
        let verdict = match differences.count {
            ..MIN_SEEDS => EquivalenceVerdict::Inconclusive,
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
            "with training configuration {training}, over {seeds} seeds, the accuracy of {second} differs from that of {first} by \
             {mean:+.2} percentage points (95 % confidence interval {low:+.2} to {high:+.2})"
        )?;
        match (self.verdict, self.seeds_needed) {
            (EquivalenceVerdict::Equivalent, _) => {
                write!(formatter, ", equivalent within {margin:.2} percentage points")
            }
            (EquivalenceVerdict::Different, _) => {
                write!(formatter, ", more than the margin of {margin:.2} percentage points")
            }
            (EquivalenceVerdict::Inconclusive, _) if *seeds < MIN_SEEDS => {
                write!(formatter, "; an equivalence test needs at least {MIN_SEEDS} seeds")
            }
            (EquivalenceVerdict::Inconclusive, None) => {
                write!(formatter, "; no number of seeds would show equivalence within {margin:.2} percentage points")
            }
            (EquivalenceVerdict::Inconclusive, Some(needed)) if needed <= *seeds => write!(
                formatter,
                "; this does not show equivalence within {margin:.2} percentage points, although {seeds} seeds usually \
                 would: train with more seeds"
            ),
            (EquivalenceVerdict::Inconclusive, Some(needed)) => write!(
                formatter,
                "; too few seeds to show equivalence within {margin:.2} percentage points: with this mean and spread, \
                 {needed} seeds would show it with a probability of {:.0} %",
                POWER * 100.0
            ),
        }
    }
}

/// A trained network that learned nothing: it predicts a single class, or is no better than that.
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
    /// The symptom that the predictions show.
    #[serde(flatten)]
    pub degeneracy: Degeneracy,
}

impl fmt::Display for Degenerate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { training, candidate, seed, accuracy, degeneracy } = self;
        write!(
            formatter,
            "{candidate} (training {training}, seed {seed}) {degeneracy} (accuracy {:.2} %)",
            accuracy * 100.0
        )
    }
}
