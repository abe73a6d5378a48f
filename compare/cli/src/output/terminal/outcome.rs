//! The tables of a comparison.

use comfy_table::Table;
use mlp_parity::mnist::{ORIGINAL_DIGEST, ORIGINAL_SIZES};
use mlp_parity_compare::record::{DatasetRecord, RunContext, RunRecord};
use mlp_parity_compare::reproduction::Grid;
use mlp_parity_compare::reproduction::show::{percent, range};
use mlp_parity_compare::statistics::Summary;
use mlp_parity_compare::{Outcome, Verdict};

use super::table::table_of_numbers;
use super::{checks, trained};
use crate::error::Result;

/// Everything that a comparison found; where asked for, every comparison, and who takes what for what.
pub(crate) fn outcome(context: &RunContext<'_>, outcome: &Outcome, verbose: bool) -> Result<String> {
    let checks = if verbose { checks::every(&outcome.suite) } else { checks::closest(&outcome.suite.reports) };
    let mut parts = vec![format!("Step by step, against the reference in double precision\n{checks}")];
    if !outcome.runs.is_empty() {
        parts.extend(trained::parts(outcome));
    }
    if verbose {
        parts.extend(trained::confusion_matrices(outcome));
    }
    if !outcome.agreements.is_empty() {
        let beside = beside_the_report(context, outcome)?;
        parts.extend((!beside.is_empty()).then(|| format!("Beside the report\n{beside}")));
    }
    let is_open_with_one_seed = outcome.verdict == Verdict::Inconclusive && outcome.equivalences.is_empty();
    let advice = if is_open_with_one_seed { " (--seeds 5)" } else { "" };
    parts.push(format!("verdict: {}\n{}{advice}", outcome.verdict, outcome.reason));
    Ok(parts.join("\n\n"))
}

/// What the report states of the same runs. It ran each of them by one implementation only.
fn beside_the_report(context: &RunContext<'_>, outcome: &Outcome) -> Result<Table> {
    let mut rows = table_of_numbers(&["", "", "report", "here"], 2);
    let DatasetRecord { digest, train, test, .. } = context.dataset;
    if digest != ORIGINAL_DIGEST || (*train, *test) != ORIGINAL_SIZES {
        return Ok(rows);
    }
    let grid = Grid::report()?;
    for runs in trained::by_candidate(outcome) {
        let Some(run) = runs.first() else { continue };
        let Some(training) = context.trainings.iter().find(|training| training.name == run.training) else { continue };
        let tables = grid.tables.iter().filter(|table| table.by == run.identity.implementation);
        let mut stated = tables.flat_map(|table| table.rows.iter().map(move |row| (table, row)));
        let Some((table, row)) = stated.find(|(_, row)| row.is_run_as(context.config, &training.config)) else {
            continue;
        };
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
