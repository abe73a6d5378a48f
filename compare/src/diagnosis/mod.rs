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
//! | `values` | the values that a hypothesis predicts |
//! | `pattern` | differences that no hypothesis explains |
//! | `coverage` | what an agreement does not exclude |
//! | `search` | the search, and the rules of acceptance |

mod catalogue;
mod coverage;
mod pattern;
mod search;
mod target;
mod values;
mod variant;

use mlp_parity::Result;

use crate::Candidate;
use crate::check::{SuiteReport, Trace};

/// Checks a trace, as [`Trace::check`] does, and explains results that disagree. If they agree, adds the mistakes that these data
/// cannot show.
///
/// # Errors
///
/// Any error of [`Trace::check`].
pub fn check_trace(trace: &Trace, candidates: &[Candidate]) -> Result<SuiteReport> {
    let mut suite = trace.check(candidates)?;
    let has_failed = suite.reports.first().is_some_and(|report| report.first_failure().is_some());
    if has_failed {
        suite.diagnosis = Some(search::explain(&trace.computation, &trace.results)?);
    } else if let Some(summary) = &mut suite.trace {
        summary.not_excluded = coverage::not_excluded(&trace.computation, &trace.results)?;
    }
    Ok(suite)
}
