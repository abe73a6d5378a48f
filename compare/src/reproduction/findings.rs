//! The conclusions from the measurements, in words.

use serde::Serialize;

use super::assessment::{MetricAssessment, RowAssessment, RowVerdict};
use super::display::{enumerate, loss, mean_and_deviation, percent, range, seed_count};
use super::grid::Claim;
use super::results::{Results, RowResult, TableResult};
use crate::statistics::EquivalenceVerdict;
use crate::training::Equivalence;

/// A conclusion from the records, for display.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// Headline of a few words, without a final period.
    pub title: String,
    /// Explanation in a few sentences, with the numbers behind it.
    pub text: String,
}

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
        let tables = self.tables.iter().filter(|result| result.table.is_among(only));
        findings.extend(tables.filter_map(unstated_value_finding));
        findings.extend(distinct_rows(self, only).filter_map(|(table, row)| row_finding(self, table, row)));
        findings.extend(missing_runs_finding(self, only));
        findings
    }

    /// Returns true if a row of the grid declares a network of this name; one that only occurs in an explanation is wrong on
    /// purpose.
    fn declares_network(&self, name: &str) -> bool {
        self.grid.tables.iter().flat_map(|table| &table.rows).any(|row| row.hyperparameters.network_name() == name)
    }
}

/// Returns the rows of the tables in `only`, or of all tables if it is empty, without repetitions: tables overlap, and of
/// several rows with the same hyper-parameters and number of epochs only the first is returned.
fn distinct_rows<'a>(
    results: &'a Results<'_>,
    only: &'a [String],
) -> impl Iterator<Item = (&'a TableResult<'a>, &'a RowResult<'a>)> {
    let tables = results.tables.iter().filter(|result| !result.table.unstated && result.table.is_among(only));
    let mut seen = Vec::new();
    tables.flat_map(|table| table.rows.iter().map(move |row| (table, row))).filter(move |(_, row)| {
        let training = (&row.row.hyperparameters, row.row.epochs);
        let is_new = !seen.contains(&training);
        seen.push(training);
        is_new
    })
}

/// Returns a finding that lists the rows without runs and the rows with fewer seeds than others; `None` if nothing is
/// missing.
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
            for measured in assessments.filter(|measured| measured.seeds.len() < most) {
                fewer.push(format!("{place} by {} ({})", measured.candidate, seed_count(measured.seeds.len())));
            }
            if RowAssessment::find_implementation(&result.measured, &table.by).is_none() {
                fewer.push(format!("{place} by {} (none)", table.by));
            }
        }
    }
    let sentence =
        |start: &str, places: Vec<String>| (!places.is_empty()).then(|| format!("{start}: {}.", places.join("; ")));
    let fewer_than = format!("Fewer than {}", seed_count(most));
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

/// Comparison of the implementations over all rows in which the networks learned something.
struct PairSummary<'a> {
    /// The equivalence tests of each other candidate with the first, with the rows that they belong to.
    pairs: Vec<(&'a RowResult<'a>, &'a Equivalence)>,
    /// Number of check suites that were run.
    suites: usize,
    /// Number of check suites without a failure.
    passed_suites: usize,
}

impl<'a> PairSummary<'a> {
    fn new(results: &'a Results<'_>) -> Self {
        let rows = distinct_rows(results, &[]).filter(|(_, row)| row.verdict != RowVerdict::Degenerate);
        let pairs =
            rows.flat_map(|(_, row)| row.equivalences.iter().map(move |equivalence| (row, equivalence))).collect();
        // The check suite is meant to fail for a network that only an explanation uses.
        let suites = || results.checks.iter().filter(|check| results.declares_network(&check.name));
        let passed_suites = suites().filter(|check| check.summary.failure.is_none()).count();
        Self { pairs, suites: suites().count(), passed_suites }
    }

    fn with_verdict(&self, verdict: EquivalenceVerdict) -> impl Iterator<Item = &(&'a RowResult<'a>, &'a Equivalence)> {
        self.pairs.iter().filter(move |(_, equivalence)| equivalence.verdict == verdict)
    }

    /// Returns true if the implementations differ: in any check, or after training.
    fn has_difference(&self) -> bool {
        self.with_verdict(EquivalenceVerdict::Different).next().is_some() || self.passed_suites < self.suites
    }

    fn title(&self) -> &'static str {
        let [has_inconclusive, has_equivalent] = [EquivalenceVerdict::Inconclusive, EquivalenceVerdict::Equivalent]
            .map(|verdict| self.with_verdict(verdict).next().is_some());
        match (self.has_difference(), has_inconclusive, has_equivalent) {
            (true, ..) => "The two implementations differ",
            (false, false, _) => "The two implementations agree",
            (false, true, true) => "The two implementations agree wherever there are enough seeds to decide",
            (false, true, false) => "There are too few seeds to decide whether the two implementations agree",
        }
    }

    /// Lists the training configurations of the pairs with this verdict, with their differences.
    fn list(&self, verdict: EquivalenceVerdict) -> String {
        let describe = |(row, equivalence): &(&RowResult<'_>, &Equivalence)| {
            let needed =
                equivalence.seeds_needed.map_or_else(String::new, |seeds| format!("; {seeds} seeds would suffice"));
            let points = equivalence.accuracy.difference.mean * 100.0;
            format!("{} ({points:+.2} percentage points{needed})", row.row.hyperparameters.name())
        };
        enumerate(&self.with_verdict(verdict).map(describe).collect::<Vec<_>>())
    }
}

fn agreement_finding(results: &Results<'_>) -> Option<Finding> {
    let summary = PairSummary::new(results);
    let (_, first) = summary.pairs.first()?;
    let mut text = format!(
        "With identical training configurations, the accuracies of {} of {} pairs are equivalent within {:.1} \
         percentage points",
        summary.with_verdict(EquivalenceVerdict::Equivalent).count(),
        summary.pairs.len(),
        first.margin * 100.0
    );
    if summary.with_verdict(EquivalenceVerdict::Inconclusive).next().is_some() {
        text += &format!("; there are too few seeds to decide for {}", summary.list(EquivalenceVerdict::Inconclusive));
    }
    if summary.with_verdict(EquivalenceVerdict::Different).next().is_some() {
        text += &format!("; the accuracies differ for {}", summary.list(EquivalenceVerdict::Different));
    }
    text += ".";
    if summary.suites > 0 {
        let PairSummary { suites, passed_suites, .. } = summary;
        let passed = match (passed_suites == suites, suites) {
            (true, 1) => "The check suite against the float64 reference passes".to_owned(),
            (true, 2) => "Both check suites against the float64 reference pass".to_owned(),
            (true, _) => format!("All {suites} check suites against the float64 reference pass"),
            (false, _) => format!("{passed_suites} of {suites} check suites against the float64 reference pass"),
        };
        let excluded = results.checks.len() - suites;
        let excluded = match excluded {
            0 => String::new(),
            1 => "; that of a network that is wrong on purpose is not counted".to_owned(),
            _ => format!("; those of {excluded} networks that are wrong on purpose are not counted"),
        };
        text += &format!(" {passed}{excluded}.");
    }
    Some(Finding { title: summary.title().to_owned(), text })
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
    let explained = distinct_rows(results, &[]).filter(|(_, row)| row.verdict == RowVerdict::Explained);
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
