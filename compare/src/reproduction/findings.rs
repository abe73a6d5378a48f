//! What the measurements say, in words.

use serde::Serialize;

use super::assessment::{MetricAssessment, RowAssessment, RowVerdict};
use super::grid::Claim;
use super::results::{Results, RowResult, TableResult, equivalence};
use super::show::{loss, percent, range, seeds, spread};
use crate::training::{Equivalence, EquivalenceVerdict};

/// Something that the records show.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// In a few words.
    pub title: String,
    /// In a few sentences.
    pub text: String,
}

impl Results<'_> {
    /// What follows from the measurements, the most general first.
    pub fn findings(&self) -> Vec<Finding> {
        let mut findings: Vec<Finding> = Vec::new();
        findings.extend(self.grid.claim.as_ref().and_then(|claim| answer(self, claim)));
        findings.extend(agreement(self));
        findings.extend(self.tables.iter().filter_map(unstated));
        findings.extend(rows_once(self).filter_map(|(table, row)| of_row(self, table, row)));
        findings.extend(missing(self));
        findings
    }
}

/// The rows of the report, without those whose training stands in a table before.
fn rows_once<'a>(results: &'a Results<'_>) -> impl Iterator<Item = (&'a TableResult<'a>, &'a RowResult<'a>)> {
    let tables = results.tables.iter().filter(|result| !result.table.unstated);
    let mut seen = Vec::new();
    tables.flat_map(|table| table.rows.iter().map(move |row| (table, row))).filter(move |(_, row)| {
        let training = (&row.row.hyperparameters, row.row.epochs);
        let is_new = !seen.contains(&training);
        seen.push(training);
        is_new
    })
}

/// What was not run, or not by everyone with as many seeds.
fn missing(results: &Results<'_>) -> Option<Finding> {
    let (mut not_run, mut fewer) = (Vec::new(), Vec::new());
    let most = results.seeds()?[1];
    for table in &results.grid.tables {
        for row in &table.rows {
            let place = format!("{} {} ({})", table.varies, row.name, table.short_title());
            let Some((_, result)) = results.find(&table.name, &row.name) else {
                not_run.push(place);
                continue;
            };
            for measured in result.measured.iter().chain(&result.explanation).filter(|it| it.seeds.len() < most) {
                fewer.push(format!("{place} by {}, {}", measured.candidate, seeds(measured.seeds.len())));
            }
            if RowAssessment::of(&result.measured, &table.by).is_none() {
                fewer.push(format!("{place} by {}, none", table.by));
            }
        }
    }
    let one = |title: &str, provenance: Vec<String>| {
        (!provenance.is_empty()).then(|| format!("{title}: {}.", provenance.join("; ")))
    };
    let parts: Vec<String> = [one("Not run", not_run), one(&format!("With fewer than {}", seeds(most)), fewer)]
        .into_iter()
        .flatten()
        .collect();
    let title = "Not everything was run".to_owned();
    (!parts.is_empty()).then(|| Finding { title, text: parts.join(" ") })
}

/// Which candidate the report ran.
fn unstated(table: &TableResult<'_>) -> Option<Finding> {
    let varies = &table.table.varies;
    table.table.unstated.then_some(())?;
    let first = table.rows.first()?.decisive()?;
    let stated = first.accuracy.stated.map(percent).unwrap_or_default();
    let with_loss = first.training_loss.stated.map(|value| format!(" and a training loss of {}", loss(value)));
    let is_complete = table.rows.len() == table.table.rows.len();
    let fits: Vec<&str> =
        table.rows.iter().filter(|row| row.verdict == RowVerdict::Reproduced).map(|row| row.name).collect();
    let measured = |row: &RowResult<'_>| {
        let measured = row.decisive()?;
        let [accuracy, training_loss] = [spread(&measured.accuracy, percent), spread(&measured.training_loss, loss)];
        Some(format!("{varies} {} gives {accuracy} and {training_loss}", row.name))
    };
    let rows: Vec<String> = table.rows.iter().filter_map(measured).collect();
    let title = match fits.as_slice() {
        [one] => format!("The {varies} is {one}"),
        [] if !is_complete => return None,
        [] => format!("No {varies} was found"),
        several => format!("The {varies} may be {}", several.join(" or ")),
    };
    let text = format!(
        "The report does not state its {varies}. It has an accuracy of {stated}{}; over {}, {}.",
        with_loss.unwrap_or_default(),
        seeds(first.seeds.len()),
        rows.join(", ")
    );
    Some(Finding { title, text })
}

/// What there is to say of a row that is not simply reproduced.
fn of_row(results: &Results<'_>, table: &TableResult<'_>, row: &RowResult<'_>) -> Option<Finding> {
    let measured = row.decisive()?;
    let place = format!("{} {} ({})", table.table.varies, row.name, table.table.short_title());
    match row.verdict {
        RowVerdict::Reproduced | RowVerdict::Inconclusive => None,
        RowVerdict::Degenerate => {
            Some(Finding { title: format!("With {place} nothing is learned"), text: degenerate(row, measured) })
        }
        RowVerdict::Explained => explained(results, row, measured, &place),
        RowVerdict::Differs => Some(Finding {
            title: format!("With {place} the content differs"),
            text: format!("{}.", both(measured, &measured.candidate)),
        }),
    }
}

fn degenerate(row: &RowResult<'_>, measured: &RowAssessment) -> String {
    let symptom = measured.degenerate.map_or_else(String::new, |degeneracy| degeneracy.to_string());
    let accuracy = percent(measured.accuracy.summary.mean);
    let stated = percent(row.row.accuracy);
    format!(
        "The network {symptom} ({accuracy} over {}; the report has {stated}). That two such networks agree shows nothing.",
        seeds(measured.seeds.len())
    )
}

/// `scratch, 5 seeds: accuracy …, where the report has …, outside …; training loss …`
fn both(measured: &RowAssessment, who: &str) -> String {
    let one = |name: &str, figure: &MetricAssessment, shown: fn(f64) -> String| {
        let stated = figure.stated?;
        let holds = if figure.verdict == Some(RowVerdict::Reproduced) { "within" } else { "outside" };
        Some(format!(
            "{name} {}, where the report has {} ({}{}), {holds} the {} of one more seed",
            spread(figure, shown),
            shown(stated),
            if figure.difference()? < 0.0 { '−' } else { '+' },
            shown(figure.difference()?.abs()).trim_end_matches(" %"),
            range(figure.interval, shown)
        ))
    };
    let parts = [one("accuracy", &measured.accuracy, percent), one("training loss", &measured.training_loss, loss)];
    format!("{who}, {}: {}", seeds(measured.seeds.len()), parts.into_iter().flatten().collect::<Vec<_>>().join("; "))
}

fn explained(results: &Results<'_>, row: &RowResult<'_>, measured: &RowAssessment, place: &str) -> Option<Finding> {
    let cause = row.row.explained_by.as_ref()?;
    let other = row.explanation.first()?;
    let name = cause.hyperparameters.activation.name();
    let mut text = format!(
        "What reproduces it is {}. Without it, {}. With it, {}.",
        cause.cause,
        both(measured, &measured.candidate),
        both(other, &other.candidate)
    );
    let check = results.checks.iter().find(|check| check.name == name);
    if let Some(failure) = check.and_then(|check| check.failure.as_ref()) {
        let times = failure.error_ratio;
        text += &format!(
            " Hyperparameters hides it, and a check of the first batch does not: it fails at the {} of {}, which is off by {times:.0} \
             times what rounding may do.",
            failure.stage, failure.tensor
        );
    }
    Some(Finding { title: format!("With {place} the report seems to have run something else"), text })
}

/// What all rows say about the implementations.
struct PairSummary<'a> {
    /// Everyone beside the first, in each training that taught something.
    pairs: Vec<(&'a RowResult<'a>, &'a Equivalence)>,
    checks: usize,
    checks_that_hold: usize,
}

impl<'a> PairSummary<'a> {
    fn of(results: &'a Results<'_>) -> Self {
        let rows = rows_once(results).filter(|(_, row)| row.verdict != RowVerdict::Degenerate);
        let pairs = rows.flat_map(|(_, row)| row.equivalences.iter().map(move |agreement| (row, agreement))).collect();
        let checks = || results.checks.iter().filter(|check| results.is_right(&check.name));
        let checks_that_hold = checks().filter(|check| check.failure.is_none()).count();
        Self { pairs, checks: checks().count(), checks_that_hold }
    }

    fn with(&self, verdict: EquivalenceVerdict) -> impl Iterator<Item = &(&'a RowResult<'a>, &'a Equivalence)> {
        self.pairs.iter().filter(move |(_, agreement)| agreement.verdict == verdict)
    }

    fn is_broken(&self) -> bool {
        self.with(EquivalenceVerdict::Different).next().is_some() || self.checks_that_hold < self.checks
    }

    fn title(&self) -> &'static str {
        let [is_open, is_equal] = [EquivalenceVerdict::Inconclusive, EquivalenceVerdict::Equivalent]
            .map(|verdict| self.with(verdict).next().is_some());
        match (self.is_broken(), is_open, is_equal) {
            (true, ..) => "The two implementations differ",
            (false, false, _) => "The two implementations agree",
            (false, true, true) => "The two implementations agree wherever the seeds suffice to tell",
            (false, true, false) => "There are too few seeds to tell whether the two implementations agree",
        }
    }

    fn names(&self, verdict: EquivalenceVerdict) -> String {
        let name = |(row, agreement): &(&RowResult<'_>, &Equivalence)| {
            let needed = agreement.seeds_needed.map_or_else(String::new, |seeds| format!("; {seeds} seeds would tell"));
            let points = agreement.accuracy.difference.mean * 100.0;
            format!("{} ({points:+.2} points{needed})", row.row.hyperparameters.name())
        };
        self.with(verdict).map(name).collect::<Vec<_>>().join(", ")
    }
}

fn agreement(results: &Results<'_>) -> Option<Finding> {
    let found = PairSummary::of(results);
    let (_, first) = found.pairs.first()?;
    let mut text = format!(
        "Trained alike, {} of {} pairs of accuracies are equivalent within {:.1} points",
        found.with(EquivalenceVerdict::Equivalent).count(),
        found.pairs.len(),
        first.margin * 100.0
    );
    if found.with(EquivalenceVerdict::Inconclusive).next().is_some() {
        text += &format!("; too few seeds to tell of {}", found.names(EquivalenceVerdict::Inconclusive));
    }
    if found.with(EquivalenceVerdict::Different).next().is_some() {
        text += &format!("; different are {}", found.names(EquivalenceVerdict::Different));
    }
    text += ".";
    if found.checks > 0 {
        let PairSummary { checks, checks_that_hold, .. } = found;
        text += &format!(" Of {checks} checks of every step against the reference {checks_that_hold} hold.");
    }
    Some(Finding { title: found.title().to_owned(), text })
}

impl Results<'_> {
    /// Whether this is the name of an activation that some row has, and no cause of an error.
    fn is_right(&self, name: &str) -> bool {
        self.grid.tables.iter().flat_map(|table| &table.rows).any(|row| row.hyperparameters.activation.name() == name)
    }
}

/// What is to be said of the report's claim.
fn answer(results: &Results<'_>, claim: &Claim) -> Option<Finding> {
    let (_, left) = results.find(&claim.left.table, &claim.left.row)?;
    let (_, right) = results.find(&claim.right.table, &claim.right.row)?;
    let (left_measured, right_measured) = (left.decisive()?, right.decisive()?);
    let compared = equivalence("", left_measured, right_measured)?;
    let is_alike = left.row.hyperparameters.optimizer == right.row.hyperparameters.optimizer;
    let verdict = match compared.verdict {
        _ if PairSummary::of(results).is_broken() => "refuted: trained alike, the implementations differ",
        _ if [left, right].iter().any(|row| row.verdict == RowVerdict::Degenerate) => {
            "open: a network has learned nothing"
        }
        _ if [left, right].iter().any(|row| row.verdict == RowVerdict::Inconclusive) => "open: there are too few runs",
        EquivalenceVerdict::Different => "refuted: the results differ",
        EquivalenceVerdict::Inconclusive => "open: the seeds do not suffice to tell",
        EquivalenceVerdict::Equivalent if is_alike => "confirmed",
        EquivalenceVerdict::Equivalent => "confirmed, but not by what the report compares",
    };
    let name = |row: &RowResult<'_>, measured: &RowAssessment| {
        format!("{} ({})", measured.candidate, row.row.hyperparameters.optimizer)
    };
    let mut text = format!(
        "The report says that {}. It compares {} with {}: {} and {}, a difference of {:+.2} points",
        claim.text,
        name(left, left_measured),
        name(right, right_measured),
        spread(&left_measured.accuracy, percent),
        spread(&right_measured.accuracy, percent),
        compared.accuracy.difference.mean * 100.0,
    );
    let [low, high] = compared.accuracy.interval.map(|end| end * 100.0);
    let margin = compared.margin * 100.0;
    text += &match compared.verdict {
        _ if low.is_nan() => ".".to_owned(),
        EquivalenceVerdict::Equivalent => format!(" (95 %: {low:+.2} to {high:+.2}), equivalent within {margin:.1}."),
        EquivalenceVerdict::Inconclusive => {
            format!(" (95 %: {low:+.2} to {high:+.2}), not shown to be within {margin:.1}.")
        }
        EquivalenceVerdict::Different => format!(" (95 %: {low:+.2} to {high:+.2}), more than {margin:.1}."),
    };
    if !is_alike {
        let explained = rows_once(results).filter(|(_, row)| row.verdict == RowVerdict::Explained);
        let passed: Vec<String> =
            explained.map(|(table, row)| format!("{} {}", table.table.varies, row.name)).collect();
        let example = match passed.as_slice() {
            [] => String::new(),
            rows => format!(": a mistake at {} came through it", rows.join(" and ")),
        };
        text += &format!(
            " These are different optimizers, so that such a comparison shows neither that the mathematics is right nor that \
             it is wrong{example}. What does are the checks of every step, and pairs that are trained alike."
        );
    }
    Some(Finding { title: format!("The claim is {verdict}"), text })
}
