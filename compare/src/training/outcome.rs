//! The [`Outcome`] of a comparison, and the rules that lead from trained networks to a verdict.

use super::control::{self, Control};
use super::run::Run;
use super::trained::{Agreement, Degenerate, Equivalence, TrainedPair};
use crate::check::{Check, CheckReport, SuiteReport};
use crate::reproduction::display::seed_range;
use crate::statistics::EquivalenceVerdict;
use crate::statistics::text::enumerate;
use crate::{Error, NamedTraining, Verdict};

/// The outcome of a comparison: the verdict, its reason, and all results behind it.
#[derive(Debug)]
pub struct Outcome {
    /// The verdict.
    pub verdict: Verdict,
    /// The reason for the verdict, in one sentence.
    pub reason: String,
    /// The checks of all candidates.
    pub suite: SuiteReport,
    /// The checks of all candidates from the state after training with the first seed, ordered as the runs.
    pub after_training: SuiteReport,
    /// The training runs of all candidates, ordered by training configuration, seed and candidate. Contains stopped
    /// runs, but no failed ones and no control replicas.
    pub runs: Vec<Run>,
    /// The complete training runs of the [control](super::control) replicas, ordered by training configuration; empty with several
    /// seeds.
    pub replicas: Vec<Run>,
    /// Comparisons of the predictions of the first candidate with those of each other candidate, per training
    /// configuration and seed.
    pub agreements: Vec<Agreement>,
    /// Equivalence tests of the first candidate and each other candidate, per training configuration; empty with one
    /// seed.
    pub equivalences: Vec<Equivalence>,
    /// Trained networks that learned nothing, ordered as the runs.
    pub degenerate: Vec<Degenerate>,
    /// The error that led to [`Verdict::Failed`]; `None` for any other verdict.
    pub error: Option<Error>,
}

impl Outcome {
    /// Returns the first failed check of any candidate; `None` if all checks passed.
    pub fn first_failure(&self) -> Option<&Check> {
        self.suite.first_failure()
    }

    /// Returns the complete runs with a training configuration and its first seed.
    pub fn runs_with_first_seed(&self, training: &NamedTraining) -> Vec<&Run> {
        let NamedTraining { name, config } = training;
        let is_first = |run: &&Run| run.record.training == *name && run.record.seed == config.seed() && !run.stopped;
        self.runs.iter().filter(is_first).collect()
    }

    /// Sets the verdict and its reason.
    pub(super) fn conclude(mut self, verdict: Verdict, reason: impl Into<String>) -> Self {
        self.verdict = verdict;
        self.reason = reason.into();
        self
    }
}

/// Returns the verdict on the trained networks and its reason. All runs must be complete.
pub(super) fn trained_verdict(outcome: &Outcome) -> (Verdict, String) {
    let Outcome { agreements, equivalences, degenerate, .. } = outcome;
    if let Some(text) = outcome.after_training.reports.iter().find_map(CheckReport::first_failure_text) {
        return (Verdict::Disagree, format!("from the state after training, a check fails: {text}"));
    }
    let find = |verdict| equivalences.iter().find(move |equivalence| equivalence.verdict == verdict);
    if let Some(different) = find(EquivalenceVerdict::Different) {
        let reason = format!("all checks pass, but {different}, which indicates a fault that only training reveals");
        return (Verdict::Disagree, reason);
    }
    if let Some(first) = degenerate.first() {
        let reason = match degenerate.len() {
            1 => format!("a network learned nothing, so agreement proves nothing: {first}"),
            count => {
                format!("{count} networks learned nothing, so agreement proves nothing; for example, {first}")
            }
        };
        return (Verdict::Degenerate, reason);
    }
    if let Some(open) = find(EquivalenceVerdict::Inconclusive) {
        return (Verdict::Inconclusive, format!("all checks pass, but {open}"));
    }
    if let Some(reason) = agreements.iter().find_map(beyond_control) {
        return (Verdict::Inconclusive, reason);
    }
    let reason = match equivalences.as_slice() {
        [] => within_control(agreements),
        [equivalence] => format!("all checks pass; {equivalence}"),
        [first, others @ ..] => {
            let (mut counts, mut noticeable) = ([first.seeds; 2], first.noticeable());
            for other in others {
                counts = [counts[0].min(other.seeds), counts[1].max(other.seeds)];
                noticeable = noticeable.max(other.noticeable());
            }
            format!(
                "all checks pass; over {} all accuracies are equivalent within {:.2} percentage points; a difference of \
                 {:.2} would have been noticed in each pair",
                seed_range(counts),
                first.margin * 100.0,
                noticeable * 100.0
            )
        }
    };
    (Verdict::Agree, reason)
}

/// Explains the verdict *agree* with one seed, by the comparison that came closest to its limit.
fn within_control(agreements: &[Agreement]) -> String {
    let controlled = agreements.iter().filter_map(|agreement| Some((agreement, agreement.control.as_ref()?)));
    let ratio =
        |(agreement, control): &(&Agreement, &Control)| agreement.disagreements as f64 / control.disagreement_limit;
    let closest = controlled.max_by(|a, b| ratio(a).total_cmp(&ratio(b)));
    let Some((agreement, control)) = closest else { return "all checks pass".to_owned() };
    let Agreement { pair, disagreements, images, .. } = agreement;
    let scope = match agreements.len() {
        1 => "after training the implementations".to_owned(),
        _ => format!(
            "after training with {} (the result closest to its limit), {} and {}",
            pair.training, pair.first, pair.second
        ),
    };
    let limits = agreements.iter().filter_map(|agreement| agreement.control.as_ref());
    let noticeable = limits.map(|control| control.accuracy_difference_limit * 100.0).fold(0.0, f64::max);
    format!(
        "all checks pass; {scope} disagree on {disagreements} of {images} test images, within {}; with one seed, only a \
         difference in accuracy of more than {noticeable:.2} percentage points would have been noticed: the checks carry \
         the verdict",
        limit(control, *images)
    )
}

/// Describes the limit of disagreements, the end of a sentence such as: `the implementations disagree on 9 of 10000
/// test images, within 3× the control (two replicas perturbed by rounding-sized noise: 4 and 7)`.
fn limit(control: &Control, images: usize) -> String {
    let counts: Vec<String> = control.control_disagreements.iter().map(usize::to_string).collect();
    let replicas = match counts.len() {
        0 => return "the limit (no control replicas)".to_owned(),
        1 => "one replica".to_owned(),
        2 => "two replicas".to_owned(),
        count => format!("{count} replicas"),
    };
    let counts = enumerate(&counts);
    let floor = control::FLOOR * images as f64;
    if control.disagreement_limit > floor {
        format!("{}× the control ({replicas} perturbed by rounding-sized noise: {counts})", control::FACTOR)
    } else {
        format!(
            "the minimum limit of {} % of the test images (control: {replicas} perturbed by rounding-sized noise, {counts})",
            control::FLOOR * 100.0
        )
    }
}

/// Explains how a candidate exceeds the control; `None` if it does not, or if there is no control.
fn beyond_control(agreement: &Agreement) -> Option<String> {
    let Agreement { pair: TrainedPair { training, first, second }, disagreements, images, accuracy_difference, .. } =
        agreement;
    let control = agreement.control.as_ref().filter(|control| !control.passed)?;
    Some(format!(
        "all checks pass, but after training with {training}, {second} and {first} disagree on {disagreements} of {images} \
         test images (limit {:.0}) and their accuracies differ by {:+.2} percentage points (limit {:.2}), which \
         is more than the control explains; train with more seeds",
        control.disagreement_limit,
        accuracy_difference * 100.0,
        control.accuracy_difference_limit * 100.0,
    ))
}
