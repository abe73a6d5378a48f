//! The tables of a reproduction as CSV files.

use std::path::Path;

use mlp_parity_compare::reproduction::{MetricAssessment, RUNS, Results, RowAssessment, RowResult, TableResult};

use crate::error::Result;
use crate::output::csv_file;

/// Writes one CSV file per table of the report, and one named [`RUNS`] with the last epoch of every run.
pub(super) fn write(results: &Results<'_>, folder: &Path) -> Result<()> {
    for table in &results.tables {
        csv_file::write(&folder.join(format!("{}.csv", table.table.name)), table_lines(table))?;
    }
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
    // Undefined values, such as the deviation of a single seed, become empty cells.
    let number = |value: f64| if value.is_nan() { String::new() } else { value.to_string() };
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
