//! Assessment of a row: do the measured runs reproduce what the report states?

use std::fmt;

use serde::Serialize;

use super::grid::Row;
use crate::record::{EpochRecord, RunRecord};
use crate::statistics::text::serialize_interval;
use crate::statistics::{CONFIDENCE, Degeneracy, MIN_SEEDS, Sample, Summary};
use crate::training::Score;

/// The verdict on a row of the report, or on one metric of a row: is the reported value reproduced? Verdicts are
/// ordered by severity, and a row gets the worst verdict of its metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RowVerdict {
    /// The reported value lies in the 95 % prediction interval of the seeds, so it could be the result of one more
    /// seed.
    Reproduced,
    /// The reported value lies outside that interval, but within that of the row's [explanation](super::Explanation).
    Explained,
    /// There are too few seeds to decide.
    Inconclusive,
    /// The reported value lies outside the prediction interval.
    Differs,
    /// A network learned nothing, so its accuracy and loss carry no information.
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

/// One metric of a row (the accuracy or the training loss) over several seeds, beside its reported value.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MetricAssessment {
    /// The value that the report states, if any.
    pub stated: Option<f64>,
    /// The measured value for each seed.
    pub values: Vec<f64>,
    /// Mean, standard deviation and extremes of the measured values.
    pub summary: Summary,
    /// The 95 % prediction interval for one more seed: mean ± t · s · √(1 + 1/n); NaN for a single seed.
    #[serde(serialize_with = "serialize_interval")]
    pub interval: [f64; 2],
    /// The verdict on the reported value; `None` if the report states none.
    pub verdict: Option<RowVerdict>,
}

impl MetricAssessment {
    fn new(stated: Option<f64>, values: Vec<f64>) -> Self {
        let sample = Sample::of(&values);
        let interval = sample.prediction_interval(CONFIDENCE);
        let verdict = stated.map(|stated| match sample.count {
            ..MIN_SEEDS => RowVerdict::Inconclusive,
            _ if (interval[0]..=interval[1]).contains(&stated) => RowVerdict::Reproduced,
            _ => RowVerdict::Differs,
        });
        Self { stated, values, summary: sample.summary, interval, verdict }
    }

    /// Returns the reported value minus the measured mean; `None` if the report states no value.
    pub fn difference(&self) -> Option<f64> {
        self.stated.map(|stated| stated - self.summary.mean)
    }
}

/// The assessment of one candidate's runs of a row, or of the row's [explanation](super::Explanation).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RowAssessment {
    /// Name of the candidate: `scratch`, `framework/flex`.
    pub candidate: String,
    /// The candidate's implementation, without its backend: `framework`.
    #[serde(skip)]
    pub implementation: String,
    /// Name of the training configuration, as in the records.
    pub training: String,
    /// The seeds in ascending order; the values of the metrics have the same order.
    pub seeds: Vec<u64>,
    /// The accuracy on the test images, as a fraction.
    pub accuracy: MetricAssessment,
    /// The training loss: the running mean over the last epoch.
    pub training_loss: MetricAssessment,
    /// The mean loss of the test images for each seed.
    pub test_losses: Vec<f64>,
    /// The performance on the test images for each seed.
    #[serde(skip)]
    pub scores: Vec<Score>,
    /// The symptom of a network that learned nothing; `None` if all learned something.
    pub degenerate: Option<Degeneracy>,
    /// The worse of the verdicts on accuracy and training loss; [`RowVerdict::Degenerate`] if a network learned
    /// nothing.
    pub verdict: RowVerdict,
}

impl RowAssessment {
    /// Returns the first assessment in `measured` of a candidate with the given implementation, such as `framework`.
    pub fn find_implementation<'a>(measured: &'a [Self], implementation: &str) -> Option<&'a Self> {
        measured.iter().find(|measured| measured.implementation == implementation)
    }

    /// Returns the assessment in `measured` of the candidate with the given name, such as `framework/flex`.
    pub fn find_candidate<'a>(measured: &'a [Self], candidate: &str) -> Option<&'a Self> {
        measured.iter().find(|measured| measured.candidate == candidate)
    }

    /// Assesses the runs of one candidate, sorted by seed, after `epochs` epochs. Returns `None` without runs.
    pub(super) fn new(row: &Row, epochs: usize, runs: &[&RunRecord]) -> Option<Self> {
        let first = runs.first()?;
        let last_epochs: Vec<(&RunRecord, &EpochRecord)> =
            runs.iter().filter_map(|run| Some((*run, run.epochs.get(epochs.checked_sub(1)?)?))).collect();
        let values =
            |value: fn(&EpochRecord) -> f64| last_epochs.iter().map(|(_, epoch)| value(epoch)).collect::<Vec<_>>();
        let accuracy = MetricAssessment::new(Some(row.accuracy), values(|epoch| epoch.test_accuracy));
        let training_loss = MetricAssessment::new(row.training_loss, values(|epoch| epoch.train_loss));
        let degenerate = last_epochs.iter().find_map(|(run, epoch)| degeneracy(run, epoch));
        let verdict = match degenerate {
            Some(_) => RowVerdict::Degenerate,
            None => accuracy.verdict.max(training_loss.verdict)?,
        };
        Some(Self {
            candidate: first.identity.to_string(),
            implementation: first.identity.implementation.clone(),
            training: first.training.clone(),
            seeds: last_epochs.iter().map(|(run, _)| run.seed).collect(),
            accuracy,
            training_loss,
            test_losses: values(|epoch| epoch.test_loss),
            scores: runs.iter().filter_map(|run| Score::after(run.epochs.get(..epochs)?)).collect(),
            degenerate,
            verdict,
        })
    }
}

/// Returns the symptom if the network learned nothing up to this epoch. Records contain the predictions (the confusion
/// matrix) of a run's last epoch only; for earlier epochs the accuracy alone decides.
fn degeneracy(run: &RunRecord, epoch: &EpochRecord) -> Option<Degeneracy> {
    let is_last = run.epochs.last().is_some_and(|last| last.epoch == epoch.epoch);
    let predicted = |class: usize| run.confusion.iter().any(|row| row.get(class).is_some_and(|&count| count > 0));
    let mut classes = (0..run.confusion.len()).filter(|&class| predicted(class));
    match (classes.next(), classes.next()) {
        (Some(class), None) if is_last => Some(Degeneracy::Constant(class)),
        _ => {
            let images_per_label: Vec<usize> = run.confusion.iter().map(|row| row.iter().sum()).collect();
            Degeneracy::detect_collapse(epoch.test_accuracy, &images_per_label)
        }
    }
}
