//! The results of the check suite.

use std::collections::BTreeSet;

use mlp_parity::list_names;
use serde::Serialize;

use super::bounds::HiddenUnit;
use super::explanation::{Diagnosis, Explanation, OtherExplanation};
use super::tensor_check::Check;
use crate::Verdict;

/// The name of the float64 reference in [`Check::expected_from`].
pub const REFERENCE: &str = "reference";

/// Format and version of the JSON document that [`SuiteReport::document`] returns, in its key `format`.
pub const FORMAT: &str = "mlp-parity-check/2";

/// The result of the check suite for one candidate.
#[derive(Clone, Debug, Default, Serialize)]
pub struct CheckReport {
    /// The checks of all stages up to the first that failed. If a tensor is compared in several steps, only the step
    /// with the largest error ratio is listed.
    pub checks: Vec<Check>,
    /// Hidden units, in images of the first batch, whose ReLU input may have either sign after rounding, so that both
    /// values of the derivative are correct.
    pub undecided: Vec<HiddenUnit>,
    /// Optimizers that the candidate does not implement, and that were skipped.
    pub not_implemented: Vec<String>,
    /// Steps that may overflow the candidate's precision, such as `step 0 of sgd`: the number, counted from 0, and the
    /// training configuration. These steps and the following ones were not compared.
    pub overflows: Vec<String>,
    /// The explanation of results that disagree; `None` if there was nothing to explain, or no explanation was sought.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diagnosis: Option<Diagnosis>,
}

impl CheckReport {
    /// Returns the first failed check; `None` if all checks passed.
    pub fn first_failure(&self) -> Option<&Check> {
        self.checks.iter().find(|check| !check.passed)
    }

    /// Returns the first failed check, and its explanation or advice on where to look; `None` if all checks passed.
    pub fn first_failure_text(&self) -> Option<String> {
        Some(format!("{}; {}", self.first_failure()?, self.advice()?))
    }

    /// Returns the explanation of the first failed check or, without one, advice on where to look; `None` if all checks
    /// passed.
    pub fn advice(&self) -> Option<String> {
        let hint = self.first_failure()?.hint(&self.checks);
        Some(self.diagnosis.as_ref().map_or_else(|| hint.clone(), |diagnosis| diagnosis.text(&hint)))
    }

    /// Adds checks. Among the checks of one tensor, stage and scenario in different steps, only the one with the
    /// largest error ratio is kept. A failed check is never replaced.
    pub(in crate::check) fn add(&mut self, checks: Vec<Check>) {
        for check in checks {
            let is_same =
                |old: &Check| (old.stage, &old.tensor, &old.scenario) == (check.stage, &check.tensor, &check.scenario);
            match self.checks.iter_mut().find(|old| is_same(old)) {
                Some(old) if old.passed && old.error_ratio < check.error_ratio => *old = check,
                Some(_) => {}
                None => self.checks.push(check),
            }
        }
    }
}

/// The results of the check suite for all candidates, and for a trace if one was checked.
#[derive(Clone, Debug, Serialize)]
pub struct SuiteReport {
    /// One report per candidate. If a trace was checked, its report comes first.
    pub reports: Vec<CheckReport>,
    /// The missing tensors and the assumptions of the trace; `None` if no trace was checked.
    pub trace: Option<TraceSummary>,
}

/// The parts of a trace that were not compared, and the assumptions under which the others were.
#[derive(Clone, Debug, Serialize)]
pub struct TraceSummary {
    /// Tensors that the trace lacks, and that therefore were not compared.
    pub missing: Vec<String>,
    /// Assumptions about what the trace does not state, such as the order of the axes of weights, in one clause each.
    pub assumptions: Vec<String>,
    /// Explanations that the user of the trace has accepted, and under which it was compared.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub accepted: Vec<OtherExplanation>,
    /// Identifiers of accepted explanations that do not explain anything here.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_needed: Vec<String>,
    /// Mistakes and conventions that these data cannot show.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_excluded: Vec<OtherExplanation>,
}

impl TraceSummary {
    /// Returns the end of a sentence about what was accepted, and what need not be; empty if nothing was.
    pub fn accepted_text(&self) -> String {
        let sentences = self.accepted.iter().map(|other| format!("a program that {} ({})", other.sentence, other.id));
        let sentences: Vec<String> = sentences.collect();
        let accepted =
            if sentences.is_empty() { String::new() } else { format!("; accepted: {}", sentences.join(", and ")) };
        let not_needed = match &self.not_needed[..] {
            [] => String::new(),
            names => format!("; accepted, but not needed: {}", names.join(", ")),
        };
        accepted + &not_needed
    }

    /// Returns the end of a sentence about what is not excluded; empty if everything is.
    fn not_excluded_text(&self) -> String {
        /// Number of sentences; the others are only counted.
        const SHOWN: usize = 2;
        let sentences: Vec<&str> = self.not_excluded.iter().take(SHOWN).map(|other| other.sentence.as_str()).collect();
        match self.not_excluded.len() {
            0 => String::new(),
            count if count > SHOWN => {
                let others = count - SHOWN;
                let others = if others == 1 { "1 other".to_owned() } else { format!("{others} others") };
                format!("; these data do not rule out a program that {}, or {others}", sentences.join(", or one that "),)
            }
            _ => format!("; these data do not rule out a program that {}", sentences.join(", or one that ")),
        }
    }
}

impl SuiteReport {
    /// Returns the checks of all candidates.
    pub fn checks(&self) -> impl Iterator<Item = &Check> {
        self.reports.iter().flat_map(|report| &report.checks)
    }

    /// Returns the first failed check of the first candidate that has one.
    pub fn first_failure(&self) -> Option<&Check> {
        self.reports.iter().find_map(CheckReport::first_failure)
    }

    /// Returns [`Verdict::Disagree`] if any check failed, [`Verdict::Inconclusive`] if steps that may overflow were not
    /// compared, or a check could not have failed, and [`Verdict::Agree`] otherwise.
    pub fn verdict(&self) -> Verdict {
        match (self.first_failure(), self.overflows().is_empty() && self.vacuous().is_empty()) {
            (Some(_), _) => Verdict::Disagree,
            (None, false) => Verdict::Inconclusive,
            (None, true) => Verdict::Agree,
        }
    }

    /// Returns the checks that could not have failed.
    fn vacuous(&self) -> Vec<&Check> {
        self.checks().filter(|check| check.vacuous).collect()
    }

    /// Returns one sentence that explains the verdict: the first failure with advice, or the number of checks that
    /// passed.
    pub fn reason(&self) -> String {
        match self.reports.iter().find_map(CheckReport::first_failure_text) {
            Some(text) => {
                let accepted = self.trace.as_ref().map_or_else(String::new, TraceSummary::accepted_text);
                format!("{text}{accepted}")
            }
            None => {
                let counts: Vec<usize> = self.reports.iter().map(|report| report.checks.len()).collect();
                let on_trace = match (&self.trace, counts.first()) {
                    (Some(_), Some(count)) => format!(" ({count} of them on the trace)"),
                    _ => String::new(),
                };
                let all: usize = counts.iter().sum();
                let skipped = match self.not_implemented().as_slice() {
                    [] => String::new(),
                    names if self.trace.is_some() => {
                        format!(
                            "; not checked beside the trace, because they have no such network: {}",
                            names.join(", ")
                        )
                    }
                    names => format!("; not implemented and not checked: {}", names.join(", ")),
                };
                let missing = match self.trace.as_ref().map(|trace| trace.missing.as_slice()) {
                    None | Some([]) => String::new(),
                    Some([tensor]) => format!("; {tensor} is missing from the trace and was not compared"),
                    Some(tensors) => {
                        format!("; {} tensors are missing from the trace and were not compared", tensors.len())
                    }
                };
                let overflowing = match self.overflows().as_slice() {
                    [] => String::new(),
                    steps => format!(
                        "; not compared, because the numbers may overflow: {} and the following steps; try a smaller \
                         learning rate",
                        list_names(steps.iter().copied())
                    ),
                };
                let vacuous = match self.vacuous().as_slice() {
                    [] => String::new(),
                    checks => format!(
                        "; undecided units make the bounds of {} larger than the values, so that these checks could not \
                         have failed",
                        list_names(checks.iter().map(|check| check.tensor.as_str()))
                    ),
                };
                let accepted = self.trace.as_ref().map_or_else(String::new, TraceSummary::accepted_text);
                let not_excluded = self.trace.as_ref().map_or_else(String::new, TraceSummary::not_excluded_text);
                let checks =
                    if all == 1 { "the only check passes".to_owned() } else { format!("all {all} checks pass") };
                let on_trace = if all == 1 { String::new() } else { on_trace };
                format!(
                    "{checks}{on_trace}: every candidate stays within the error \
                     bounds{accepted}{missing}{skipped}{overflowing}{vacuous}{not_excluded}"
                )
            }
        }
    }

    /// Returns the overflowing steps of all candidates, without duplicates.
    fn overflows(&self) -> Vec<&str> {
        let steps: BTreeSet<&str> =
            self.reports.iter().flat_map(|report| &report.overflows).map(String::as_str).collect();
        steps.into_iter().collect()
    }

    fn not_implemented(&self) -> Vec<&str> {
        self.reports.iter().flat_map(|report| &report.not_implemented).map(String::as_str).collect()
    }

    /// Returns the report as a JSON document.
    ///
    /// # Errors
    ///
    /// Any error that the serializer returns.
    pub fn document(&self) -> serde_json::Result<String> {
        #[derive(Serialize)]
        struct Document<'a> {
            format: &'static str,
            verdict: Verdict,
            reason: String,
            checks: Vec<&'a Check>,
            undecided: Vec<HiddenUnit>,
            not_implemented: Vec<&'a str>,
            #[serde(skip_serializing_if = "Vec::is_empty")]
            overflows: Vec<&'a str>,
            #[serde(flatten)]
            trace: Option<&'a TraceSummary>,
            #[serde(skip_serializing_if = "Option::is_none")]
            diagnosis: Option<&'a [Explanation]>,
            #[serde(skip_serializing_if = "Option::is_none")]
            unexplained: Option<&'a str>,
        }
        let diagnosis = self.reports.iter().find_map(|report| report.diagnosis.as_ref());
        serde_json::to_string_pretty(&Document {
            format: FORMAT,
            verdict: self.verdict(),
            reason: self.reason(),
            checks: self.checks().collect(),
            undecided: self.reports.first().map(|report| report.undecided.clone()).unwrap_or_default(),
            not_implemented: self.not_implemented(),
            overflows: self.overflows(),
            trace: self.trace.as_ref(),
            diagnosis: diagnosis.map(|diagnosis| diagnosis.explanations.as_slice()),
            unexplained: diagnosis.and_then(|diagnosis| diagnosis.unexplained.as_deref()),
        })
    }
}
