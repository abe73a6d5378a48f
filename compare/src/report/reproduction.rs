//! A reproduction, for a person to read.

use mlp_parity_compare::reproduction::show::{loss, percent, spread};
use mlp_parity_compare::reproduction::{Measured, Results, TableResult};

use super::table_of_numbers;

/// Every row beside what the report states, and what follows.
pub(crate) fn reproduction(results: &Results<'_>) -> String {
    let mut parts: Vec<String> = results.tables.iter().map(part).collect();
    let findings = results.findings.iter().map(|finding| format!("{}\n  {}", finding.title, finding.text));
    parts.extend(findings);
    parts.join("\n\n")
}

fn part(TableResult { table, rows }: &TableResult<'_>) -> String {
    let mut lines = table_of_numbers(&[&table.varies, "", "test accuracy", "training loss", "seeds", ""], 2);
    for row in rows {
        lines.add_row([
            row.name.to_owned(),
            "the report".to_owned(),
            percent(row.row.accuracy),
            row.row.training_loss.map(loss).unwrap_or_default(),
            String::new(),
            row.verdict.to_string(),
        ]);
        let line = |name: String, measured: &Measured| {
            let [accuracy, loss] = [spread(&measured.accuracy, percent), spread(&measured.training_loss, loss)];
            [String::new(), name, accuracy, loss, measured.seeds.len().to_string(), String::new()]
        };
        lines.add_rows(row.measured.iter().map(|measured| line(measured.participant.clone(), measured)));
        for measured in &row.explanation {
            lines.add_row(line(format!("{}, {}", measured.participant, row.explanation_name()), measured));
        }
    }
    format!("{}\n{lines}", table.title)
}
