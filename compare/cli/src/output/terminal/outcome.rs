//! Terminal output of a comparison.

use mlp_parity::mnist::{ORIGINAL_DIGEST, ORIGINAL_SIZES};
use mlp_parity_compare::record::{DatasetRecord, RunContext, RunRecord};
use mlp_parity_compare::reproduction::Grid;
use mlp_parity_compare::reproduction::display::{percent, range};
use mlp_parity_compare::statistics::Summary;
use mlp_parity_compare::{Outcome, Verdict};

use super::checks::{AFTER_TRAINING, Detail, SuitePart, TITLE, checks, failure};
use super::page::Page;
use super::table::{Column, Table};
use super::trained;
use crate::error::Result;

/// Adds the outcome of a comparison to a page: the check suite, the trained networks, the accuracies that the report states
/// for the same training configurations, and the verdict. [`Detail::Checks`] shows every check, and adds confusion matrices;
/// [`Detail::Verdict`] shows only the verdict.
pub(crate) fn outcome(page: &mut Page, context: &RunContext<'_>, outcome: &Outcome, detail: Detail) -> Result<()> {
    if detail != Detail::Verdict {
        let [before, after] = outcome_parts(outcome);
        checks(page, &before.title, before.reports, detail);
        trained::tables(page, outcome);
        if !after.reports.is_empty() {
            checks(page, &after.title, after.reports, detail);
        }
        if detail == Detail::Checks {
            trained::confusion_matrices(page, outcome);
        }
        report_comparison(page, context, outcome)?;
    }
    outcome_verdict(page, outcome);
    Ok(())
}

/// Returns the checks of the candidates before and after training.
pub(crate) fn outcome_parts(outcome: &Outcome) -> [SuitePart<'_>; 2] {
    [(TITLE, &outcome.suite), (AFTER_TRAINING, &outcome.after_training)]
        .map(|(title, suite)| SuitePart { title: title.to_owned(), reports: &suite.reports })
}

/// Adds the verdict on a comparison, with its reason.
pub(crate) fn outcome_verdict(page: &mut Page, outcome: &Outcome) {
    // Only the program, not the library, knows the name of the option.
    let needs_seeds = outcome.verdict == Verdict::Inconclusive && outcome.equivalences.is_empty();
    let advice = if needs_seeds { " (--seeds 5)" } else { "" };
    let reason = match (failure(&outcome.suite), failure(&outcome.after_training)) {
        (Some(paragraphs), _) => [paragraphs, vec!["No network was trained.".to_owned()]].concat(),
        (None, Some(paragraphs)) => paragraphs,
        (None, None) => vec![format!("{}{advice}", outcome.reason)],
    };
    page.verdict(outcome.verdict, reason);
}

/// Adds a table that compares measured accuracies with those that the report states for the same training configurations, for
/// the implementation that the report used. There is none unless the data are the original MNIST.
pub(crate) fn report_comparison(page: &mut Page, context: &RunContext<'_>, outcome: &Outcome) -> Result<()> {
    if outcome.agreements.is_empty() {
        return Ok(());
    }
    let mut rows = Table::new([
        Column::name("row of the report"),
        Column::name("candidate"),
        Column::number("reported"),
        Column::number("measured accuracy"),
    ]);
    let DatasetRecord { digest, train, test, .. } = context.dataset;
    if digest != ORIGINAL_DIGEST || (*train, *test) != ORIGINAL_SIZES {
        return Ok(());
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
    if !rows.is_empty() {
        page.table("Comparison with the report", rows);
    }
    Ok(())
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
    let mut rows = Table::new(["epoch", "training loss", "test loss", "test accuracy", "seconds"].map(Column::number));
    for epoch in runs.iter().flat_map(|run| &run.epochs) {
        rows.add_row([
            epoch.epoch.to_string(),
            trained::loss(epoch.train_loss),
            trained::loss(epoch.test_loss),
            format!("{:.2} %", epoch.test_accuracy * 100.0),
            format!("{:.2}", epoch.seconds),
        ]);
    }
    rows
}
