//! Terminal output of the check suite.

use std::collections::BTreeSet;

use mlp_parity::list_names;
use mlp_parity_compare::Candidate;
use mlp_parity_compare::check::{Check, CheckReport, Explanation, Kind, SuiteReport, TraceSummary};
use mlp_parity_compare::significant;

use super::page::Page;
use super::table::{Column, Table};
use crate::output::grouped::grouped;

/// The title of the checks of candidates.
pub(super) const TITLE: &str = "Check suite, against the float64 reference";

/// The title of the checks of trained networks.
pub(super) const AFTER_TRAINING: &str = "Check suite, from the state after training";

/// Number of failed checks that are shown; the others are only counted.
const FAILED: usize = 10;

/// The amount of detail in the printed result of a check or a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detail {
    /// The verdict and its reason.
    Verdict,
    /// One line for each stage of the check suite, and the checks that failed.
    Stages,
    /// Every check.
    Checks,
}

impl Detail {
    /// Returns what the options `--verbose` and `--quiet` ask for; `--verbose` takes precedence.
    pub(crate) fn new(verbose: bool, quiet: bool) -> Self {
        match (verbose, quiet) {
            (true, _) => Self::Checks,
            (false, true) => Self::Verdict,
            (false, false) => Self::Stages,
        }
    }
}

/// Adds a line for each candidate that does not compute on the processor: the name of its device.
pub(crate) fn devices(page: &mut Page, candidates: &[Candidate], detail: Detail) {
    let identities = candidates.iter().map(Candidate::identity).filter(|identity| identity.device != "cpu");
    let lines: Vec<String> = identities.map(|identity| format!("{identity}: {}", identity.device)).collect();
    if !lines.is_empty() && detail != Detail::Verdict {
        page.lines(lines);
    }
}

/// Adds the report of `compare check` to a page: the checks of the candidates, those of the trace, the verdict, and the
/// diagnosis.
pub(crate) fn suite(page: &mut Page, suite: &SuiteReport, detail: Detail) {
    if detail != Detail::Verdict {
        // What is said last is seen first: the trace, then the verdict.
        for SuitePart { title, reports } in suite_parts(suite).iter().rev() {
            checks(page, title, reports, detail);
        }
        notes(page, suite);
    }
    suite_verdict(page, suite);
}

/// Checks that are displayed below one title.
pub(crate) struct SuitePart<'a> {
    pub(crate) title: String,
    pub(crate) reports: &'a [CheckReport],
}

/// Returns the parts of a suite: the checks of a trace, and those of the candidates.
pub(crate) fn suite_parts(suite: &SuiteReport) -> Vec<SuitePart<'_>> {
    match (&suite.trace, suite.reports.split_first()) {
        (Some(_), Some((report, candidates))) => {
            let name = report.checks.first().map_or("trace", |check| check.candidate.as_str());
            let mut parts = vec![SuitePart { title: name.to_owned(), reports: std::slice::from_ref(report) }];
            if candidates.iter().any(|report| !report.checks.is_empty()) {
                let title = "For comparison: this program's own implementations, on the same parameters and batches";
                parts.push(SuitePart { title: title.to_owned(), reports: candidates });
            }
            parts
        }
        _ => {
            let scenario = suite.checks().next().map_or("", |check| check.scenario.as_str());
            let trained = suite.checks().all(|check| check.scenario == scenario) && !scenario.is_empty();
            let title = if trained { format!("{AFTER_TRAINING}: {scenario}") } else { TITLE.to_owned() };
            vec![SuitePart { title, reports: &suite.reports }]
        }
    }
}

/// Adds the verdict on a suite, with its reason.
pub(crate) fn suite_verdict(page: &mut Page, suite: &SuiteReport) {
    page.verdict(suite.verdict(), failure(suite).unwrap_or_else(|| vec![suite.reason()]));
}

/// Returns the paragraphs about the first failed check: what it compares, its explanation or advice on where to look, and how to
/// accept it; `None` if all checks passed.
pub(super) fn failure(suite: &SuiteReport) -> Option<Vec<String>> {
    let report = suite.reports.iter().find(|report| report.first_failure().is_some())?;
    let accepted = suite.trace.as_ref().map_or_else(String::new, TraceSummary::accepted_text);
    let check = format!("{}{accepted}", report.first_failure()?);
    let advice = report.advice().map(|advice| capitalized(&advice));
    Some([check].into_iter().chain(advice).chain(acceptable(suite)).collect())
}

/// Returns the text with a capital letter at its beginning.
fn capitalized(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    first + characters.as_str()
}

/// Returns a line about how to accept conventions of a trace that disagrees; `None` if it has none.
fn acceptable(suite: &SuiteReport) -> Option<String> {
    let diagnosis = suite.reports.iter().find_map(|report| report.diagnosis.as_ref()).filter(|_| suite.trace.is_some());
    let conventions = diagnosis.iter().flat_map(|diagnosis| &diagnosis.explanations);
    let is_declarable = |explanation: &Explanation| explanation.advice.contains("declare ");
    let conventions =
        conventions.filter(|explanation| explanation.kind == Kind::Convention && !is_declarable(explanation));
    let options: Vec<String> = conventions.map(|explanation| format!("--accept {}", explanation.id)).collect();
    (!options.is_empty()).then(|| format!("To accept what the metadata cannot declare: {}", options.join(" ")))
}

/// Adds the notes about a suite: the tensors that a trace lacks, the assumptions about it, and the undecided units.
pub(crate) fn notes(page: &mut Page, suite: &SuiteReport) {
    if let Some(trace) = &suite.trace {
        trace_notes(page, trace);
    }
    undecided_units(page, suite);
}

/// Adds the tensors that a trace lacks, and the assumptions about it.
fn trace_notes(page: &mut Page, trace: &TraceSummary) {
    if !trace.missing.is_empty() {
        let names = list_names(trace.missing.iter().map(String::as_str));
        page.paragraph(&format!("not compared, because the trace does not contain them: {names}"));
    }
    if !trace.assumptions.is_empty() {
        page.paragraph(&format!("assumed: {}", trace.assumptions.join("; ")));
    }
}

/// Adds the checks of some candidates to a page: one row for each stage, and the checks that failed; with
/// [`Detail::Checks`], all of them.
pub(super) fn checks(page: &mut Page, title: &str, reports: &[CheckReport], detail: Detail) {
    let part = SuitePart { title: title.to_owned(), reports };
    if detail == Detail::Checks {
        page.paragraph(title);
        all_checks(page, &part);
        return;
    }
    stages(page, &part);
    failed_checks(page, &part);
}

impl SuitePart<'_> {
    /// Returns the checks of all candidates.
    pub(crate) fn checks(&self) -> Vec<&Check> {
        self.reports.iter().flat_map(|report| &report.checks).collect()
    }

    /// Returns true unless all checks are those of the candidate in the title, such as a trace.
    fn has_candidates(&self) -> bool {
        self.checks().iter().any(|check| check.candidate != self.title)
    }
}

/// Adds a table with one row for each stage.
pub(crate) fn stages(page: &mut Page, part: &SuitePart<'_>) {
    page.table(&part.title, stages_table(&part.checks(), part.has_candidates()));
}

/// Adds a table of the first checks that failed; nothing if all passed.
pub(crate) fn failed_checks(page: &mut Page, part: &SuitePart<'_>) {
    let failed: Vec<&Check> = part.checks().into_iter().filter(|check| !check.passed).collect();
    if !failed.is_empty() {
        let count = failed.len();
        let shown = if count > FAILED { format!(", the first {FAILED} of {count}") } else { String::new() };
        let failed = &failed[..count.min(FAILED)];
        page.table(&format!("Failed checks{shown}"), checks_table(Rows::FailedChecks, failed, part.has_candidates()));
    }
}

/// Adds a table of every check for each stage and scenario.
pub(crate) fn all_checks(page: &mut Page, part: &SuitePart<'_>) {
    for group in grouped(part.checks(), |check| (check.stage, check.scenario.clone())) {
        let Check { stage, scenario, .. } = group[0];
        let title = if scenario.is_empty() { stage.to_string() } else { format!("{stage}, {scenario}") };
        page.table(&title, checks_table(Rows::Checks, &group, part.has_candidates()));
    }
}

/// Adds a paragraph about the hidden units whose pre-activation may lie on either side of a kink of the activation function;
/// nothing if there are none.
fn undecided_units(page: &mut Page, suite: &SuiteReport) {
    /// Number of units that are named; the others are only counted.
    const NAMED: usize = 3;
    let units = suite.reports.iter().map(|report| &report.undecided).max_by_key(|units| units.len());
    let Some(units) = units.filter(|units| !units.is_empty()) else { return };
    let names: Vec<String> = units
        .iter()
        .take(NAMED)
        .map(|unit| format!("unit {} of layer {} on image {}", unit.unit, unit.layer, unit.image))
        .collect();
    let more = if units.len() > NAMED { ", …" } else { "" };
    let count = if units.len() == 1 { "1 hidden unit".to_owned() } else { format!("{} hidden units", units.len()) };
    page.paragraph(&format!(
        "{count} may lie on either side of a kink of the activation function, or on it: {}{more}; the slopes of both sides \
         are accepted",
        names.join(", ")
    ));
}

/// Returns the summarizing table: one row per stage, with the first check of the stage that failed or, if all passed, the
/// check with the largest error ratio.
fn stages_table(checks: &[&Check], has_candidates: bool) -> Table {
    let mut stages = grouped(checks.iter().copied(), |check| check.stage);
    stages.sort_by_key(|checks| checks[0].stage);
    // The first failure, not the largest: the reason of the verdict names it too.
    let is_worse = |worst: &Check, other: &Check| worst.passed && other.error_ratio > worst.error_ratio;
    let worst = stages.iter().filter_map(|checks| {
        checks.iter().copied().reduce(|worst, other| if is_worse(worst, other) { other } else { worst })
    });
    let worst: Vec<&Check> = worst.collect();
    let columns = columns(Rows::Stages, &worst, has_candidates);
    let first = [Column::text("stage"), Column::number("checks")];
    let mut table = Table::new(first.into_iter().chain(columns.iter().map(|(column, _)| column.clone())));
    for (check, checks) in worst.iter().zip(&stages) {
        let first = [check.stage.to_string(), checks.len().to_string()];
        table.add_row(first.into_iter().chain(columns.iter().map(|(_, cell)| cell(check))));
    }
    table
}

/// Returns a table with one row per check.
fn checks_table(rows: Rows, checks: &[&Check], has_candidates: bool) -> Table {
    let columns = columns(rows, checks, has_candidates);
    let mut table = Table::new(columns.iter().map(|(column, _)| column.clone()));
    table.add_rows(checks.iter().map(|check| columns.iter().map(|(_, cell)| cell(check)).collect::<Vec<_>>()));
    table
}

/// The rows of a table of checks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rows {
    /// One row for all checks of a stage.
    Stages,
    /// One row for each check of a stage and scenario.
    Checks,
    /// One row for each check that failed.
    FailedChecks,
}

/// Formats the content of a column.
type Cell = fn(&Check) -> String;

/// Returns the columns of a table of checks. On a narrow terminal, the row of a stage keeps its largest error ratio, the row of
/// a check what it is about, and that of a failed check its values.
fn columns(rows: Rows, checks: &[&Check], has_candidates: bool) -> Vec<(Column, Cell)> {
    let [scenario_rank, element_rank, value_rank] = match rows {
        Rows::Stages => [4, 3, 5],
        Rows::Checks => [1, 1, 3],
        Rows::FailedChecks => [2, 1, 0],
    };
    let scenarios: BTreeSet<&str> =
        checks.iter().map(|check| check.scenario.as_str()).filter(|scenario| !scenario.is_empty()).collect();
    let columns: [(bool, Column, Cell); 14] = [
        (rows == Rows::FailedChecks, Column::text("stage"), |check| check.stage.to_string()),
        (scenarios.len() > 1, Column::name("scenario").optional(scenario_rank), |check| check.scenario.clone()),
        (true, Column::name("tensor"), |check| check.tensor.trim_end_matches(PROJECTED).to_owned()),
        (true, Column::text("element").optional(element_rank), element),
        (has_candidates, Column::name("candidate"), |check| check.candidate.clone()),
        (true, Column::number("actual").optional(value_rank), |check| significant(check.actual, 4)),
        (true, Column::number("expected").optional(value_rank), |check| significant(check.expected, 4)),
        (true, Column::number("error").optional(2), |check| significant(check.error, 2)),
        (true, Column::number("bound").optional(2), |check| significant(check.bound, 2)),
        (true, Column::number("relative error").optional(6), |check| significant(check.relative_error, 2)),
        (true, Column::number("ulps").optional(6), |check| brief(check.ulps)),
        (true, Column::number("worst-case bound").optional(7), |check| {
            check.worst_case_bound.map_or_else(String::new, |bound| significant(bound, 2))
        }),
        (true, Column::number("error ratio"), |check| brief(check.error_ratio)),
        (rows != Rows::FailedChecks, Column::text("result"), |check| {
            if check.passed { "pass" } else { "FAIL" }.to_owned()
        }),
    ];
    columns.into_iter().filter(|(is_shown, ..)| *is_shown).map(|(_, column, cell)| (column, cell)).collect()
}

/// The end of the name of a tensor whose update as a whole is compared with the expected one.
const PROJECTED: &str = " (projected)";

/// Returns the element that a check is about.
fn element(check: &Check) -> String {
    if check.tensor.ends_with(PROJECTED) { "projected".to_owned() } else { check.location() }
}

/// Formats a number with two decimals or, from 100,000 on, as a power of ten.
pub(crate) fn brief(value: f64) -> String {
    if value < 1e5 { format!("{value:.2}") } else { format!("{value:.0e}") }
}
