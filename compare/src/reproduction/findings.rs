//! The conclusions from the measurements, in words.

use super::agreement::{PairSummary, agreement_finding, spread_findings};
use super::assessment::{MetricAssessment, RowAssessment, RowVerdict};
use super::display::{enumerate, loss, mean_and_deviation, percent, range, seed_count};
use super::grid::Claim;
use super::results::{Finding, Results, RowResult, TableResult};
use crate::statistics::{EquivalenceVerdict, SequentialPlan};
use crate::training::Equivalence;

impl Results<'_> {
    /// Returns the conclusions from the measurements, from the most general to the most specific: the report's claim,
    /// the agreement of the implementations, values that the report does not state, rows that are not reproduced,
    /// missing runs.
    pub fn findings(&self) -> Vec<Finding> {
        self.findings_about(&[])
    }

    /// Returns the conclusions as [`findings`](Self::findings) does, but those on rows only for the tables with these names,
    /// or with figures of these names; for all tables if there are no names.
    pub fn findings_about(&self, only: &[String]) -> Vec<Finding> {
        let mut findings: Vec<Finding> = Vec::new();
        findings.extend(self.grid.claim.as_ref().and_then(|claim| claim_finding(self, claim)));
        findings.extend(agreement_finding(self));
        findings.extend(spread_findings(self));
        let tables = self.tables.iter().filter(|result| result.table.is_among(only));
        findings.extend(tables.filter_map(unstated_value_finding));
        findings.extend(self.distinct_rows(only).filter_map(|(table, row)| row_finding(self, table, row)));
        findings.extend(missing_runs_finding(self, only));
        findings
    }
}

/// Returns a finding that lists the rows without runs and the rows with fewer seeds than others or, if seeds are added until a
/// pair is decided, those that lack seeds of their next look; `None` if nothing is missing.
fn missing_runs_finding(results: &Results<'_>, only: &[String]) -> Option<Finding> {
    let (mut not_run, mut fewer) = (Vec::new(), Vec::new());
    let most = results.seed_counts()?[1];
    for table in results.grid.tables.iter().filter(|table| table.is_among(only)) {
        for row in &table.rows {
            let place = format!("{} {} ({})", table.varies, row.name, table.short_title());
            let Some((_, result)) = results.find(&table.name, &row.name) else {
                not_run.push(place);
                continue;
            };
            let assessments = result.measured.iter().chain(&result.explanation);
            let wanted = match results.plan {
                None => most,
                Some(_) => {
                    result.equivalences.iter().map(Equivalence::next_look).max().unwrap_or(SequentialPlan::FEWEST)
                }
            };
            for measured in assessments.filter(|measured| measured.seeds.len() < wanted) {
                fewer.push(format!("{place} by {} ({})", measured.candidate, seed_count(measured.seeds.len())));
            }
            if RowAssessment::find_implementation(&result.measured, &table.by).is_none() {
                fewer.push(format!("{place} by {} (none)", table.by));
            }
        }
    }
    let sentence =
        |start: &str, places: Vec<String>| (!places.is_empty()).then(|| format!("{start}: {}.", places.join("; ")));
    let fewer_than = match results.plan {
        None => format!("Fewer than {}", seed_count(most)),
        Some(_) => "Fewer seeds than their next look needs".to_owned(),
    };
    let sentences: Vec<String> =
        [sentence("Not run", not_run), sentence(&fewer_than, fewer)].into_iter().flatten().collect();
    let title = "Some runs are missing".to_owned();
    (!sentences.is_empty()).then(|| Finding { title, text: sentences.join(" ") })
}

/// Infers which row of a table the report used, if the report does not state that. If no row of the table reproduces
/// the reported numbers, this is a finding only if all of its rows were run.
fn unstated_value_finding(table: &TableResult<'_>) -> Option<Finding> {
    let varies = &table.table.varies;
    table.table.unstated.then_some(())?;
    let first = table.rows.first()?.deciding()?;
    let stated = first.accuracy.stated.map(percent).unwrap_or_default();
    let with_loss = first.training_loss.stated.map(|value| format!(" and a training loss of {}", loss(value)));
    let is_complete = table.rows.len() == table.table.rows.len();
    let reproducing: Vec<&str> =
        table.rows.iter().filter(|row| row.verdict == RowVerdict::Reproduced).map(|row| row.name).collect();
    let describe = |row: &RowResult<'_>| {
        let measured = row.deciding()?;
        let accuracy = mean_and_deviation(&measured.accuracy, percent);
        let training_loss = mean_and_deviation(&measured.training_loss, loss);
        Some(format!("{varies} {} gives {accuracy} and {training_loss}", row.name))
    };
    let rows: Vec<String> = table.rows.iter().filter_map(describe).collect();
    let title = match reproducing.as_slice() {
        [only] => format!("The {varies} is {only}"),
        [] if !is_complete => return None,
        [] => format!("No {varies} reproduces the report"),
        several => format!("The {varies} is {}", several.join(" or ")),
    };
    let text = format!(
        "The report does not state its {varies}. It states an accuracy of {stated}{}. Over {}, {}.",
        with_loss.unwrap_or_default(),
        seed_count(first.seeds.len()),
        enumerate(&rows)
    );
    Some(Finding { title, text })
}

/// Returns the finding about a row that is degenerate, explained or different; `None` for a reproduced or inconclusive
/// row.
fn row_finding(results: &Results<'_>, table: &TableResult<'_>, row: &RowResult<'_>) -> Option<Finding> {
    let measured = row.deciding()?;
    let place = format!("{} {} ({})", table.table.varies, row.name, table.table.short_title());
    match row.verdict {
        RowVerdict::Reproduced | RowVerdict::Inconclusive => None,
        RowVerdict::Degenerate => {
            let title = format!("With {place}, the network learns nothing");
            Some(Finding { title, text: degenerate_text(row, measured) })
        }
        RowVerdict::Explained => explained_finding(results, row, measured, &place),
        RowVerdict::Differs => {
            let title = format!("With {place}, the results differ from the report");
            Some(Finding { title, text: format!("{}.", metrics_text(measured)) })
        }
    }
}

fn degenerate_text(row: &RowResult<'_>, measured: &RowAssessment) -> String {
    let symptom = measured.degenerate.map_or_else(String::new, |degeneracy| degeneracy.to_string());
    let accuracy = percent(measured.accuracy.summary.mean);
    let stated = percent(row.row.accuracy);
    format!(
        "The network {symptom}: its accuracy is {accuracy} over {}, and the report states {stated}. Agreement between \
         two such networks proves nothing.",
        seed_count(measured.seeds.len())
    )
}

/// Describes the measured metrics beside the reported ones:
/// `scratch (5 seeds) has accuracy …, where the report states … (-0.44), outside the 95 % prediction interval …`.
fn metrics_text(measured: &RowAssessment) -> String {
    let describe = |name: &str, metric: &MetricAssessment, format: fn(f64) -> String| {
        let stated = metric.stated?;
        let relation = if metric.verdict == Some(RowVerdict::Reproduced) { "within" } else { "outside" };
        Some(format!(
            "{name} {}, where the report states {} ({}{}), {relation} the 95 % prediction interval {}",
            mean_and_deviation(metric, format),
            format(stated),
            if metric.difference()? < 0.0 { '-' } else { '+' },
            format(metric.difference()?.abs()).trim_end_matches(" %"),
            range(metric.interval, format)
        ))
    };
    let metrics =
        [describe("accuracy", &measured.accuracy, percent), describe("training loss", &measured.training_loss, loss)];
    let metrics: Vec<String> = metrics.into_iter().flatten().collect();
    format!("{} ({}) has {}", measured.candidate, seed_count(measured.seeds.len()), metrics.join("; "))
}

fn explained_finding(
    results: &Results<'_>,
    row: &RowResult<'_>,
    measured: &RowAssessment,
    place: &str,
) -> Option<Finding> {
    let cause = row.row.explained_by.as_ref()?;
    let explanation = row.explanation.first()?;
    let name = cause.hyperparameters.network_name();
    let mut text = format!(
        "The reported numbers are reproduced by {}. Without it, {}. With it, {}.",
        cause.cause,
        metrics_text(measured),
        metrics_text(explanation)
    );
    let check = results.checks.iter().find(|check| check.name == name);
    if let Some(failure) = check.and_then(|check| check.summary.failure.as_ref()) {
        text += &format!(
            " The accuracies after training hide the difference, but the check suite finds it in the first batch: \
             the {} stage fails at {}, with an error of {:.0} times the error bound.",
            failure.stage, failure.tensor, failure.error_ratio
        );
    }
    let title = format!("With {place}, the report apparently used a different computation");
    Some(Finding { title, text })
}

/// Tests the report's claim that two of its rows give comparable results.
fn claim_finding(results: &Results<'_>, claim: &Claim) -> Option<Finding> {
    let ([first_row, second_row], equivalence) = results.claim_rows()?;
    let (first, second) = (first_row.deciding()?, second_row.deciding()?);
    let same_optimizer = first_row.row.hyperparameters.optimizer == second_row.row.hyperparameters.optimizer;
    let any_row = |verdict| first_row.verdict == verdict || second_row.verdict == verdict;
    let verdict = match equivalence.verdict {
        _ if PairSummary::new(results).has_difference() => {
            "refuted: the implementations differ with identical training configurations"
        }
        _ if any_row(RowVerdict::Degenerate) => "undecided: a network learned nothing",
        _ if any_row(RowVerdict::Inconclusive) => "undecided: there are too few runs",
        EquivalenceVerdict::Different => "refuted: the results differ",
        EquivalenceVerdict::Inconclusive => "undecided: there are too few seeds",
        EquivalenceVerdict::Equivalent if same_optimizer => "confirmed",
        EquivalenceVerdict::Equivalent => "confirmed, but not by the report's comparison",
    };
    let name = |row: &RowResult<'_>, measured: &RowAssessment| {
        format!("{} ({})", measured.candidate, row.row.hyperparameters.optimizer)
    };
    let mut text = format!(
        "The report claims: “{}”. It compares {} with {}: accuracies of {} and {}, a difference of \
         {:+.2} percentage points",
        claim.text,
        name(first_row, first),
        name(second_row, second),
        mean_and_deviation(&first.accuracy, percent),
        mean_and_deviation(&second.accuracy, percent),
        equivalence.accuracy.difference.mean * 100.0,
    );
    text += &interval_text(&equivalence);
    if !same_optimizer {
        text += &different_optimizers_text(results);
    }
    Some(Finding { title: format!("The claim is {verdict}"), text })
}

/// Returns the end of the sentence that states the difference of two accuracies: its interval and the conclusion.
fn interval_text(equivalence: &Equivalence) -> String {
    let [low, high] = equivalence.accuracy.interval.map(|end| end * 100.0);
    let margin = equivalence.margin * 100.0;
    let conclusion = match equivalence.verdict {
        // A single seed has no interval.
        _ if low.is_nan() => return ".".to_owned(),
        EquivalenceVerdict::Equivalent => format!("equivalent within {margin:.1} percentage points"),
        EquivalenceVerdict::Inconclusive => {
            format!("which does not show equivalence within {margin:.1} percentage points")
        }
        EquivalenceVerdict::Different => format!("more than the margin of {margin:.1} percentage points"),
    };
    format!(" (95 % confidence interval {low:+.2} to {high:+.2}), {conclusion}.")
}

/// Explains why a comparison of different optimizers proves nothing, with the mistakes that it did not reveal.
fn different_optimizers_text(results: &Results<'_>) -> String {
    let explained = results.distinct_rows(&[]).filter(|(_, row)| row.verdict == RowVerdict::Explained);
    let missed: Vec<String> = explained.map(|(table, row)| format!("{} {}", table.table.varies, row.name)).collect();
    let example = match missed.as_slice() {
        [] => String::new(),
        rows => format!(": it did not reveal the mistake with {}", rows.join(" and ")),
    };
    format!(
        " The two use different optimizers, so this comparison can neither confirm nor refute that the mathematics is \
         correct{example}. The evidence is in the check suite, which compares every step with the reference, and in \
         pairs that are trained with the same configuration."
    )
}
