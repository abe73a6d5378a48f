//! What the runs of a row say about what the report states of it.

use std::fmt;

use serde::Serialize;

use super::grid::Row;
use crate::number::numbers;
use crate::record::{EpochRecord, RunRecord};
use crate::statistics::{CONFIDENCE, Degeneracy, FEWEST_SEEDS, Sample, Summary};

/// What is said of a row, or of one figure of it. The later is the worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RowVerdict {
    /// What the report states is what one more seed might give: it lies in the 95 % prediction interval of the seeds.
    Reproduced,
    /// It does not lie there, but in that of a cause that was named.
    Explained,
    /// There are too few seeds to tell.
    Inconclusive,
    /// It does not lie there.
    Differs,
    /// A network has learned nothing, so its figures say nothing.
    Degenerate,
}

impl fmt::Display for RowVerdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Reproduced => "reproduced",
            Self::Explained => "explained",
            Self::Inconclusive => "inconclusive",
            Self::Differs => "differs",
            Self::Degenerate => "degenerate",
        })
    }
}

/// One figure of a row, over seeds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MetricAssessment {
    /// By the report.
    pub stated: Option<f64>,
    /// Of each seed.
    pub values: Vec<f64>,
    /// Of these.
    pub summary: Summary,
    /// Where one more seed would lie, with a confidence of 95 %.
    #[serde(serialize_with = "numbers")]
    pub interval: [f64; 2],
    /// Whether that holds what the report states.
    pub verdict: Option<RowVerdict>,
}

impl MetricAssessment {
    fn new(stated: Option<f64>, values: Vec<f64>) -> Self {
        let sample = Sample::of(&values);
        let interval = sample.prediction_interval(CONFIDENCE);
        let verdict = stated.map(|stated| match sample.count {
            ..FEWEST_SEEDS => RowVerdict::Inconclusive,
            _ if (interval[0]..=interval[1]).contains(&stated) => RowVerdict::Reproduced,
            _ => RowVerdict::Differs,
        });
        Self { stated, values, summary: sample.summary, interval, verdict }
    }

    /// What the report states less the mean.
    pub fn difference(&self) -> Option<f64> {
        self.stated.map(|stated| stated - self.summary.mean)
    }
}

/// One candidate's runs of a row, or of what might explain it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RowAssessment {
    /// `scratch`, `framework/flex`
    pub candidate: String,
    /// `framework`
    #[serde(skip)]
    pub implementation: String,
    /// What it was trained with, as records name it.
    pub training: String,
    /// The seeds, in order; the values of the figures are in the same.
    pub seeds: Vec<u64>,
    /// Share of the test images.
    pub accuracy: MetricAssessment,
    /// Running mean over the last epoch.
    pub training_loss: MetricAssessment,
    /// Of the test images, seed by seed.
    pub test_losses: Vec<f64>,
    /// How networks that learned nothing show it.
    pub degenerate: Option<Degeneracy>,
    /// The worse one of both figures.
    pub verdict: RowVerdict,
}

impl RowAssessment {
    /// The first by this implementation, if there is one.
    pub fn of<'a>(measured: &'a [Self], implementation: &str) -> Option<&'a Self> {
        measured.iter().find(|measured| measured.implementation == implementation)
    }

    /// That of this candidate, if there is one.
    pub fn by<'a>(measured: &'a [Self], candidate: &str) -> Option<&'a Self> {
        measured.iter().find(|measured| measured.candidate == candidate)
    }

    /// Of runs of a row that are at least as long as it, by seed.
    pub(super) fn new(row: &Row, epochs: usize, runs: &[&RunRecord]) -> Option<Self> {
        let first = runs.first()?;
        let ends: Vec<(&RunRecord, &EpochRecord)> =
            runs.iter().filter_map(|run| Some((*run, run.epochs.get(epochs.checked_sub(1)?)?))).collect();
        let values = |value: fn(&EpochRecord) -> f64| ends.iter().map(|(_, epoch)| value(epoch)).collect::<Vec<_>>();
        let accuracy = MetricAssessment::new(Some(row.accuracy), values(|epoch| epoch.test_accuracy));
        let training_loss = MetricAssessment::new(row.training_loss, values(|epoch| epoch.train_loss));
        let degenerate = ends.iter().find_map(|(run, epoch)| degeneracy(run, epoch));
        let verdict = match degenerate {
            Some(_) => RowVerdict::Degenerate,
            None => accuracy.verdict.max(training_loss.verdict)?,
        };
        Some(Self {
            candidate: first.identity.to_string(),
            implementation: first.identity.implementation.clone(),
            training: first.training.clone(),
            seeds: ends.iter().map(|(run, _)| run.seed).collect(),
            accuracy,
            training_loss,
            test_losses: values(|epoch| epoch.test_loss),
            degenerate,
            verdict,
        })
    }
}

/// Of the run's predictions where the epoch is its last, and otherwise of the accuracy alone.
fn degeneracy(run: &RunRecord, epoch: &EpochRecord) -> Option<Degeneracy> {
    let is_last = run.epochs.last().is_some_and(|last| last.epoch == epoch.epoch);
    let predicted = |class: usize| run.confusion.iter().any(|row| row.get(class).is_some_and(|&count| count > 0));
    let mut classes = (0..run.confusion.len()).filter(|&class| predicted(class));
    match (classes.next(), classes.next()) {
        (Some(class), None) if is_last => Some(Degeneracy::Constant(class)),
        _ => {
            let images_of_label: Vec<usize> = run.confusion.iter().map(|row| row.iter().sum()).collect();
            Degeneracy::collapsed(epoch.test_accuracy, &images_of_label)
        }
    }
}
