//! Comparison of the predictions of two trained networks, and networks that learned nothing.

use std::fmt;

use mlp_parity::Dataset;
use mlp_parity::metrics::Evaluation;
use serde::Serialize;

use crate::statistics::text::serialize_number;
use crate::statistics::{Degeneracy, cohen_kappa, mcnemar};
use crate::training::control::Control;

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
    /// Comparison with the [control](crate::training::control), which measures how much networks differ by chance; `None` with
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
