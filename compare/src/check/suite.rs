//! The check suite for several candidates, and an assertion for tests of your own implementation.

use mlp_parity::{Differentiable, Result};

use super::case::Case;
use super::report::{CheckReport, SuiteReport};
use super::stages::check_candidate;
use crate::Candidate;

/// Checks all candidates, each up to the first stage that fails.
///
/// # Errors
///
/// The first error that a candidate returns; [`mlp_parity::Error::Shape`] or [`mlp_parity::Error::Data`] if parameters
/// or batches do not fit the configuration of the case.
pub fn check(case: &Case, candidates: &[Candidate]) -> Result<SuiteReport> {
    case.validate()?;
    let check_one = |candidate: &Candidate| {
        let mut model = candidate.create(&case.config, &case.parameters)?;
        check_candidate(case, &candidate.identity().to_string(), model.as_mut())
    };
    Ok(SuiteReport { reports: candidates.iter().map(check_one).collect::<Result<_>>()?, missing: None })
}

/// Asserts that a network passes the check suite, and returns the checks. This tests your own implementation in one
/// line.
///
/// The network must have the parameters of `case`. Optimizers that it does not implement are skipped, and listed in
/// [`CheckReport::not_implemented`].
///
/// # Panics
///
/// If a check fails, with its stage, tensor, element and a hint; or if the network returns an error.
#[track_caller]
#[allow(clippy::panic, reason = "an assertion fails by panicking")]
pub fn assert_agreement(model: &mut dyn Differentiable, case: &Case) -> CheckReport {
    match check_candidate(case, "the model", model) {
        Ok(report) => match report.first_failure() {
            Some(check) => panic!("{check}; {}", check.hint(&report.checks)),
            None => report,
        },
        Err(error) => panic!("the model cannot be checked: {error}"),
    }
}
