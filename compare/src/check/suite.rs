//! Runs the check suite on several candidates.

use mlp_parity::Result;
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};

use super::case::Case;
use super::report::{CheckReport, SuiteReport};
use super::stages::check_stages;
use crate::Candidate;

/// Runs the check suite on every candidate. A candidate's suite ends with the first stage that it fails; the other
/// candidates are checked regardless.
///
/// # Errors
///
/// The first error that a candidate returns; [`mlp_parity::Error::Shape`] or [`mlp_parity::Error::Data`] if the
/// parameters or batches of `case` do not fit its network configuration.
pub fn check(case: &Case, candidates: &[Candidate]) -> Result<SuiteReport> {
    case.validate()?;
    let check_one = |candidate: &Candidate| {
        let mut model = candidate.create(&case.config, &case.parameters)?;
        let name = candidate.identity().to_string();
        let report = check_stages(case, &name, model.as_mut(), &|stage| candidate.stage_changed(Some(stage)));
        candidate.stage_changed(None);
        report
    };
    // All candidates are checked to the end, so that it is always the error of the same one that is returned.
    let reports: Vec<Result<CheckReport>> = candidates.par_iter().map(check_one).collect();
    Ok(SuiteReport { reports: reports.into_iter().collect::<Result<_>>()?, trace: None })
}
