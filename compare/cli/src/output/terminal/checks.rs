//! Checks, for a person to read.

use comfy_table::Table;
use mlp_parity_compare::check::{Check, CheckReport, Stage, SuiteReport};

use super::table::table;
use crate::output::grouped::grouped;

/// What a check found.
pub(crate) fn suite(suite: &SuiteReport, verbose: bool) -> String {
    let table = match (&suite.missing, suite.reports.as_slice()) {
        _ if verbose => every(suite).to_string(),
        // Of a trace everything.
        (Some(missing), [own, others @ ..]) => {
            let missing = match missing.as_slice() {
                [] => String::new(),
                missing => format!("\n\nnot in the trace, and not compared: {}", missing.join(", ")),
            };
            let own = table_of(own.checks.iter(), false);
            format!("The trace\n{own}{missing}\n\nFrom its parameters, on its batches\n{}", closest(others))
        }
        (_, reports) => closest(reports).to_string(),
    };
    format!("{table}\n\n{}verdict: {}\n{}", undecided(suite), suite.verdict(), suite.reason())
}

/// Every comparison.
pub(super) fn every(suite: &SuiteReport) -> Table {
    table_of(suite.reports.iter().flat_map(|report| &report.checks), true)
}

/// The hidden units at ReLU's kink, if there are any.
fn undecided(suite: &SuiteReport) -> String {
    /// More are only counted.
    const NAMED: usize = 3;
    let units = suite.reports.iter().map(|report| &report.undecided).max_by_key(|units| units.len());
    let Some(units) = units.filter(|units| !units.is_empty()) else { return String::new() };
    let names: Vec<String> = units
        .iter()
        .take(NAMED)
        .map(|unit| format!("unit {} of layer {} on image {}", unit.unit, unit.layer, unit.image))
        .collect();
    let more = if units.len() > NAMED { ", …" } else { "" };
    format!("undecided at ReLU's kink, so that either side is right: {} ({}{more})\n\n", units.len(), names.join(", "))
}

/// For each tensor and stage, and each training of an update or trajectory, the candidate closest to what is bound.
pub(super) fn closest(reports: &[CheckReport]) -> Table {
    let mut groups = grouped(reports.iter().flat_map(|report| &report.checks), |check| group(check));
    groups.sort_by_key(|checks| checks[0].stage);
    let worst = groups.into_iter().filter_map(|checks| {
        // The first that failed, as in the verdict's reason.
        let worse = |worst: &Check, other: &Check| worst.passed && other.error_ratio > worst.error_ratio;
        checks.into_iter().reduce(|worst, other| if worse(worst, other) { other } else { worst })
    });
    table_of(worst, false)
}

/// What shares a row.
fn group(check: &Check) -> String {
    match check.stage {
        Stage::Gradients if check.scenario.is_empty() => format!("{} {}", check.stage, check.tensor),
        _ => format!("{} {}", check.stage, check.scenario),
    }
}

/// Two decimals, or a power of ten.
fn brief(value: f64) -> String {
    if value < 1e5 { format!("{value:.2}") } else { format!("{value:.0e}") }
}

fn table_of<'a>(checks: impl Iterator<Item = &'a Check>, verbose: bool) -> Table {
    let mut header = vec![
        "",
        "",
        "tensor",
        "at",
        "candidate",
        "has",
        "right is",
        "off by",
        "relative",
        "ulps",
        "bound",
        "share",
        "",
    ];
    if verbose {
        header.extend(["worst case", "undecided"]);
    }
    let mut rows = table(&header);
    for check in checks {
        let mut row = vec![
            check.stage.to_string(),
            check.scenario.clone(),
            check.tensor.clone(),
            check.location(),
            check.candidate.clone(),
            format!("{:.3e}", check.actual),
            format!("{:.3e}", check.expected),
            format!("{:.1e}", check.error),
            format!("{:.1e}", check.relative_error),
            brief(check.ulps),
            format!("{:.1e}", check.bound),
            brief(check.error_ratio),
            if check.passed { "ok" } else { "FAILS" }.to_owned(),
        ];
        if verbose {
            row.push(check.worst_case_bound.map_or_else(String::new, |bound| format!("{bound:.1e}")));
            row.push(check.undecided.to_string());
        }
        rows.add_row(row);
    }
    rows
}
