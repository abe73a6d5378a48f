//! The verdict, and the diagnosis of results that disagree.

use maud::{Markup, html};
use mlp_parity_compare::Verdict;
use mlp_parity_compare::check::{CheckReport, Explanation, Kind, SuiteReport};

use super::document::tone_class;
use crate::output::terminal::Tone;

/// Returns the verdict and its reason in paragraphs.
pub(super) fn card(verdict: Verdict, reasons: &[String]) -> Markup {
    let word = verdict.to_string();
    let tone = Tone::of(&word).unwrap_or(Tone::Open);
    html! {
        section id="verdict" class={ "card " (tone_class(tone)) } aria-labelledby="verdict-title" {
            h2 id="verdict-title" { "Verdict: " span class={ "result " (tone_class(tone)) } { (word) } }
            @for reason in reasons { p { (reason) } }
        }
    }
}

/// Returns true if a candidate's failure has an explanation, or a description of what no explanation covers.
pub(super) fn has_diagnosis(suite: &SuiteReport) -> bool {
    diagnosed(suite).next().is_some()
}

/// Returns the reports with a diagnosis.
fn diagnosed(suite: &SuiteReport) -> impl Iterator<Item = &CheckReport> {
    suite.reports.iter().filter(|report| report.diagnosis.is_some())
}

/// Returns the section on the mistakes that explain the results of each candidate; nothing if there are none.
pub(super) fn diagnosis(suite: &SuiteReport) -> Markup {
    html! {
        @if has_diagnosis(suite) {
            section {
                h2 id="diagnosis" { "Diagnosis" }
                @for report in diagnosed(suite) {
                    @if let Some(diagnosis) = &report.diagnosis {
                        p class="lead" {
                            "The results of " (candidate(report)) " are "
                            @if diagnosis.explanations.is_empty() { "explained by no mistake in the catalogue." }
                            @else { "those of a program that:" }
                        }
                        ul class="findings" { @for explanation in &diagnosis.explanations { li { (explained(explanation)) } } }
                        @if let Some(rest) = &diagnosis.unexplained { p { "Unexplained: " (rest) } }
                    }
                }
            }
        }
    }
}

/// Returns the name of the candidate of a report.
fn candidate(report: &CheckReport) -> &str {
    report.checks.first().map_or("the candidate", |check| &check.candidate)
}

fn explained(explanation: &Explanation) -> Markup {
    let Explanation { id, kind, sentence, advice, explains, equivalent, .. } = explanation;
    html! {
        h3 { (sentence) " " span class="tag" { (kind_name(*kind)) } }
        dl {
            dt { "What to do" } dd { (advice) }
            @if !explains.is_empty() { dt { "Explains" } dd { (without_duplicates(explains).join(", ")) } }
            @if !equivalent.is_empty() {
                dt { "The same on these data" }
                dd { @for other in equivalent { "a program that " (other.sentence) " (" code { (other.id) } ")" br; } }
            }
            dt { "Identifier" } dd { code { (id) } }
        }
    }
}

/// Returns the texts in their order, each once.
fn without_duplicates(texts: &[String]) -> Vec<&str> {
    let is_first = |(index, text): &(usize, &String)| !texts.iter().take(*index).any(|other| other == *text);
    texts.iter().enumerate().filter(is_first).map(|(_, text)| text.as_str()).collect()
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Fault => "mistake",
        Kind::Convention => "other convention",
        Kind::Data => "other data",
        Kind::Precision => "other precision",
    }
}
