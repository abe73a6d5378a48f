//! The checks of a trace.

use mlp_parity::{Arithmetic, Error, Result};

use super::model::{Precision, Trace};
use super::record::contract_batch;
use super::replay::{Replay, Unit};
use crate::Candidate;
use crate::check::case::{Case, NamedOptimizer};
use crate::check::report::{CheckReport, REFERENCE, SuiteReport, TraceSummary};
use crate::check::suite::check;
use crate::check::tensor_check::{CheckContext, Stage};

impl Trace {
    /// Compares the results in the trace with the reference, and runs the check suite on `candidates` with the same
    /// parameters, batches and optimizer. The first report is that of the trace.
    ///
    /// # Errors
    ///
    /// [`Error::Parameters`] if the trace contains no result that could be compared; any error that a candidate
    /// returns.
    pub fn check(&self, candidates: &[Candidate]) -> Result<SuiteReport> {
        let report = self.report()?;
        if report.checks.is_empty() && report.overflows.is_empty() {
            let reason = "nothing to compare; expected logits, loss, a gradient or a step";
            return Err(Error::parameters(format!("trace ({})", self.producer), reason));
        }
        let summary = TraceSummary {
            missing: self.missing(),
            assumptions: self.assumptions().to_vec(),
            accepted: Vec::new(),
            not_needed: Vec::new(),
            not_excluded: Vec::new(),
        };
        let mut suite = SuiteReport { reports: vec![report], trace: Some(summary) };
        let Some(case) = self.case() else {
            let not_implemented = candidates.iter().map(|candidate| candidate.identity().to_string()).collect();
            suite.reports.push(CheckReport { not_implemented, ..CheckReport::default() });
            return Ok(suite);
        };
        suite.reports.extend(check(&case, candidates)?.reports);
        Ok(suite)
    }

    /// Returns the names of the tensors that a complete trace would have and this one lacks. They are not compared.
    pub fn missing(&self) -> Vec<String> {
        let names = || self.tensor_names();
        let mut missing = Vec::new();
        missing.extend((self.results.logits.is_none() && self.results.outputs.is_none()).then(|| "logits".to_owned()));
        // The loss of the first batch has two names.
        let first_loss = self.results.loss.or(self.results.steps.first().and_then(|step| step.loss));
        missing.extend(first_loss.is_none().then(|| "loss".to_owned()));
        missing.extend(
            names().filter(|name| !self.results.gradients.contains_key(name)).map(|name| format!("gradient.{name}")),
        );
        for (number, step) in self.results.steps.iter().enumerate() {
            missing.extend((number > 0 && step.loss.is_none()).then(|| format!("step.{number}.loss")));
            let incomplete = names().filter(|name| !step.parameters.contains_key(name));
            missing.extend(incomplete.map(|name| format!("step.{number}.{name}")));
        }
        missing
    }

    /// Returns a case with the trace's parameters, batches and optimizer, rounded to single precision. Other candidates
    /// are checked on it in addition to the trace. `None` if the contract has no such network.
    fn case(&self) -> Option<Case> {
        let (config, optimizer) = self.contract()?;
        let batch = |batch| contract_batch(batch)?.ok();
        Some(Case {
            parameters: self.computation.initial.cast(),
            batches: self.computation.batches.iter().map(batch).collect::<Option<_>>()?,
            dataset: None,
            trained: None,
            optimizers: vec![NamedOptimizer {
                name: optimizer.to_string(),
                optimizer,
                learning_rate: self.computation.learning_rates.first().copied().unwrap_or_default(),
            }],
            config,
        })
    }

    /// Compares the results in the trace with the reference.
    ///
    /// A trace does not state the precision in which its optimizer stores hyper-parameters such as Adam's β₁. For a
    /// single-precision trace, both precisions are correct. If the comparison fails with double-precision
    /// hyper-parameters, it is repeated with single-precision ones, and the second report is returned if fewer of its
    /// checks fail, so that only the tensors that are wrong in either precision are reported.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if the trace is inconsistent.
    pub(crate) fn report(&self) -> Result<CheckReport> {
        let arithmetic = self.computation.arithmetic;
        let report = self.check_with(&arithmetic)?;
        if self.computation.precision == Precision::Double || report.first_failure().is_none() {
            return Ok(report);
        }
        let single = self.check_with(&Arithmetic { single_hyper_parameters: true, ..arithmetic })?;
        let failures = |report: &CheckReport| report.checks.iter().filter(|check| !check.passed).count();
        Ok(if failures(&single) < failures(&report) { single } else { report })
    }

    /// Compares the results in the trace with those of the reference, within the error bounds of `arithmetic`.
    fn check_with(&self, arithmetic: &Arithmetic) -> Result<CheckReport> {
        let name = format!("trace ({})", self.producer);
        let scenario = self.scenario();
        let context = CheckContext {
            scenario: "",
            stage: Stage::Logits,
            expected_from: REFERENCE,
            candidate: &name,
            step: None,
            unit_roundoff: arithmetic.unit_roundoff,
            overflow: arithmetic.overflow,
        };
        let mut report = CheckReport::default();
        let mut replay = Replay::new(&self.computation, &self.results, arithmetic)?;
        loop {
            let step = replay.step();
            match replay.next_unit()? {
                Unit::End => break,
                Unit::Overflow => {
                    let place = step.map_or_else(|| "batch 0".to_owned(), |step| format!("step {step} of {scenario}"));
                    report.overflows.push(place);
                    break;
                }
                Unit::Comparisons(comparisons) => {
                    let scenario = if step.is_some() { scenario.as_str() } else { "" };
                    for comparison in comparisons {
                        let context = CheckContext { scenario, step, stage: comparison.stage, ..context };
                        report.add(comparison.checks(&context));
                    }
                }
            }
            if step.is_some() && report.first_failure().is_some() {
                // Failures of later steps would only be consequences of this one.
                break;
            }
        }
        report.undecided = replay.into_undecided();
        Ok(report)
    }

    /// Returns a description of the optimizer for messages: as the contract names it, or the name in the metadata.
    fn scenario(&self) -> String {
        match self.contract() {
            Some((_, optimizer)) => optimizer.to_string(),
            None => self.metadata.get("optimizer").cloned().unwrap_or_else(|| "sgd".to_owned()),
        }
    }
}
