//! Tables for a person to read: functions of records alone.

mod bench;
mod ladder;
mod predictions;
mod reproduction;
mod trained;

use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};
use mlp_parity::mnist::{ORIGINAL_DIGEST, ORIGINAL_SIZES};
use mlp_parity_compare::record::{DatasetRecord, RunRecord, Setting};
use mlp_parity_compare::reproduction::Grid;
use mlp_parity_compare::reproduction::show::{percent, range};
use mlp_parity_compare::statistics::Summary;
use mlp_parity_compare::{Outcome, Result};

pub(crate) use bench::{Arrival, bench, machine, time_to};
pub(crate) use ladder::ladder;
pub(crate) use predictions::{Answer, Prediction, predictions};
pub(crate) use reproduction::reproduction;

/// One line below the titles, and nothing else.
const STYLE: TableStyle = TableStyle::new().header_separator(LineStyle::new('─', '─', '─', '─'));

/// Columns of growing height, in eighths.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The bar of this height, from 0 to 1.
fn bar(height: f64) -> char {
    BARS[((height * 8.0).ceil().clamp(1.0, 8.0)) as usize - 1]
}

/// On a terminal with fewer columns than this, words would be broken into pieces: lines run over instead.
const NARROW: u16 = 80;

/// An empty table with these column titles.
pub(crate) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    let is_narrow = table.width().is_some_and(|columns| columns < NARROW);
    let arrangement = if is_narrow { ContentArrangement::Disabled } else { ContentArrangement::Dynamic };
    table.load_style(STYLE).set_content_arrangement(arrangement);
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
pub(crate) fn outcome(setting: &Setting<'_>, outcome: &Outcome, verbose: bool) -> Result<String> {
    let checks = if verbose { ladder::every(&outcome.ladder) } else { ladder::closest(&outcome.ladder.climbs) };
    let mut parts = vec![format!("Step by step, against the oracle in double precision\n{checks}")];
    if !outcome.runs.is_empty() {
        parts.extend(trained::parts(outcome));
    }
    if verbose {
        parts.extend(trained::confusion_matrices(outcome));
    }
    if !outcome.agreements.is_empty() {
        let beside = beside_the_report(setting, outcome)?;
        parts.extend((!beside.is_empty()).then(|| format!("Beside the report\n{beside}")));
    }
    parts.push(format!("verdict: {}\n{}", outcome.verdict, outcome.reason));
    Ok(parts.join("\n\n"))
}

/// What the report states of the same runs. It ran each of them by one implementation only.
fn beside_the_report(setting: &Setting<'_>, outcome: &Outcome) -> Result<Table> {
    let mut rows = table_of_numbers(&["", "", "report", "here"], 2);
    let DatasetRecord { digest, train, test, .. } = setting.dataset;
    if digest != ORIGINAL_DIGEST || (*train, *test) != ORIGINAL_SIZES {
        return Ok(rows);
    }
    let grid = Grid::report()?;
    for runs in trained::by_participant(outcome) {
        let Some(run) = runs.first() else { continue };
        let Some(plan) = setting.plans.iter().find(|plan| plan.name == run.plan) else { continue };
        let tables = grid.tables.iter().filter(|table| table.by == run.identity.implementation);
        let mut stated = tables.flat_map(|table| table.rows.iter().map(move |row| (table, row)));
        let Some((table, row)) = stated.find(|(_, row)| row.is_run_as(setting.config, &plan.plan)) else { continue };
        rows.add_row([
            format!("{}, {} {}", table.short_title(), table.varies, row.name),
            run.identity.to_string(),
            percent(row.accuracy),
            accuracies(&runs),
        ]);
    }
    Ok(rows)
}

/// The mean over seeds, and from where to where they lie.
fn accuracies(runs: &[&RunRecord]) -> String {
    let Summary { mean, minimum, maximum, .. } = trained::last(runs, |epoch| epoch.test_accuracy);
    match runs.len() {
        1 => percent(mean),
        seeds => format!("{} ({} with {seeds} seeds)", percent(mean), range([minimum, maximum], percent)),
    }
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
