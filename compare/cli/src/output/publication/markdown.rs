//! The report as a Markdown page, and the summary that the README contains.

use std::collections::BTreeMap;

use mlp_parity_compare::reproduction::display::{
    enumerate, loss, machine, mean_and_deviation, percent, range, seed_range,
};
use mlp_parity_compare::reproduction::{Results, RowAssessment, RowVerdict, TableResult};

use super::wording::RULE;

/// Returns the report as a Markdown page.
pub(super) fn page(results: &Results<'_>) -> String {
    let mut page = format!("# {}\n\n{}\n\n{RULE}\n\n## Findings\n", results.grid.title, introduction(results));
    for finding in &results.findings() {
        page += &format!("\n**{}.** {}\n", finding.title, finding.text);
    }
    for table in &results.tables {
        page += &format!("\n## {}\n\n{}", table.table.title, detailed_table(table));
        if let Some(figure) = &table.table.figure {
            page += &format!("\n![{}](figures/{}.svg)\n", figure.title, figure.name);
        }
    }
    page += "\n## Provenance\n\n";
    for provenance in &results.provenance {
        let machines: Vec<String> = provenance.candidates.iter().map(|identity| machine(identity)).collect();
        let (environment, data) = (provenance.environment, provenance.dataset);
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
            provenance.records
        );
    }
    page + "\n`tables/runs.csv` lists every run, `records.jsonl` every epoch.\n"
}

/// Returns the introductory sentence: the number of rows with each verdict, the runs, and the data.
pub(super) fn introduction(results: &Results<'_>) -> String {
    let mut counts: BTreeMap<RowVerdict, usize> = BTreeMap::new();
    for row in results.tables.iter().filter(|table| !table.table.unstated).flat_map(|table| &table.rows) {
        *counts.entry(row.verdict).or_default() += 1;
    }
    let reported = results.grid.tables.iter().filter(|table| !table.unstated).flat_map(|table| &table.rows).count();
    let missing = reported - counts.values().sum::<usize>();
    let in_words = |(verdict, count): (RowVerdict, usize)| match (verdict, count) {
        (RowVerdict::Differs, 1) => "1 differs".to_owned(),
        (RowVerdict::Differs, count) => format!("{count} differ"),
        (verdict, 1) => format!("1 is {verdict}"),
        (verdict, count) => format!("{count} are {verdict}"),
    };
    let counts: Vec<String> = counts.into_iter().map(in_words).collect();
    let counts: Vec<String> = counts
        .into_iter()
        .chain((missing > 0).then(|| format!("{missing} {} not run", if missing == 1 { "was" } else { "were" })))
        .collect();
    let mut text = format!(
        "Of the {reported} rows of the report, {}. These results come from {} runs with {}",
        enumerate(&counts),
        results.runs.len(),
        seed_range(results.seed_counts().unwrap_or_default()),
    );
    match results.provenance.as_slice() {
        [first, others @ ..] if others.iter().all(|other| other.dataset == first.dataset) => {
            text += &format!(", on {} training and {} test images.", first.dataset.train, first.dataset.test);
        }
        _ => text += ", on different data sets.",
    }
    text
}

/// Returns a table with one line per row of the report: reported and measured accuracy and training loss, and the
/// verdict.
pub(super) fn summary(results: &Results<'_>) -> String {
    let names = &results.candidates;
    let mut table = format!(
        "| accuracy · training loss | report | {} | verdict |\n|---|---|{}---|\n",
        names.join(" | "),
        "---|".repeat(names.len())
    );
    for TableResult { table: source, rows } in results.tables.iter().filter(|table| !table.table.unstated) {
        table += &format!("| **{}** | | {}|\n", source.title, " |".repeat(names.len()));
        for row in rows {
            let reported = reported_metrics(row.row.accuracy, row.row.training_loss);
            table += &format!("| {} | {reported} | {} | {} |\n", row.name, cells(names, &row.measured), row.verdict);
            if !row.explanation.is_empty() {
                let cells = cells(names, &row.explanation);
                table += &format!("| {} | | {cells} | |\n", row.explanation_name());
            }
        }
    }
    table
}

/// Returns the cells of a summary line, one per candidate; empty for a candidate without runs.
fn cells(names: &[String], measured: &[RowAssessment]) -> String {
    let cell = |measured: &RowAssessment| {
        format!(
            "{} · {}",
            mean_and_deviation(&measured.accuracy, percent),
            mean_and_deviation(&measured.training_loss, loss)
        )
    };
    let cells: Vec<String> =
        names.iter().map(|name| RowAssessment::find_candidate(measured, name).map_or_else(String::new, cell)).collect();
    cells.join(" | ")
}

fn reported_metrics(accuracy: f64, training_loss: Option<f64>) -> String {
    match training_loss {
        Some(value) => format!("{} · {}", percent(accuracy), loss(value)),
        None => percent(accuracy),
    }
}

/// Returns one table of the report in full: for each row the reported values and, for each candidate, mean, range and
/// prediction interval of the measured ones.
fn detailed_table(TableResult { table, rows }: &TableResult<'_>) -> String {
    let mut text = format!(
        "| {} | source | accuracy | range | 95 % prediction interval \
         | training loss | range | 95 % prediction interval | seeds | verdict |\n\
         |---|---|---|---|---|---|---|---|---|---|\n",
        table.varies
    );
    for row in rows {
        let stated = row.row.training_loss.map(loss).unwrap_or_default();
        text += &format!("| **{}** | report | {} | | | {stated} | | | | |\n", row.name, percent(row.row.accuracy));
        // The verdict of the row is in bold, beside the candidate that decides it.
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

/// Returns the table line with the measurements of one candidate. `name` is the first cell, `verdict` the last.
fn line(name: &str, measured: &RowAssessment, verdict: &str) -> String {
    let (accuracy, training) = (&measured.accuracy, &measured.training_loss);
    format!(
        "| {name} | {} | {} | {} | {} | {} | {} | {} | {} | {verdict} |\n",
        measured.candidate,
        mean_and_deviation(accuracy, percent),
        range([accuracy.summary.minimum, accuracy.summary.maximum], percent),
        range(accuracy.interval, percent),
        mean_and_deviation(training, loss),
        range([training.summary.minimum, training.summary.maximum], loss),
        range(training.interval, loss),
        measured.seeds.len()
    )
}
