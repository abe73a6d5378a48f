//! Terminal output of a reproduction.

use mlp_parity_compare::reproduction::display::{loss, mean_and_deviation, percent, range};
use mlp_parity_compare::reproduction::{Results, RowAssessment, TableResult};

use super::table::table_of_numbers;
use crate::output::escape;

/// Formats all tables, with the reported values of each row above the measured ones, and the findings.
pub(crate) fn reproduction(results: &Results<'_>) -> String {
    let mut parts: Vec<String> = results.tables.iter().map(titled_table).collect();
    let findings = results.findings().into_iter().map(|finding| {
        let [title, text] = [&finding.title, &finding.text].map(|part| escape::line(part));
        format!("{title}\n  {text}")
    });
    parts.extend(findings);
    parts.join("\n\n")
}

fn titled_table(TableResult { table, rows }: &TableResult<'_>) -> String {
    let header = [
        &table.varies,
        "source",
        "test accuracy",
        "95 % prediction interval",
        "training loss",
        "95 % prediction interval",
        "seeds",
        "verdict",
    ];
    let mut lines = table_of_numbers(&header, 2);
    for row in rows {
        let stated = row.row.training_loss.map(loss).unwrap_or_default();
        let accuracy = percent(row.row.accuracy);
        lines.add_row([row.name, "report", &accuracy, "", &stated, "", "", &row.verdict.to_string()]);
        lines.add_rows(row.measured.iter().map(|measured| line(measured.candidate.clone(), measured)));
        for measured in &row.explanation {
            lines.add_row(line(format!("{} ({})", measured.candidate, row.explanation_name()), measured));
        }
    }
    format!("{}\n{lines}", escape::line(&table.title))
}

/// Returns the table row with the measurements of one candidate.
fn line(name: String, RowAssessment { accuracy, training_loss, seeds, .. }: &RowAssessment) -> [String; 8] {
    let [accuracy_interval, loss_interval] = [range(accuracy.interval, percent), range(training_loss.interval, loss)];
    let [accuracy, training_loss] = [mean_and_deviation(accuracy, percent), mean_and_deviation(training_loss, loss)];
    let empty = String::new;
    [empty(), name, accuracy, accuracy_interval, training_loss, loss_interval, seeds.len().to_string(), empty()]
}
