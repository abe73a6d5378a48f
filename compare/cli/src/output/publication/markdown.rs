//! The report as Markdown.

use std::collections::BTreeMap;

use mlp_parity_compare::reproduction::show::{loss, machine, percent, range, seeds_from_to, spread};
use mlp_parity_compare::reproduction::{Results, RowAssessment, RowVerdict, TableResult};

use super::wording::RULE;

/// The whole page.
pub(super) fn page(results: &Results<'_>) -> String {
    let mut page = format!("# {}\n\n{}\n\n{RULE}\n\n## Findings\n", results.grid.title, introduction(results));
    for finding in &results.findings() {
        page += &format!("\n**{}.** {}\n", finding.title, finding.text);
    }
    for table in &results.tables {
        page += &format!("\n## {}\n\n{}", table.table.title, full(table));
        if let Some(figure) = &table.table.figure {
            page += &format!("\n![{}](figures/{}.svg)\n", figure.title, figure.name);
        }
    }
    page += "\n## Where it was measured\n\n";
    for place in &results.provenance {
        let machines: Vec<String> = place.candidates.iter().map(|identity| machine(identity)).collect();
        let (environment, data) = (place.environment, place.dataset);
        page += &format!(
            "- version {}, revision {}, {} {}: {}; {} training and {} test images, `{}`; {} records\n",
            environment.version,
            environment.revision,
            environment.os,
            environment.arch,
            machines.join(", "),
            data.train,
            data.test,
            data.digest,
            place.records
        );
    }
    page + "\nEvery run stands in `tables/runs.csv`, every epoch of it in `records.jsonl`.\n"
}

/// What a reader must know first.
pub(super) fn introduction(results: &Results<'_>) -> String {
    let mut counts: BTreeMap<RowVerdict, usize> = BTreeMap::new();
    for row in results.tables.iter().filter(|table| !table.table.unstated).flat_map(|table| &table.rows) {
        *counts.entry(row.verdict).or_default() += 1;
    }
    let reported = results.grid.tables.iter().filter(|table| !table.unstated).flat_map(|table| &table.rows).count();
    let left = reported - counts.values().sum::<usize>();
    let in_words = |(verdict, count): (RowVerdict, usize)| match (verdict, count) {
        (RowVerdict::Differs, 1) => "1 differs".to_owned(),
        (RowVerdict::Differs, count) => format!("{count} differ"),
        (verdict, 1) => format!("1 is {verdict}"),
        (verdict, count) => format!("{count} are {verdict}"),
    };
    let counts: Vec<String> = counts.into_iter().map(in_words).collect();
    let counts: Vec<String> = counts.into_iter().chain((left > 0).then(|| format!("{left} not run"))).collect();
    let mut text = format!(
        "Of {reported} rows of the report {}: {} runs with {}",
        counts.join(", "),
        results.runs.len(),
        seeds_from_to(results.seeds().unwrap_or_default()),
    );
    match results.provenance.as_slice() {
        [place, others @ ..] if others.iter().all(|other| other.dataset == place.dataset) => {
            text += &format!(", on {} training and {} test images.", place.dataset.train, place.dataset.test);
        }
        _ => text += ", on different data.",
    }
    text
}

/// One line for each row of each table.
pub(super) fn summary(results: &Results<'_>) -> String {
    let names = &results.candidates;
    let mut table = format!(
        "| accuracy · training loss | the report | {} | |\n|---|---|{}---|\n",
        names.join(" | "),
        "---|".repeat(names.len())
    );
    for TableResult { table: stated, rows } in results.tables.iter().filter(|table| !table.table.unstated) {
        table += &format!("| **{}** | | {}|\n", stated.title, " |".repeat(names.len()));
        for row in rows {
            let paper = both(row.row.accuracy, row.row.training_loss);
            table += &format!("| {} | {paper} | {} | {} |\n", row.name, cells(names, &row.measured), row.verdict);
            if !row.explanation.is_empty() {
                let cells = cells(names, &row.explanation);
                table += &format!("| {} | | {cells} | |\n", row.explanation_name());
            }
        }
    }
    table
}

/// One cell for each candidate.
fn cells(names: &[String], measured: &[RowAssessment]) -> String {
    let cell = |measured: &RowAssessment| {
        format!("{} · {}", spread(&measured.accuracy, percent), spread(&measured.training_loss, loss))
    };
    let cells: Vec<String> =
        names.iter().map(|name| RowAssessment::by(measured, name).map_or_else(String::new, cell)).collect();
    cells.join(" | ")
}

fn both(accuracy: f64, training_loss: Option<f64>) -> String {
    match training_loss {
        Some(value) => format!("{} · {}", percent(accuracy), loss(value)),
        None => percent(accuracy),
    }
}

/// A table with everything.
fn full(TableResult { table, rows }: &TableResult<'_>) -> String {
    let mut text = format!(
        "| {} | | accuracy | range | one more seed | training loss | range | one more seed | seeds | |\n\
         |---|---|---|---|---|---|---|---|---|---|\n",
        table.varies
    );
    for row in rows {
        let stated = row.row.training_loss.map(loss).unwrap_or_default();
        text += &format!("| **{}** | the report | {} | | | {stated} | | | | |\n", row.name, percent(row.row.accuracy));
        for (index, measured) in row.measured.iter().enumerate() {
            let verdict = if index == 0 { format!("**{}**", row.verdict) } else { measured.verdict.to_string() };
            text += &line("", measured, &verdict);
        }
        for measured in &row.explanation {
            text += &line(&row.explanation_name(), measured, &measured.verdict.to_string());
        }
    }
    text
}

fn line(name: &str, measured: &RowAssessment, verdict: &str) -> String {
    let (accuracy, training) = (&measured.accuracy, &measured.training_loss);
    format!(
        "| {name} | {} | {} | {} | {} | {} | {} | {} | {} | {verdict} |\n",
        measured.candidate,
        spread(accuracy, percent),
        range([accuracy.summary.minimum, accuracy.summary.maximum], percent),
        range(accuracy.interval, percent),
        spread(training, loss),
        range([training.summary.minimum, training.summary.maximum], loss),
        range(training.interval, loss),
        measured.seeds.len()
    )
}
