//! The report as a self-contained HTML page.

use maud::{Markup, html};
use mlp_parity_compare::record::RunRecord;
use mlp_parity_compare::reproduction::display::{self, loss, mean_and_deviation, percent, range};
use mlp_parity_compare::reproduction::{
    MetricAssessment, PAIRS_CAPTION, Pair, Provenance, Results, RowAssessment, RowResult, RowVerdict, TableResult,
    compared_candidates,
};

use super::markdown::introduction;
use super::wording::RULE;
use crate::error::Result;
use crate::output::html::{STYLE, document, losses_plot};
use crate::output::plots::Losses;

/// Returns the whole page. `figures` contains the figure of each table, `None` for a table without one.
pub(super) fn page(results: &Results<'_>, figures: &[Option<Losses>]) -> Result<String> {
    let mut tables = Vec::new();
    for (table, losses) in results.tables.iter().zip(figures) {
        tables.push(section(table, losses.as_ref().map(figure).transpose()?));
    }
    let pairs = results.pairs();
    let body = html! {
        a class="skip" href="#overview" { "Skip to the results" }
        header {
            h1 { (results.grid.title) }
            p class="lead" { (introduction(results)) }
            nav aria-label="Contents" {
                ul {
                    li { a href="#overview" { "Overview" } }
                    li { a href="#findings" { "Findings" } }
                    @if !pairs.is_empty() { li { a href="#agreement" { "Agreement" } } }
                    @for table in &results.tables {
                        li { a href={ "#" (table.table.name) } { (table.table.short_title()) } }
                    }
                    li { a href="#runs" { "Runs" } }
                }
            }
        }
        main {
            (overview(results))
            section {
                h2 id="findings" { "Findings" }
                ul class="findings" {
                    @for finding in &results.findings() {
                        li { h3 { (finding.title) } p { (finding.text) } }
                    }
                }
            }
            @if !pairs.is_empty() { (agreement(&pairs)) }
            @for table in &tables { (table) }
            (runs(results))
            section {
                h2 id="provenance" { "Provenance" }
                @for provenance in &results.provenance { (machine(provenance)) }
            }
        }
        footer { p { (emphasized(RULE)) } }
    };
    Ok(document(&format!("{}: reproduction", results.grid.title), &[STYLE], &body).into_string())
}

/// Converts text to HTML, with `*words*` between asterisks emphasized.
fn emphasized(text: &str) -> Markup {
    html! {
        @for (index, part) in text.split('*').enumerate() {
            @if index % 2 == 1 { em { (part) } } @else { (part) }
        }
    }
}

/// Returns the overview: one line for each row of the report's tables, with its verdict, the reported values, and those
/// measured for each candidate.
fn overview(results: &Results<'_>) -> Markup {
    let names = &results.candidates;
    let metrics = |measured: &RowAssessment| {
        html! {
            (mean_and_deviation(&measured.accuracy, percent)) br;
            span class="quiet" { (mean_and_deviation(&measured.training_loss, loss)) }
        }
    };
    html! {
        section {
            h2 id="overview" { "Overview" }
            div class="wide" tabindex="0" role="region" aria-label="Overview" {
                table {
                    caption { "Test accuracy and, below it, training loss: mean ± standard deviation over seeds." }
                    thead {
                        tr {
                            th scope="col" { span class="hidden" { "row" } }
                            th scope="col" class="name" { "verdict" }
                            th scope="col" { "report" }
                            @for name in names { th scope="col" { (name) } }
                        }
                    }
                    @for TableResult { table, rows } in results.tables.iter().filter(|table| !table.table.unstated) {
                        tbody {
                            tr class="stated" {
                                th scope="rowgroup" colspan=(names.len() + 3) {
                                    a href={ "#" (table.name) } { (table.title) }
                                }
                            }
                            @for row in rows {
                                tr {
                                    th scope="row" { (row.name) }
                                    td class="name" { (verdict(row.verdict)) }
                                    td {
                                        (percent(row.row.accuracy)) br;
                                        @if let Some(value) = row.row.training_loss {
                                            span class="quiet" { (loss(value)) }
                                        }
                                    }
                                    @for name in names {
                                        td {
                                            @let measured = RowAssessment::find_candidate(&row.measured, name);
                                            @if let Some(measured) = measured { (metrics(measured)) }
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Returns the section that compares the implementations, with one line for each pair.
fn agreement(pairs: &[Pair<'_>]) -> Markup {
    html! {
        section {
            h2 id="agreement" { "Agreement: " (compared_candidates(pairs)) }
            div class="wide" tabindex="0" role="region" aria-label="Agreement of the implementations" {
                table {
                    caption { (PAIRS_CAPTION) }
                    thead { tr { @for header in Pair::headers() { th scope="col" { (header) } } } }
                    tbody {
                        @for pair in pairs {
                            tr {
                                @for (index, cell) in pair.cells().iter().enumerate() {
                                    @if index == 0 { th scope="row" { (cell) } } @else { td { (cell) } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Returns the section of one table, with the figure below it.
fn section(TableResult { table, rows }: &TableResult<'_>, figure: Option<Markup>) -> Markup {
    let name = &table.name;
    html! {
        section {
            h2 id=(name) { (table.title) }
            div class="wide" tabindex="0" role="region" aria-label=(table.title) {
                table {
                    caption {
                        "Mean ± standard deviation and, below, the range over seeds. One more seed would lie in the "
                        "prediction interval with a probability of 95 %. The implementation that the report ran is listed "
                        "first and decides the verdict; the verdict in parentheses is that of the other one. Names link "
                        "to the runs."
                    }
                    thead {
                        tr {
                            th scope="col" { (table.varies) }
                            th scope="col" class="name" { "verdict" }
                            th scope="col" { "test accuracy" }
                            th scope="col" { "95 % prediction interval" }
                            th scope="col" { "training loss" }
                            th scope="col" { "95 % prediction interval" }
                            th scope="col" { "seeds" }
                        }
                    }
                    @for row in rows { (body(row)) }
                }
            }
            @if let Some(figure) = figure { (figure) }
        }
    }
}

/// Returns the lines for one row of the report: the reported values, then one line per candidate. If the row has an
/// explanation (a different computation that may reproduce the reported values), more lines show its measurements.
fn body(row: &RowResult<'_>) -> Markup {
    html! {
        tbody {
            tr class="stated" {
                th scope="rowgroup" { (row.name) ", report" }
                td class="name" { (verdict(row.verdict)) }
                td { (percent(row.row.accuracy)) }
                td {}
                td { @if let Some(value) = row.row.training_loss { (loss(value)) } }
                td {}
                td {}
            }
            @for (index, measured) in row.measured.iter().enumerate() {
                (line("", measured, row.row.epochs, &html! {
                    @if measured.verdict != row.verdict {
                        // The implementation that decides the verdict on the row is listed first.
                        @if index == 0 { (verdict(measured.verdict)) } @else { span class="quiet" { "(" (measured.verdict) ")" } }
                    }
                }))
            }
            @for measured in &row.explanation {
                (line(&row.explanation_name(), measured, row.row.epochs, &verdict(measured.verdict)))
            }
        }
    }
}

fn verdict(verdict: RowVerdict) -> Markup {
    html! { span class={ "verdict " (verdict) } { (verdict) } }
}

/// Returns the line with the measurements of one candidate. `explanation` is the name of the row's explanation if the
/// measurements belong to it, otherwise empty, and `verdict` the content of the verdict cell. The candidate's name links
/// to the epoch `epochs` of its runs.
fn line(explanation: &str, measured: &RowAssessment, epochs: usize, verdict: &Markup) -> Markup {
    html! {
        tr class="run" {
            th scope="row" class="name" {
                a href={ "#" (anchor(&measured.training, &measured.candidate)) "-" (epochs) } { (measured.candidate) }
                @if !explanation.is_empty() { " (" (explanation) ")" }
            }
            td class="name" { (verdict) }
            (cells(&measured.accuracy, percent))
            (cells(&measured.training_loss, loss))
            td { (measured.seeds.len()) }
        }
    }
}

/// Returns the two table cells for one metric: the mean with the range over seeds, and the prediction interval.
fn cells(metric: &MetricAssessment, format: fn(f64) -> String) -> Markup {
    html! {
        td {
            (mean_and_deviation(metric, format)) br;
            span class="quiet" { (range([metric.summary.minimum, metric.summary.maximum], format)) }
        }
        td { (range(metric.interval, format)) }
    }
}

/// Returns a figure with its caption.
fn figure(losses: &Losses) -> Result<Markup> {
    Ok(html! {
        figure {
            (losses_plot(losses, &losses.title)?)
            figcaption { (losses.title) ". " (losses.explanation) }
        }
    })
}

/// Returns the HTML anchor of the runs of a candidate with one training configuration.
fn anchor(training: &str, candidate: &str) -> String {
    format!("{training}-{candidate}").replace('/', "-")
}

/// Returns the section with every epoch of every run, in one collapsed table per training configuration and candidate.
fn runs(results: &Results<'_>) -> Markup {
    let mut groups: Vec<Vec<&RunRecord>> = Vec::new();
    for (_, run) in &results.runs {
        match groups.last_mut().filter(|group| group[0].training == run.training && group[0].identity == run.identity) {
            Some(group) => group.push(run),
            None => groups.push(vec![run]),
        }
    }
    html! {
        section {
            h2 id="runs" { "Runs" }
            p class="quiet" { "Test accuracy and training loss after each epoch, for each seed." }
            @for group in &groups { (epochs(group)) }
        }
    }
}

/// Returns the collapsed table of one training configuration and candidate, with one line per epoch and one column per
/// seed.
fn epochs(group: &[&RunRecord]) -> Markup {
    let (training, candidate) = (&group[0].training, group[0].identity.to_string());
    let anchor = anchor(training, &candidate);
    let longest = group.iter().map(|run| run.epochs.len()).max().unwrap_or(0);
    html! {
        details {
            summary { (training) ", " (candidate) }
            div class="wide" tabindex="0" role="region" aria-label={ (training) ", " (candidate) } {
                table {
                    thead {
                        tr {
                            th scope="col" { "epoch" }
                            @for run in group { th scope="col" { "seed " (run.seed) } }
                        }
                    }
                    tbody {
                        @for epoch in 0..longest {
                            tr id={ (anchor) "-" (epoch + 1) } {
                                th scope="row" { (epoch + 1) }
                                @for run in group {
                                    td {
                                        @if let Some(epoch) = run.epochs.get(epoch) {
                                            (percent(epoch.test_accuracy)) " · " (loss(epoch.train_loss))
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Returns a paragraph about the program, machine and data behind a group of records.
fn machine(provenance: &Provenance<'_>) -> Markup {
    let (environment, data) = (provenance.environment, provenance.dataset);
    html! {
        p {
            "Version " (environment.version) ", revision " code { (environment.revision) } ", "
            (environment.os) " " (environment.arch) ": " (provenance.records) " records by "
            @for (index, identity) in provenance.candidates.iter().enumerate() {
                @if index > 0 { ", " }
                (display::machine(identity))
            }
            "; " (data.train) " training and " (data.test) " test images, " code { (data.digest) } "."
        }
    }
}
