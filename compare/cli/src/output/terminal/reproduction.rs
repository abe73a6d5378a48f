//! A reproduction, for a person to read.

use mlp_parity_compare::reproduction::show::{loss, percent, range, spread};
use mlp_parity_compare::reproduction::{Results, RowAssessment, TableResult};

use super::table::table_of_numbers;

/// Every row beside what the report states, and what follows.
pub(crate) fn reproduction(results: &Results<'_>) -> String {
    let mut parts: Vec<String> = results.tables.iter().map(part).collect();
    let findings = results.findings().into_iter().map(|finding| format!("{}\n  {}", finding.title, finding.text));
    parts.extend(findings);
    parts.join("\n\n")
}

fn part(TableResult { table, rows }: &TableResult<'_>) -> String {
    let header =
        [&table.varies, "", "test accuracy", "one more seed", "training loss", "one more seed", "seeds", "verdict"];
    let mut lines = table_of_numbers(&header, 2);
    for row in rows {
        let stated = row.row.training_loss.map(loss).unwrap_or_default();
        let accuracy = percent(row.row.accuracy);
        lines.add_row([row.name, "the report", &accuracy, "", &stated, "", "", &row.verdict.to_string()]);
        lines.add_rows(row.measured.iter().map(|measured| line(measured.candidate.clone(), measured)));
        for measured in &row.explanation {
            lines.add_row(line(format!("{}, {}", measured.candidate, row.explanation_name()), measured));
        }
    }
    format!("{}\n{lines}", table.title)
}

fn line(name: String, RowAssessment { accuracy, training_loss, seeds, .. }: &RowAssessment) -> [String; 8] {
    let [of_accuracy, of_loss] = [range(accuracy.interval, percent), range(training_loss.interval, loss)];
    let [accuracy, training_loss] = [spread(accuracy, percent), spread(training_loss, loss)];
    let empty = String::new;
    [empty(), name, accuracy, of_accuracy, training_loss, of_loss, seeds.len().to_string(), empty()]
}
