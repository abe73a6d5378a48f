//! The devices that candidates compute on.

use mlp_parity_compare::Candidate;

use super::checks::Detail;
use super::page::Page;

/// Adds a line for each candidate that does not compute on the processor: the name of its device.
pub(crate) fn devices(page: &mut Page, candidates: &[Candidate], detail: Detail) {
    let identities = candidates.iter().map(Candidate::identity).filter(|identity| identity.device != "cpu");
    let lines: Vec<String> = identities.map(|identity| format!("{identity}: {}", identity.device)).collect();
    if !lines.is_empty() && detail != Detail::Verdict {
        page.lines(lines);
    }
}
