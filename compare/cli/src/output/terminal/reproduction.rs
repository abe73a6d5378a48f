//! Terminal output of a reproduction.

use mlp_parity_compare::reproduction::display::{loss, mean_and_deviation, percent, range};
use mlp_parity_compare::reproduction::{Pair, Results, RowAssessment, TableResult, compared_candidates};

use super::page::Page;
use super::table::{Column, Table};

/// Adds the tables that were asked for, with the reported values of each row above the measured ones, and the findings about
/// them.
pub(crate) fn reproduction(page: &mut Page, results: &Results<'_>, only: &[String]) {
    for table in results.tables.iter().filter(|table| table.table.is_among(only)) {
        page.table(&table.table.title, rows(table));
    }
    let pairs = results.pairs();
    if !pairs.is_empty() {
        page.table(&format!("Agreement: {}, in percentage points", compared_candidates(&pairs)), agreement(&pairs));
    }
    for finding in results.findings_about(only) {
        page.lines([&finding.title, &finding.text]);
    }
}

fn rows(TableResult { table, rows }: &TableResult<'_>) -> Table {
    let mut lines = Table::new([
        Column::name(table.varies.clone()),
        Column::name("source"),
        Column::number("test accuracy"),
        Column::number("prediction interval").optional(2),
        Column::number("training loss").optional(1),
        Column::number("prediction interval").optional(3),
        Column::number("seeds").optional(4),
        Column::text("verdict"),
    ]);
    for row in rows {
        let stated = row.row.training_loss.map(loss).unwrap_or_default();
        let accuracy = percent(row.row.accuracy);
        lines.add_row([row.name, "report", &accuracy, "", &stated, "", "", &row.verdict.to_string()]);
        lines.add_rows(row.measured.iter().map(|measured| line(measured.candidate.clone(), measured)));
        for measured in &row.explanation {
            lines.add_row(line(format!("{} ({})", measured.candidate, row.explanation_name()), measured));
        }
    }
    lines
}

/// Returns the table of pairs.
fn agreement(pairs: &[Pair<'_>]) -> Table {
    // The most important columns stay on a narrow terminal.
    let ranks = [None, None, Some(2), Some(1), Some(3), Some(4), Some(5), None];
    let column = |(header, rank): (String, Option<u8>)| {
        let column = match header.as_str() {
            "pair" => Column::name(header),
            "verdict" => Column::text(header),
            _ => Column::number(header),
        };
        rank.map_or(column.clone(), |rank| column.optional(rank))
    };
    let mut table = Table::new(Pair::headers().into_iter().zip(ranks).map(column));
    // The tables above show to which of them a row belongs.
    let without_table = |pair: &Pair<'_>| format!("{} {}", pair.table.table.varies, pair.row.name);
    table.add_rows(pairs.iter().map(|pair| {
        let [_, cells @ ..] = pair.cells();
        [without_table(pair)].into_iter().chain(cells).collect::<Vec<_>>()
    }));
    table
}

/// Returns the table row with the measurements of one candidate.
fn line(name: String, RowAssessment { accuracy, training_loss, seeds, .. }: &RowAssessment) -> [String; 8] {
    let [accuracy_interval, loss_interval] = [range(accuracy.interval, percent), range(training_loss.interval, loss)];
    let [accuracy, training_loss] = [mean_and_deviation(accuracy, percent), mean_and_deviation(training_loss, loss)];
    let empty = String::new;
    [empty(), name, accuracy, accuracy_interval, training_loss, loss_interval, seeds.len().to_string(), empty()]
}
