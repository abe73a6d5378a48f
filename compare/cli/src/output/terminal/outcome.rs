//! Terminal output of a comparison.

use mlp_parity::mnist::{ORIGINAL_DIGEST, ORIGINAL_SIZES};
use mlp_parity_compare::record::{DatasetRecord, RunContext, RunRecord};
use mlp_parity_compare::reproduction::Grid;
use mlp_parity_compare::reproduction::display::{percent, range};
use mlp_parity_compare::statistics::Summary;
use mlp_parity_compare::{Outcome, Verdict};

use super::table::{Table, table_of_numbers};
use super::{checks, trained};
use crate::error::Result;
use crate::output::escape;

/// Formats the outcome of a comparison: the check suite, the trained networks, the accuracies that the report states
/// for the same training configurations, and the verdict. `verbose` shows every check, and adds confusion matrices.
pub(crate) fn outcome(context: &RunContext<'_>, outcome: &Outcome, verbose: bool) -> Result<String> {
    let checks = if verbose { checks::all_checks(&outcome.suite) } else { checks::summary(&outcome.suite.reports) };
    let mut parts = vec![format!("Check suite, against the float64 reference\n{checks}")];
    if !outcome.runs.is_empty() {
        parts.extend(trained::tables(outcome));
    }
    if verbose {
        parts.extend(trained::confusion_matrices(outcome));
    }
    if !outcome.agreements.is_empty() {
        let comparison = report_comparison(context, outcome)?;
        parts.extend((!comparison.is_empty()).then(|| format!("Comparison with the report\n{comparison}")));
    }
    // Only the program, not the library, knows the name of the option.
    let needs_seeds = outcome.verdict == Verdict::Inconclusive && outcome.equivalences.is_empty();
    let advice = if needs_seeds { " (--seeds 5)" } else { "" };
    parts.push(format!("verdict: {}\n{}{advice}", outcome.verdict, escape::line(&outcome.reason)));
    Ok(parts.join("\n\n"))
}

/// Returns a table that compares measured accuracies with those that the report states for the same training
/// configurations, for the implementation that the report used. The table is empty unless the data are the original
/// MNIST.
fn report_comparison(context: &RunContext<'_>, outcome: &Outcome) -> Result<Table> {
    let mut rows = table_of_numbers(&["row of the report", "candidate", "reported accuracy", "measured accuracy"], 2);
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
        let Some((table, row)) = stated.find(|(_, row)| row.matches_training(context.config, &training.config)) else {
            continue;
        };
        rows.add_row([
            format!("{}, {} {}", table.short_title(), table.varies, row.name),
            run.identity.to_string(),
            percent(row.accuracy),
            mean_accuracy(&runs),
        ]);
    }
    Ok(rows)
}

/// Formats the mean test accuracy over seeds and, for several seeds, its range.
fn mean_accuracy(runs: &[&RunRecord]) -> String {
    let Summary { mean, minimum, maximum, .. } = trained::last(runs, |epoch| epoch.test_accuracy);
    match runs.len() {
        1 => percent(mean),
        seeds => format!("{} ({} over {seeds} seeds)", percent(mean), range([minimum, maximum], percent)),
    }
}

/// Returns a table of all epochs of the runs.
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
