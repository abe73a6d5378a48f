//! The report as a Markdown page, and the summary that other pages can contain.

use std::collections::BTreeMap;

use mlp_parity_compare::reproduction::display::{
    enumerate, loss, machine, mean_and_deviation, percent, range, seed_range,
};
use mlp_parity_compare::reproduction::{
    PAIRS_CAPTION, Pair, Results, RowAssessment, RowVerdict, TableResult, compared_candidates,
};

use super::wording::RULE;
use crate::output::escape;

/// Escapes text from a grid or a record, which Markdown would otherwise format, link, or take for the border of a table
/// cell. An underscore within a word has no meaning.
pub(super) fn plain(text: &str) -> String {
    let text = escape::line(text);
    let mut plain = String::new();
    for (index, character) in text.char_indices() {
        let is_within_word = text[..index].ends_with(char::is_alphanumeric)
            && text[index + character.len_utf8()..].starts_with(char::is_alphanumeric);
        let has_meaning = match character {
            '_' => !is_within_word,
            _ => "\\`*[]<>|&#~".contains(character),
        };
        if has_meaning {
            plain.push('\\');
        }
        plain.push(character);
    }
    plain
}

/// Returns text as code. A backtick, which would end the code, becomes an apostrophe.
pub(super) fn code(text: &str) -> String {
    format!("`{}`", escape::line(text).replace('`', "'"))
}

/// Returns the report as a Markdown page.
pub(super) fn page(results: &Results<'_>) -> String {
    let mut page = format!("# {}\n\n{}\n\n{RULE}\n\n## Findings\n", plain(&results.grid.title), introduction(results));
    for finding in &results.findings() {
        page += &format!("\n**{}.** {}\n", plain(&finding.title), plain(&finding.text));
    }
    let pairs = results.pairs();
    if !pairs.is_empty() {
        page += &format!(
            "\n## Agreement: {}\n\n{}\n\n{}",
            plain(&compared_candidates(&pairs)),
            PAIRS_CAPTION,
            pairs_table(&pairs)
        );
    }
    for table in &results.tables {
        page += &format!("\n## {}\n\n{}", plain(&table.table.title), detailed_table(table));
        if let Some(figure) = &table.table.figure {
            page += &format!("\n![{}](figures/{}.svg)\n", plain(&figure.title), figure.name);
        }
    }
    page += "\n## Provenance\n\n";
    for provenance in &results.provenance {
        let machines: Vec<String> = provenance.candidates.iter().map(|identity| machine(identity)).collect();
        let (environment, data) = (provenance.environment, provenance.dataset);
        page += &format!(
            "- version {}, revision {}, {} {}: {}; {} training and {} test images, {}; {} records\n",
            plain(&environment.version),
            plain(&environment.revision),
            plain(&environment.os),
            plain(&environment.arch),
            plain(&machines.join(", ")),
            data.train,
            data.test,
            code(&data.digest),
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
    let header: Vec<String> = names.iter().map(|name| plain(name)).collect();
    let mut table = format!(
        "| accuracy · training loss | report | {} | verdict |\n|---|---|{}---|\n",
        header.join(" | "),
        "---|".repeat(names.len())
    );
    for TableResult { table: source, rows } in results.tables.iter().filter(|table| !table.table.unstated) {
        table += &format!("| **{}** | | {}|\n", plain(&source.title), " |".repeat(names.len()));
        for row in rows {
            let reported = reported_metrics(row.row.accuracy, row.row.training_loss);
            let (name, measured) = (plain(row.name), cells(names, &row.measured));
            table += &format!("| {name} | {reported} | {measured} | {} |\n", row.verdict);
            if !row.explanation.is_empty() {
                let cells = cells(names, &row.explanation);
                table += &format!("| {} | | {cells} | |\n", plain(&row.explanation_name()));
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

/// Returns the table of pairs.
fn pairs_table(pairs: &[Pair<'_>]) -> String {
    let headers = Pair::headers();
    let mut table = format!("| {} |\n|{}\n", headers.join(" | "), "---|".repeat(headers.len()));
    for pair in pairs {
        let cells = pair.cells().map(|cell| plain(&cell));
        table += &format!("| {} |\n", cells.join(" | "));
    }
    table
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
        plain(&table.varies)
    );
    for row in rows {
        let stated = row.row.training_loss.map(loss).unwrap_or_default();
        let (name, accuracy) = (plain(row.name), percent(row.row.accuracy));
        text += &format!("| **{name}** | report | {accuracy} | | | {stated} | | | | |\n");
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
        "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {verdict} |\n",
        plain(name),
        plain(&measured.candidate),
        mean_and_deviation(accuracy, percent),
        range([accuracy.summary.minimum, accuracy.summary.maximum], percent),
        range(accuracy.interval, percent),
        mean_and_deviation(training, loss),
        range([training.summary.minimum, training.summary.maximum], loss),
        range(training.interval, loss),
        measured.seeds.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_markdown_text_has_no_formatting() {
        assert_eq!(plain("a|b `c` *d* _e_ [f](g) <h> &lt; \\"), r"a\|b \`c\` \*d\* \_e\_ \[f\](g) \<h\> \&lt; \\");
        assert_eq!(plain("a\n# b\u{202e}"), r"a\\n\# b\\u202e");
        assert_eq!(plain("linux x86_64, _x_ a__b"), r"linux x86_64, \_x\_ a\_\_b");
        assert_eq!(plain("scratch, 95 % ± 0.71 (5 seeds)"), "scratch, 95 % ± 0.71 (5 seeds)");
        assert_eq!(code("fnv1a64:1f`\n"), "`fnv1a64:1f'\\n`");
    }
}
