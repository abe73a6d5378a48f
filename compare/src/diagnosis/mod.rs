//! Diagnosis: names the mistake behind results that disagree.
//!
//! A failed check proves that a program does not compute what it declares. Since the reference is exact and its error bounds are
//! sharp, a hypothesis can be tested: if the program computed this instead, would every comparison agree? The catalogue holds
//! such hypotheses, each of which is another computation of the same reference, so that its bounds follow from the same rules.
//!
//! | module | content |
//! |---|---|
//! | `catalogue` | the hypotheses, by the stage at which they first show |
//! | `variant` | one hypothesis |
//! | `target` | the first results that differ |
//! | `program` | the program, which may be asked for more results |
//! | `made_up` | data on which different computations differ |
//! | `values` | the values that a hypothesis predicts |
//! | `pattern` | differences that no hypothesis explains |
//! | `coverage` | what an agreement does not exclude |
//! | `screening` | the hypotheses that are worth a comparison |
//! | `search` | the search, and the rules of acceptance |

mod catalogue;
mod coverage;
mod made_up;
mod pattern;
mod program;
mod screening;
mod search;
mod target;
#[cfg(test)]
mod tests;
mod values;
mod variant;

use std::borrow::Cow;

use mlp_parity::{Differentiable, Error, Result};
use rayon::iter::{IndexedParallelIterator, IntoParallelRefMutIterator, ParallelIterator};

use crate::Candidate;
use crate::check::{self, Case, CheckReport, Diagnosis, SuiteReport, Trace, check_candidate};
pub use catalogue::{Entry, entries};
use program::Program;

/// Checks a trace, as [`Trace::check`] does, and explains results that disagree. If they agree, adds the mistakes that these data
/// cannot show.
///
/// Explanations with the identifiers in `accepted`, or in the metadata `accept` of the trace, are conventions that its user has
/// accepted: the results are compared with what they predict.
///
/// # Errors
///
/// Any error of [`Trace::check`]; [`Error::Configuration`] if an identifier is not in the [catalogue](entries), or
/// [`Error::Parameters`] if one of the trace is not.
pub fn check_trace(trace: &Trace, candidates: &[Candidate], accepted: &[String]) -> Result<SuiteReport> {
    if let Some(reason) = catalogue::rejection(accepted)? {
        return Err(Error::configuration("accept", reason));
    }
    if let Some(reason) = catalogue::rejection(trace.accepted())? {
        return Err(Error::parameters(
            format!("trace ({})", trace.producer),
            format!("metadata key 'accept': {reason}"),
        ));
    }
    let identifiers: Vec<String> = accepted.iter().chain(trace.accepted()).cloned().collect();
    let mut suite = trace.check(candidates)?;
    let mut trace = Cow::Borrowed(trace);
    let (Some(report), Some(summary)) = (suite.reports.first_mut(), &mut suite.trace) else { return Ok(suite) };
    if report.first_failure().is_some() && !identifiers.is_empty() {
        let adopted = trace.to_mut();
        (summary.accepted, adopted.computation, adopted.results) =
            search::accept(&adopted.computation, &adopted.results, &identifiers)?;
        *report = adopted.report()?;
    }
    let is_needed = |id: &&String| summary.accepted.iter().any(|other| other.id == id.as_str());
    summary.not_needed = identifiers.iter().filter(|id| !is_needed(id)).cloned().collect();
    if report.first_failure().is_some() {
        report.diagnosis = Some(explained(&trace)?);
    } else {
        summary.not_excluded = coverage::not_excluded(&trace.computation, &trace.results)?;
    }
    Ok(suite)
}

/// Explains a trace that disagrees. If something remains unexplained, and the trace has no gradients, those that its first step
/// tells are compared too: in them, mistakes show layer by layer.
fn explained(trace: &Trace) -> Result<Diagnosis> {
    let diagnosis = search::explain(&mut Program::Recorded, &trace.computation, &trace.results)?;
    let recovered = diagnosis.unexplained.as_ref().and_then(|_| trace.with_recovered_gradients());
    let Some((computation, results)) = recovered else { return Ok(diagnosis) };
    let by_layers = search::explain(&mut Program::Recorded, &computation, &results)?;
    Ok(if by_layers.unexplained.is_none() { by_layers } else { diagnosis })
}

/// Runs the check suite on every candidate, as [`check::check`] does, and explains results that disagree.
///
/// # Errors
///
/// Any error of [`check::check`].
pub fn check(case: &Case, candidates: &[Candidate]) -> Result<SuiteReport> {
    let mut suite = check::check(case, candidates)?;
    let failed = suite.reports.par_iter_mut().zip(candidates).filter(|(report, _)| report.first_failure().is_some());
    failed.try_for_each(|(report, candidate)| {
        let mut model = candidate.create(&case.config, &case.parameters)?;
        report.diagnosis = diagnosis(model.as_mut(), case, report);
        Ok(())
    })?;
    Ok(suite)
}

/// Asserts that a network passes the check suite, and returns the report. A test of your own implementation needs only
/// this call.
///
/// The network must have been created with `case.parameters`. Optimizers that it does not implement are skipped, and
/// listed in [`CheckReport::not_implemented`].
///
/// # Panics
///
/// If a check fails; the message states the stage, the tensor, the element, and the mistake that explains the results, or
/// advice on where to look. Also if the network returns an error.
#[track_caller]
#[allow(clippy::panic, reason = "an assertion fails by panicking")]
pub fn assert_agreement(model: &mut dyn Differentiable, case: &Case) -> CheckReport {
    let mut report = match check_candidate(case, "the model", model) {
        Ok(report) => report,
        Err(error) => panic!("the model cannot be checked: {error}"),
    };
    report.diagnosis = diagnosis(model, case, &report);
    match report.first_failure_text() {
        Some(text) => panic!("{text}"),
        None => report,
    }
}

/// Explains the first failed check of a network; `None` if no check failed, or if the failure does not show again.
fn diagnosis(model: &mut dyn Differentiable, case: &Case, report: &CheckReport) -> Option<Diagnosis> {
    // An error of the network, for example about a parameter that has become infinite, must not hide the failure.
    let (mut program, computation, results) = Program::running(model, case, report.first_failure()?).ok()??;
    let diagnosis = search::explain(&mut program, &computation, &results).ok()?;
    (diagnosis != Diagnosis::default()).then_some(diagnosis)
}
