//! Tables for a person to read: functions of records alone.

mod ladder;
mod reproduction;
mod trained;

use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};
use mlp_parity::mnist::ORIGINAL_DIGEST;
use mlp_parity::{Activation, MlpConfig};
use mlp_parity_compare::Outcome;
use mlp_parity_compare::record::{RunRecord, Setting};
use mlp_parity_compare::statistics::Summary;

use crate::options::{FRAMEWORK, FROM_SCRATCH};
pub(crate) use ladder::ladder;
pub(crate) use reproduction::reproduction;

/// One line below the titles, and nothing else.
const STYLE: TableStyle = TableStyle::new().header_separator(LineStyle::new('─', '─', '─', '─'));

/// An empty table with these column titles.
pub(crate) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(STYLE).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(header);
    table
}

/// The same with numbers from this column on, which stand on the right.
fn table_of_numbers(header: &[&str], first: usize) -> Table {
    let mut table = table(header);
    for column in first..header.len() {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// Everything that a comparison found; where asked for, every comparison, and who takes what for what.
pub(crate) fn outcome(setting: &Setting<'_>, outcome: &Outcome, verbose: bool) -> String {
    let checks = if verbose { ladder::every(&outcome.ladder) } else { ladder::closest(&outcome.ladder.climbs) };
    let mut parts = vec![format!("Step by step, against the oracle in double precision\n{checks}")];
    if !outcome.runs.is_empty() {
        parts.extend(trained::parts(outcome));
    }
    if verbose {
        parts.extend(trained::confusion_matrices(outcome));
    }
    if is_setting_of_the_report(setting) && !outcome.agreements.is_empty() {
        parts.push(format!("Beside the report\n{}", pairing(outcome)));
    }
    parts.push(format!("verdict: {}\n{}", outcome.verdict, outcome.reason));
    parts.join("\n\n")
}

/// The report trained each implementation with its own plan only.
fn pairing(outcome: &Outcome) -> Table {
    let mut rows = table(&["", "report", "here"]);
    for runs in trained::by_participant(outcome) {
        let Some(run) = runs.first() else { continue };
        let (title, paper) = match (run.plan.as_str(), run.identity.implementation.as_str()) {
            (plan, "scratch") if plan == FROM_SCRATCH.0 => ("by hand, SGD", "97.12 %"),
            (plan, "framework") if plan == FRAMEWORK.0 => ("framework, Adam, weight decay 1e-4", "95.94 %"),
            _ => continue,
        };
        let Summary { mean, minimum, maximum, .. } = trained::last(&runs, |epoch| epoch.test_accuracy * 100.0);
        let here = match runs.len() {
            1 => format!("{mean:.2} %"),
            seeds => format!("{mean:.2} % ({minimum:.2} to {maximum:.2} with {seeds} seeds)"),
        };
        rows.add_row([format!("{title} ({})", run.identity), paper.to_owned(), here]);
    }
    rows
}

/// Whether all that the report says of its runs is so here.
fn is_setting_of_the_report(setting: &Setting<'_>) -> bool {
    let Setting { config, plans, dataset, .. } = setting;
    dataset.digest == ORIGINAL_DIGEST
        && (dataset.train, dataset.test) == (60_000, 10_000)
        && config.hidden() == MlpConfig::REPORT_HIDDEN
        && config.activation() == Activation::Relu
        && plans.iter().map(|plan| plan.name.as_str()).eq([FROM_SCRATCH.0, FRAMEWORK.0])
        && plans.iter().all(|plan| (plan.plan.batch_size(), plan.plan.epochs()) == (64, 15))
}

/// Every epoch of some runs.
pub(crate) fn epochs(runs: &[&RunRecord]) -> Table {
    let mut rows = table_of_numbers(&["epoch", "training loss", "test loss", "test accuracy", "seconds"], 0);
    for epoch in runs.iter().flat_map(|run| &run.epochs) {
        rows.add_row([
            epoch.epoch.to_string(),
            format!("{:.4}", epoch.train_loss),
            format!("{:.4}", epoch.test_loss),
            format!("{:.2} %", epoch.test_accuracy * 100.0),
            format!("{:.2}", epoch.seconds),
        ]);
    }
    rows
}
