//! Equivalence test of the accuracies of two candidates over several seeds.
//!
//! The quantity that decides is fixed beforehand: the accuracy after the last epoch. The mean accuracy over the last
//! [`RECENT_EPOCHS`] epochs, which varies less from epoch to epoch, and the [spread](Spread) over seeds are only stated.

use std::fmt;

use serde::Serialize;

use super::agreement::TrainedPair;
use crate::record::EpochRecord;
use crate::statistics::text::{serialize_interval, serialize_number};
use crate::statistics::{
    CONFIDENCE, DIFFERENCE_LEVEL, EQUIVALENCE_LEVEL, EquivalenceVerdict, Look, MIN_SEEDS, POWER, Sample,
    SequentialPlan, Spread, Summary, bootstrap_interval, detectable_difference, seeds_needed,
};

/// Number of epochs at the end of a run whose mean accuracy is stated.
pub const RECENT_EPOCHS: usize = 5;

/// Performance of a trained network on the test images.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// Fraction of the images that are classified correctly, from 0 to 1.
    pub accuracy: f64,
    /// Mean of this fraction over the last [`RECENT_EPOCHS`] tested epochs.
    pub recent_accuracy: f64,
    /// Mean cross-entropy over the images, in nats.
    pub loss: f64,
}

impl Score {
    /// Returns the performance after the last of the tested epochs; `None` without any.
    pub fn after(epochs: &[EpochRecord]) -> Option<Self> {
        let last = epochs.last()?;
        let recent: Vec<f64> = epochs.iter().rev().take(RECENT_EPOCHS).map(|epoch| epoch.test_accuracy).collect();
        Some(Self { accuracy: last.test_accuracy, recent_accuracy: Summary::of(&recent).mean, loss: last.test_loss })
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
    /// 95 % confidence interval of the mean difference, from these seeds alone.
    #[serde(serialize_with = "serialize_interval")]
    pub interval: [f64; 2],
}

/// The values of a metric for each seed, and their differences.
struct PairedValues {
    first: Vec<f64>,
    second: Vec<f64>,
    differences: Vec<f64>,
}

impl PairedValues {
    fn new(first: &[Score], second: &[Score], value: fn(&Score) -> f64) -> Self {
        let [first, second] = [first, second].map(|scores| scores.iter().map(value).collect::<Vec<_>>());
        let differences = first.iter().zip(&second).map(|(first, second)| second - first).collect();
        Self { first, second, differences }
    }

    fn metric(&self) -> PairedMetric {
        let differences = Sample::of(&self.differences);
        PairedMetric {
            first: Summary::of(&self.first),
            second: Summary::of(&self.second),
            difference: differences.summary,
            interval: differences.confidence_interval(CONFIDENCE),
        }
    }
}

/// Equivalence test of two candidates over several seeds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Equivalence {
    /// The two candidates and their training configuration.
    #[serde(flatten)]
    pub pair: TrainedPair,
    /// Number of seeds that were compared.
    pub seeds: usize,
    /// The plan by which seeds were added until the comparison was decided; `None` for a number of seeds that was fixed
    /// beforehand.
    #[serde(rename = "max_seeds", skip_serializing_if = "Option::is_none")]
    pub plan: Option<SequentialPlan>,
    /// Margin of equivalence: accuracies that differ by less are equivalent. A fraction of the images.
    pub margin: f64,
    /// Accuracy on the test images after the last epoch, which decides.
    pub accuracy: PairedMetric,
    /// Mean accuracy over the last [`RECENT_EPOCHS`] epochs.
    pub recent_accuracy: PairedMetric,
    /// The spread of the accuracy after the last epoch.
    pub spread: Spread,
    /// Mean cross-entropy on the test images.
    pub loss: PairedMetric,
    /// The p value of the null hypothesis that the accuracies differ by at least the margin: the larger p value of two
    /// one-sided paired t-tests.
    #[serde(serialize_with = "serialize_number")]
    pub equivalence_p: f64,
    /// The p value of the null hypothesis that the accuracies differ by at most the margin.
    #[serde(serialize_with = "serialize_number")]
    pub difference_p: f64,
    /// Bootstrap interval of the mean difference of the accuracies, which corresponds to two one-sided tests at the level of
    /// the equivalence test: at a confidence of 90 %, unless seeds were added by a plan.
    pub bootstrap: [f64; 2],
    /// Smallest true difference of the accuracies that would have been noticed, as a fraction of the images
    /// ([`detectable_difference`]).
    #[serde(serialize_with = "serialize_number")]
    pub detectable: f64,
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
    /// significantly larger than `margin` at [`DIFFERENCE_LEVEL`]; and *inconclusive* otherwise. Only the accuracy after the
    /// last epoch decides; all other numbers stand beside it.
    pub fn test(pair: TrainedPair, first: &[Score], second: &[Score], margin: f64) -> Self {
        Self::at_share(pair, first, second, margin, 1.0)
    }

    /// Tests two candidates as [`test`](Self::test) does, but at the looks of `plan`: the result is that of the first look
    /// that decides or, if there is none yet, of the last look for which there are enough seeds. The scores must be in the
    /// order in which the seeds were added.
    pub fn sequential(pair: TrainedPair, first: &[Score], second: &[Score], margin: f64, plan: SequentialPlan) -> Self {
        let count = first.len().min(second.len());
        let at = |Look { seeds, share }: Look| {
            let seeds = seeds.min(count);
            Self { plan: Some(plan), ..Self::at_share(pair.clone(), &first[..seeds], &second[..seeds], margin, share) }
        };
        let mut last = None;
        for look in plan.looks().take_while(|look| look.seeds <= count) {
            let result = at(look);
            if result.verdict != EquivalenceVerdict::Inconclusive {
                return result;
            }
            last = Some(result);
        }
        // Fewer seeds than the first look needs decide nothing.
        last.unwrap_or_else(|| at(Look { seeds: count, share: 0.0 }))
    }

    /// Tests two candidates, with `share` of the levels of significance.
    fn at_share(pair: TrainedPair, first: &[Score], second: &[Score], margin: f64, share: f64) -> Self {
        let accuracy = PairedValues::new(first, second, |score| score.accuracy);
        let [recent, loss]: [fn(&Score) -> f64; 2] = [|score| score.recent_accuracy, |score| score.loss];
        let [recent_accuracy, loss] = [recent, loss].map(|value| PairedValues::new(first, second, value).metric());
        let differences = Sample::of(&accuracy.differences);
        let bootstrap = bootstrap_interval(&accuracy.differences, 1.0 - 2.0 * share * EQUIVALENCE_LEVEL);
        let bootstrap_within = bootstrap.iter().all(|end| end.abs() < margin);
        let verdict = match EquivalenceVerdict::of_t_tests(&differences, margin, share) {
            _ if differences.count < MIN_SEEDS => EquivalenceVerdict::Inconclusive,
            EquivalenceVerdict::Equivalent if !bootstrap_within => EquivalenceVerdict::Inconclusive,
            verdict => verdict,
        };
        let Summary { mean, standard_deviation, .. } = differences.summary;
        Self {
            pair,
            seeds: differences.count,
            plan: None,
            margin,
            accuracy: accuracy.metric(),
            recent_accuracy,
            spread: Spread::of(&accuracy.first, &accuracy.second),
            loss,
            equivalence_p: differences.equivalence_p(margin),
            difference_p: differences.difference_p(margin),
            bootstrap,
            detectable: detectable_difference(&differences),
            seeds_needed: seeds_needed(mean, standard_deviation, margin),
            verdict,
        }
    }

    /// Returns true if the spread of the accuracies differs by more than chance explains. This is a finding of its own, and does
    /// not influence the verdict.
    pub fn spread_differs(&self) -> bool {
        self.spread.p < DIFFERENCE_LEVEL
    }

    /// Returns the smallest true difference of the accuracies that an equivalence would not have hidden: the
    /// [detectable](Self::detectable) one, or the margin, which is called equivalent with a probability of at most 5 %.
    pub fn noticeable(&self) -> f64 {
        self.detectable.min(self.margin)
    }

    /// Returns a sentence about the spread of the accuracies.
    pub fn spread_text(&self) -> String {
        let Self { pair: TrainedPair { first, second, .. }, seeds, accuracy, spread, .. } = self;
        let points = |deviation: f64| deviation * 100.0;
        format!(
            "Over {seeds} seeds, the accuracy of {first} has a standard deviation of {:.2} percentage points, and that of \
             {second} one of {:.2}: the ratio of the variances is {:.2}, and chance makes them as different with a \
             probability of {:.1e}.",
            points(accuracy.first.standard_deviation),
            points(accuracy.second.standard_deviation),
            spread.variance_ratio,
            spread.p
        )
    }

    /// Returns the number of seeds with which the comparison may be decided: that of the next look if it is not yet.
    pub fn next_look(&self) -> usize {
        match self.plan {
            Some(plan) if self.verdict == EquivalenceVerdict::Inconclusive => plan.next_look(self.seeds),
            _ => self.seeds,
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
            (EquivalenceVerdict::Equivalent, _) if self.detectable == 0.0 => {
                write!(formatter, ", equivalent within {margin:.2} percentage points: the same with every seed")
            }
            (EquivalenceVerdict::Equivalent, _) => write!(
                formatter,
                ", equivalent within {margin:.2} percentage points; a difference of {:.2} would have been noticed",
                points(self.noticeable())
            ),
            (EquivalenceVerdict::Different, _) => {
                write!(formatter, ", more than the margin of {margin:.2} percentage points")
            }
            (EquivalenceVerdict::Inconclusive, _) if *seeds < MIN_SEEDS => {
                write!(formatter, "; an equivalence test needs at least {MIN_SEEDS} seeds")
            }
            (EquivalenceVerdict::Inconclusive, needed) if self.plan.is_some_and(|plan| plan.max_seeds() <= *seeds) => {
                write!(
                    formatter,
                    "; this decides nothing within {margin:.2} percentage points, and no more seeds are allowed"
                )?;
                let needed =
                    needed.map(|needed| format!(": with this mean and spread, {needed} seeds would usually decide"));
                formatter.write_str(&needed.unwrap_or_default())
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
