//! The tables of a reproduction as CSV files.

use std::path::Path;

use mlp_parity_compare::reproduction::{
    MetricAssessment, PAIRS, Pair, RUNS, Results, RowAssessment, RowResult, TableResult,
};
use mlp_parity_compare::training::Equivalence;

use crate::error::Result;
use crate::output::csv_file;

/// Writes one CSV file per table of the report, one named [`PAIRS`] with the comparison of the implementations, and one named
/// [`RUNS`] with the last epoch of every run.
pub(super) fn write(results: &Results<'_>, folder: &Path) -> Result<()> {
    for table in &results.tables {
        csv_file::write(&folder.join(format!("{}.csv", table.table.name)), table_lines(table))?;
    }
    csv_file::write(&folder.join(format!("{PAIRS}.csv")), pair_lines(results))?;
    csv_file::write(&folder.join(format!("{RUNS}.csv")), run_lines(results))
}

/// Returns the cells of the CSV file for one table of the report: the header, then one CSV line for each candidate and
/// row of the table. If a row has an explanation (a different computation that may reproduce the reported values), each
/// candidate that ran it gets another line.
fn table_lines(TableResult { rows, .. }: &TableResult<'_>) -> Vec<Vec<String>> {
    let metric_columns = |name: &str| {
        [
            "reported",
            "mean",
            "standard_deviation",
            "minimum",
            "maximum",
            "prediction_interval_low",
            "prediction_interval_high",
            "verdict",
        ]
        .map(|column| format!("{name}_{column}"))
    };
    let header = ["row", "epochs", "candidate", "training", "seeds"].map(str::to_owned).into_iter();
    let header =
        header.chain(metric_columns("accuracy")).chain(metric_columns("training_loss")).chain(["verdict".to_owned()]);
    let mut lines = vec![header.collect()];
    for row in rows {
        lines.extend(row.measured.iter().map(|measured| line(row, measured)));
        lines.extend(row.explanation.iter().map(|measured| line(row, measured)));
    }
    lines
}

fn line(row: &RowResult<'_>, measured: &RowAssessment) -> Vec<String> {
    let start = [
        row.name.to_owned(),
        row.row.epochs.to_string(),
        measured.candidate.clone(),
        measured.training.clone(),
        measured.seeds.len().to_string(),
    ];
    let metrics = metric_cells(&measured.accuracy).into_iter().chain(metric_cells(&measured.training_loss));
    start.into_iter().chain(metrics).chain([measured.verdict.to_string()]).collect()
}

fn metric_cells(metric: &MetricAssessment) -> [String; 8] {
    let [low, high] = metric.interval;
    let summary = &metric.summary;
    [
        metric.stated.map_or_else(String::new, number),
        number(summary.mean),
        number(summary.standard_deviation),
        number(summary.minimum),
        number(summary.maximum),
        number(low),
        number(high),
        metric.verdict.map_or_else(String::new, |verdict| verdict.to_string()),
    ]
}

/// Returns the cells of `pairs.csv`: the header, then one CSV line per pair. Accuracies are fractions.
fn pair_lines(results: &Results<'_>) -> Vec<Vec<String>> {
    let header = [
        "table",
        "row",
        "first",
        "second",
        "seeds",
        "accuracy_difference",
        "interval_low",
        "interval_high",
        "detectable",
        "recent_accuracy_difference",
        "recent_interval_low",
        "recent_interval_high",
        "first_standard_deviation",
        "second_standard_deviation",
        "variance_ratio",
        "spread_p",
        "equivalence_p",
        "difference_p",
        "verdict",
    ];
    let line = |pair: &Pair<'_>| {
        let Equivalence { pair: names, seeds, accuracy, recent_accuracy, spread, .. } = pair.equivalence;
        let numbers = [
            accuracy.difference.mean,
            accuracy.interval[0],
            accuracy.interval[1],
            pair.equivalence.detectable,
            recent_accuracy.difference.mean,
            recent_accuracy.interval[0],
            recent_accuracy.interval[1],
            accuracy.first.standard_deviation,
            accuracy.second.standard_deviation,
            spread.variance_ratio,
            spread.p,
            pair.equivalence.equivalence_p,
            pair.equivalence.difference_p,
        ];
        let (table, row) = (pair.table.table.name.clone(), pair.row.name.to_owned());
        let start = [table, row, names.first.clone(), names.second.clone(), seeds.to_string()];
        let verdict = format!("{:?}", pair.equivalence.verdict).to_lowercase();
        start.into_iter().chain(numbers.map(number)).chain([verdict]).collect()
    };
    [header.map(str::to_owned).to_vec()].into_iter().chain(results.pairs().iter().map(line)).collect()
}

/// Formats a number. Undefined values, such as the deviation of a single seed, become empty cells.
fn number(value: f64) -> String {
    if value.is_nan() { String::new() } else { value.to_string() }
}

/// Returns the cells of `runs.csv`: the header, then one CSV line per run, with the metrics after its last epoch.
fn run_lines(results: &Results<'_>) -> Vec<Vec<String>> {
    let header = ["training", "candidate", "seed", "epochs", "training_loss", "test_loss", "test_accuracy"];
    let mut lines = vec![header.map(str::to_owned).to_vec()];
    for (_, run) in &results.runs {
        let Some(last) = run.epochs.last() else { continue };
        lines.push(vec![
            run.training.clone(),
            run.identity.to_string(),
            run.seed.to_string(),
            last.epoch.to_string(),
            last.train_loss.to_string(),
            last.test_loss.to_string(),
            last.test_accuracy.to_string(),
        ]);
    }
    lines
}
