//! Terminal tables of the check suite.

use mlp_parity::list_names;
use mlp_parity_compare::check::{Check, CheckReport, Explanation, Kind, Stage, SuiteReport, TraceSummary};

use super::table::{Table, table};
use crate::output::escape;
use crate::output::grouped::grouped;

/// Formats the report of `compare check`: a summary of the checks, or with `verbose` every check, then the verdict.
pub(crate) fn suite(suite: &SuiteReport, verbose: bool) -> String {
    let table = match (&suite.trace, suite.reports.as_slice()) {
        _ if verbose => all_checks(suite).to_string(),
        // A trace comes from a single program, so all of its checks are shown; the candidates follow as a summary.
        (Some(summary), [report, candidates @ ..]) => trace(summary, report, candidates),
        (_, reports) => summary(reports).to_string(),
    };
    let (undecided, verdict, acceptable) = (undecided_units(suite), suite.verdict(), acceptable(suite));
    format!("{table}\n\n{undecided}verdict: {verdict}\n{}{acceptable}", escape::line(&suite.reason()))
}

/// Returns a line about how to accept conventions of a trace that disagrees; empty if it has none.
fn acceptable(suite: &SuiteReport) -> String {
    let diagnosis = suite.reports.iter().find_map(|report| report.diagnosis.as_ref()).filter(|_| suite.trace.is_some());
    let conventions = diagnosis.iter().flat_map(|diagnosis| &diagnosis.explanations);
    let is_declarable = |explanation: &Explanation| explanation.advice.contains("declare ");
    let conventions =
        conventions.filter(|explanation| explanation.kind == Kind::Convention && !is_declarable(explanation));
    let options: Vec<String> = conventions.map(|explanation| format!("--accept {}", explanation.id)).collect();
    if options.is_empty() {
        return String::new();
    }
    format!("\nto accept what the metadata cannot declare: {}", options.join(" "))
}

/// Formats the checks of a trace and those of the candidates on the same network.
fn trace(trace: &TraceSummary, report: &CheckReport, candidates: &[CheckReport]) -> String {
    let mut text = format!("Trace\n{}", checks_table(report.checks.iter(), false));
    if !trace.missing.is_empty() {
        let names = list_names(trace.missing.iter().map(String::as_str));
        text += &format!("\n\nnot compared, because the trace does not contain them: {names}");
    }
    if !trace.assumptions.is_empty() {
        text += &format!("\n\nassumed: {}", escape::line(&trace.assumptions.join("; ")));
    }
    if candidates.iter().any(|report| !report.checks.is_empty()) {
        text += &format!("\n\nCandidates, computed from the trace's parameters and batches\n{}", summary(candidates));
    }
    text
}

/// Returns the table of all checks of all candidates.
pub(super) fn all_checks(suite: &SuiteReport) -> Table {
    checks_table(suite.reports.iter().flat_map(|report| &report.checks), true)
}

/// Describes the hidden units whose pre-activation may lie on either side of a kink of the activation function; empty if
/// there are none.
fn undecided_units(suite: &SuiteReport) -> String {
    /// Number of units that are named; the others are only counted.
    const NAMED: usize = 3;
    let units = suite.reports.iter().map(|report| &report.undecided).max_by_key(|units| units.len());
    let Some(units) = units.filter(|units| !units.is_empty()) else { return String::new() };
    let names: Vec<String> = units
        .iter()
        .take(NAMED)
        .map(|unit| format!("unit {} of layer {} on image {}", unit.unit, unit.layer, unit.image))
        .collect();
    let more = if units.len() > NAMED { ", …" } else { "" };
    let count = if units.len() == 1 { "1 hidden unit".to_owned() } else { format!("{} hidden units", units.len()) };
    format!(
        "{count} may lie on either side of a kink of the activation function, or on it: {}{more}; the slopes of both sides \
         are accepted\n\n",
        names.join(", ")
    )
}

/// Returns the summarizing table: one row per group of checks, with the first failed check of the group or, if all
/// passed, the check with the largest error ratio.
pub(super) fn summary(reports: &[CheckReport]) -> Table {
    let mut groups = grouped(reports.iter().flat_map(|report| &report.checks), |check| group_key(check));
    groups.sort_by_key(|checks| checks[0].stage);
    let worst = groups.into_iter().filter_map(|checks| {
        // The first failure, not the largest: the reason of the verdict names it too.
        let is_worse = |worst: &Check, other: &Check| worst.passed && other.error_ratio > worst.error_ratio;
        checks.into_iter().reduce(|worst, other| if is_worse(worst, other) { other } else { worst })
    });
    checks_table(worst, false)
}

/// Returns the key of a row of the summary: the stage with its scenario, and for plain gradients the tensor.
fn group_key(check: &Check) -> String {
    match check.stage {
        Stage::Gradients if check.scenario.is_empty() => format!("{} {}", check.stage, check.tensor),
        _ => format!("{} {}", check.stage, check.scenario),
    }
}

/// Formats a number with two decimals or, from 100,000 on, as a power of ten.
fn brief(value: f64) -> String {
    if value < 1e5 { format!("{value:.2}") } else { format!("{value:.0e}") }
}

/// Returns a table with one row per check. `verbose` adds columns for the worst-case bound and for the number of
/// elements that rounding may decide either way.
fn checks_table<'a>(checks: impl Iterator<Item = &'a Check>, verbose: bool) -> Table {
    let mut header = vec![
        "stage",
        "scenario",
        "tensor",
        "element",
        "candidate",
        "actual",
        "expected",
        "error",
        "relative error",
        "ulps",
        "bound",
        "error ratio",
        "status",
    ];
    if verbose {
        header.extend(["worst-case bound", "undecided"]);
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
            if check.passed { "pass" } else { "FAIL" }.to_owned(),
        ];
        if verbose {
            row.push(check.worst_case_bound.map_or_else(String::new, |bound| format!("{bound:.1e}")));
            row.push(check.undecided.to_string());
        }
        rows.add_row(row);
    }
    rows
}
