//! The top of the ladder: what is said of trained networks. With one seed the [control](super::control) decides, with
//! several the [statistics](crate::statistics) of their differences.

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

/// Who is judged, under which plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Names {
    /// The plan.
    pub plan: String,
    /// The first participant.
    pub left: String,
    /// The other.
    pub right: String,
}

/// Trained predictions of one participant against those of the first, with one seed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Agreement {
    /// Who, under which plan.
    #[serde(flatten)]
    pub names: Names,
    /// The seed of both.
    pub seed: u64,
    /// Test images that the two classify differently.
    pub disagreements: usize,
    /// The right accuracy less the left one.
    pub accuracy_difference: f64,
    /// Test images on which the left one alone is right.
    pub left_only: usize,
    /// Test images on which the right one alone is right.
    pub right_only: usize,
    /// [`mcnemar`] of these two.
    pub mcnemar_p: f64,
    /// [`cohen_kappa`] of the predictions.
    #[serde(serialize_with = "number")]
    pub kappa: f64,
    /// The judgement, where there is no other seed.
    #[serde(flatten)]
    pub control: Option<Control>,
}

impl Agreement {
    /// Compares answers to the images of `test`. The judgement is left open.
    pub fn of(names: Names, seed: u64, left: &Evaluation, right: &Evaluation, test: &Dataset, classes: usize) -> Self {
        let answers = || left.predictions.iter().zip(&right.predictions).zip(test.labels());
        let only = |wanted: [bool; 2]| {
            let right_are = |(left, right): (&usize, &usize), label: &usize| [left, right].map(|x| x == label);
            answers().filter(|&(pair, label)| right_are(pair, label) == wanted).count()
        };
        let (left_only, right_only) = (only([true, false]), only([false, true]));
        Self {
            names,
            seed,
            disagreements: answers().filter(|((left, right), _)| left != right).count(),
            accuracy_difference: right.accuracy - left.accuracy,
            left_only,
            right_only,
            mcnemar_p: mcnemar(left_only, right_only),
            kappa: cohen_kappa(&left.predictions, &right.predictions, classes),
            control: None,
        }
    }

    /// Whether it stands against nothing that is claimed.
    pub fn passed(&self) -> bool {
        self.control.as_ref().is_none_or(|control| control.passed)
    }
}

/// How a trained network does on the test images.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// Share that is classified right.
    pub accuracy: f64,
    /// Mean loss.
    pub loss: f64,
}

impl From<&Evaluation> for Score {
    fn from(evaluation: &Evaluation) -> Self {
        Self { accuracy: evaluation.accuracy, loss: evaluation.loss }
    }
}

/// One figure of two participants over several seeds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// Of the first participant.
    pub left: Summary,
    /// Of the other.
    pub right: Summary,
    /// Of the right value less the left one, seed by seed.
    pub difference: Summary,
    /// Where the true difference lies, with a confidence of 95 %.
    #[serde(serialize_with = "numbers")]
    pub interval: [f64; 2],
}

/// What several seeds come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Finding {
    /// The accuracies differ by less than the margin.
    Equivalent,
    /// They differ by more than it.
    Different,
    /// There are too few seeds to tell.
    Open,
}

/// Trained networks of one participant against those of the first, over several seeds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Equivalence {
    /// Who, under which plan.
    #[serde(flatten)]
    pub names: Names,
    /// How many seeds.
    pub seeds: usize,
    /// By how much accuracies may differ, as a share of the images.
    pub margin: f64,
    /// Of the test images.
    pub accuracy: Figure,
    /// Of the test images.
    pub loss: Figure,
    /// How probable such accuracies are if the true difference is not within the margin: two one-sided paired t-tests.
    #[serde(serialize_with = "number")]
    pub equivalence_p: f64,
    /// How probable they are if it is.
    #[serde(serialize_with = "number")]
    pub difference_p: f64,
    /// Where the true difference of the accuracies lies by a paired bootstrap, with the confidence of 90 % that belongs to
    /// two one-sided tests at 5 %.
    pub bootstrap: [f64; 2],
    /// The seeds that would show equivalence with a probability of 90 %, if difference and spread stay as they are; null
    /// if no number does.
    pub seeds_needed: Option<usize>,
    /// What this comes to.
    pub finding: Finding,
}

impl Equivalence {
    /// Judges the runs of `right` by those of `left`, which are in the same order of seeds.
    pub fn judge(names: Names, left: &[Score], right: &[Score], margin: f64) -> Self {
        let values = |side: &[Score], value: fn(&Score) -> f64| side.iter().map(value).collect::<Vec<_>>();
        let figure = |value: fn(&Score) -> f64| {
            let (left, right) = (values(left, value), values(right, value));
            let pairs: Vec<f64> = left.iter().zip(&right).map(|(left, right)| right - left).collect();
            let differences = Sample::of(&pairs);
            let interval = differences.interval(CONFIDENCE);
            let figure = Figure {
                left: Summary::of(&left),
                right: Summary::of(&right),
                difference: differences.summary,
                interval,
            };
            (figure, differences, pairs)
        };
        let (accuracy, differences, pairs) = figure(|score| score.accuracy);
        let (loss, ..) = figure(|score| score.loss);
        let bootstrap = bootstrap_interval(&pairs, 1.0 - 2.0 * EQUIVALENCE_LEVEL);
        let (equivalence_p, difference_p) = (differences.equivalence_p(margin), differences.difference_p(margin));
        let within = bootstrap.iter().all(|end| end.abs() < margin);
        let finding = match differences.count {
            ..FEWEST_SEEDS => Finding::Open,
            _ if equivalence_p < EQUIVALENCE_LEVEL && within => Finding::Equivalent,
            _ if difference_p < DIFFERENCE_LEVEL => Finding::Different,
            _ => Finding::Open,
        };
        let Summary { mean, standard_deviation, .. } = differences.summary;
        Self {
            names,
            seeds: differences.count,
            margin,
            accuracy,
            loss,
            equivalence_p,
            difference_p,
            bootstrap,
            seeds_needed: seeds_needed(mean, standard_deviation, margin),
            finding,
        }
    }
}

impl fmt::Display for Equivalence {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { names: Names { plan, left, right }, seeds, .. } = self;
        let points = |share: f64| share * 100.0;
        let [low, high] = self.accuracy.interval.map(points);
        let (mean, margin) = (points(self.accuracy.difference.mean), points(self.margin));
        write!(
            formatter,
            "under plan {plan}, over {seeds} seeds, the accuracy of {right} differs from that of {left} by {mean:+.2} points \
             (with a confidence of 95 % by {low:+.2} to {high:+.2})"
        )?;
        match (self.finding, self.seeds_needed) {
            (Finding::Equivalent, _) => write!(formatter, ", which is equivalent within {margin:.2} points"),
            (Finding::Different, _) => write!(formatter, ", which is more than {margin:.2} points"),
            (Finding::Open, None) => {
                write!(formatter, ": no number of seeds would show it to be within {margin:.2} points")
            }
            (Finding::Open, Some(needed)) if needed <= *seeds => write!(
                formatter,
                ": this does not show it to be within {margin:.2} points, though {seeds} seeds mostly would; try more"
            ),
            (Finding::Open, Some(needed)) => write!(
                formatter,
                ": too few seeds to show that it is within {margin:.2} points; with such a difference and spread {needed} seeds \
                 would, with a probability of {:.0} %",
                POWER * 100.0
            ),
        }
    }
}

/// A trained network that has learned nothing.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Degenerate {
    /// The plan.
    pub plan: String,
    /// Whose network.
    pub participant: String,
    /// The seed.
    pub seed: u64,
    /// Its accuracy.
    pub accuracy: f64,
    /// How it shows.
    #[serde(flatten)]
    pub degeneracy: Degeneracy,
}

impl fmt::Display for Degenerate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { plan, participant, seed, accuracy, degeneracy } = self;
        write!(formatter, "under plan {plan}, with seed {seed}, {participant} ")?;
        match degeneracy {
            Degeneracy::Constant(class) => write!(formatter, "calls every image a {class}")?,
            Degeneracy::Collapsed(class) => {
                write!(formatter, "is not clearly more often right than who calls every image a {class}")?;
            }
        }
        write!(formatter, " (its accuracy is {:.2} %)", accuracy * 100.0)
    }
}
