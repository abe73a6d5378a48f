//! The pages of `compare check` and of the full comparison.

use std::path::Path;

use maud::{Markup, html};
use mlp_parity::storage::write_atomically;
use mlp_parity_compare::check::SuiteReport;
#[cfg(feature = "full")]
use mlp_parity_compare::record::RunContext;

use super::document::{STYLE, document};
use super::table::blocks;
#[cfg(feature = "full")]
use super::trained::{self, Trained};
use super::{Provenance, checks, heat_map, verdict};
use crate::error::Result;
use crate::output::escape;
use crate::output::terminal::{Page, notes, suite_parts, suite_verdict};
#[cfg(feature = "full")]
use crate::output::terminal::{outcome_parts, outcome_verdict};

/// The style sheet of the reports, in addition to that of all pages.
const REPORT_STYLE: &str = include_str!("report.css");

/// Writes the page of a check suite. If a trace was checked, this program's own implementations come last.
pub(crate) fn write_suite(path: &Path, suite: &SuiteReport, provenance: &Provenance) -> Result<()> {
    let parts = suite_parts(suite);
    let (first, others) = parts.split_at(1.min(parts.len()));
    let content = html! {
        section {
            h2 id="checks" { "Check suite" }
            @for part in first { (checks::part(part)) }
            (blocks(|page| notes(page, suite)))
        }
        (heat_map::section(suite))
        @if !others.is_empty() {
            section {
                h2 id="implementations" { "Other implementations" }
                @for part in others { (checks::part(part)) }
            }
        }
    };
    let links = [
        ("checks", "Checks", true),
        ("differences", "Differences", has_maps(suite)),
        ("implementations", "Other implementations", !others.is_empty()),
    ];
    let trace = first.first().filter(|_| suite.trace.is_some());
    let subject = trace.map_or_else(|| "check suite".to_owned(), |part| format!("check of {}", part.title));
    let report =
        Report { subject: &subject, failed: suite, links: &links, verdict: &|page| suite_verdict(page, suite) };
    report.write(path, &content, provenance)
}

/// Writes the page of a full comparison.
#[cfg(feature = "full")]
pub(crate) fn write_outcome(
    path: &Path,
    context: &RunContext<'_>,
    trained: &Trained<'_>,
    provenance: &Provenance,
) -> Result<()> {
    let outcome = trained.outcome;
    let [before, after] = outcome_parts(outcome);
    let failed = if outcome.suite.first_failure().is_some() { &outcome.suite } else { &outcome.after_training };
    let content = html! {
        section { h2 id="checks" { "Check suite" } (checks::part(&before)) }
        (trained::section(context, trained)?)
        @if !after.reports.is_empty() {
            section { h2 id="after-training" { "Check suite after training" } (checks::part(&after)) }
        }
        (heat_map::section(failed))
    };
    let (has_runs, is_checked) = (!outcome.runs.is_empty(), !after.reports.is_empty());
    let links = [
        ("checks", "Checks", true),
        ("trained", "Trained networks", has_runs),
        ("after-training", "Checks after training", is_checked),
        ("differences", "Differences", has_maps(failed)),
    ];
    let report =
        Report { subject: "comparison", failed, links: &links, verdict: &|page| outcome_verdict(page, outcome) };
    report.write(path, &content, provenance)
}

fn has_maps(suite: &SuiteReport) -> bool {
    suite.checks().any(|check| check.difference.is_some())
}

/// The parts that both pages have.
struct Report<'a> {
    subject: &'a str,
    /// The checks that are explained, if one of them failed.
    failed: &'a SuiteReport,
    /// Anchor and title of each section of the content, and whether it is there.
    links: &'a [(&'a str, &'a str, bool)],
    verdict: &'a dyn Fn(&mut Page),
}

impl Report<'_> {
    fn write(&self, path: &Path, content: &Markup, provenance: &Provenance) -> Result<()> {
        let diagnosis = ("diagnosis", "Diagnosis", verdict::has_diagnosis(self.failed));
        let links =
            [diagnosis].into_iter().chain(self.links.iter().copied()).chain([("provenance", "Provenance", true)]);
        let body = html! {
            a class="skip" href="#verdict" { "Skip to the verdict" }
            header {
                h1 { "mlp-parity: " (self.subject) }
                nav aria-label="Contents" {
                    ul {
                        @for (anchor, title, _) in links.filter(|(.., is_there)| *is_there) {
                            li { a href={ "#" (anchor) } { (title) } }
                        }
                    }
                }
            }
            main {
                (blocks(self.verdict))
                (verdict::diagnosis(self.failed))
                (content)
                (provenance.section())
            }
        };
        let page = document(&format!("mlp-parity: {}", self.subject), &[STYLE, REPORT_STYLE], &body).into_string();
        Ok(write_atomically(path, escape::text(&page).as_bytes())?)
    }
}
