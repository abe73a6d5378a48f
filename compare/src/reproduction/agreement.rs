//! The agreement of the implementations: pairs that were trained with the same configuration, checks, and the findings about
//! them.

use super::assessment::RowVerdict;
use super::display::{enumerate, seed_count};
use super::results::{Finding, Results, RowResult, TableResult};
use crate::record::CheckSummary;
use crate::statistics::{DIFFERENCE_LEVEL, EQUIVALENCE_LEVEL, EquivalenceVerdict, SequentialPlan};
use crate::training::{Equivalence, PairedMetric, RECENT_EPOCHS, TrainedPair};

/// Explanation of the columns of the table of pairs.
pub const PAIRS_CAPTION: &str = "\
    The accuracy of the second implementation minus that of the first, after the same training, in percentage points: mean and \
    95 % confidence interval over the seeds. The accuracy after the last epoch decides; the mean over the last five epochs and \
    the spread, the standard deviations of both over the seeds, stand beside it.";

/// Two candidates that were trained with the configuration of one row.
#[derive(Clone, Copy, Debug)]
pub struct Pair<'a> {
    /// The table.
    pub table: &'a TableResult<'a>,
    /// The row.
    pub row: &'a RowResult<'a>,
    /// The equivalence test of a candidate and the first one.
    pub equivalence: &'a Equivalence,
}

impl Pair<'_> {
    /// Returns the name of the row and its table for display: `weight decay 0.01 (Table 3)`.
    pub fn place(&self) -> String {
        format!("{} {} ({})", self.table.table.varies, self.row.name, self.table.table.short_title())
    }

    /// Returns the headers of the columns of the table of pairs.
    pub fn headers() -> [String; 8] {
        [
            "pair".to_owned(),
            "Δ accuracy".to_owned(),
            "95 % interval".to_owned(),
            "detectable".to_owned(),
            format!("Δ, last {RECENT_EPOCHS} epochs"),
            "spread".to_owned(),
            "seeds".to_owned(),
            "verdict".to_owned(),
        ]
    }

    /// Returns the cells of this pair in the table of pairs.
    pub fn cells(&self) -> [String; 8] {
        let Equivalence { accuracy, recent_accuracy, spread, seeds, verdict, detectable, .. } = self.equivalence;
        // A single seed has no spread.
        let or_dash = |value: f64, text: String| if value.is_nan() { "–".to_owned() } else { text };
        let [low, high] = accuracy.interval.map(points);
        let deviation = |value: f64| or_dash(value, format!("{:.2}", value * 100.0));
        let chance = if spread.p.is_nan() { String::new() } else { format!(" (p {:.2})", spread.p) };
        let of_pair = |PairedMetric { difference, .. }: &PairedMetric| points(difference.mean);
        [
            self.place(),
            of_pair(accuracy),
            or_dash(accuracy.interval[0], format!("{low} to {high}")),
            deviation(*detectable),
            of_pair(recent_accuracy),
            or_dash(
                accuracy.first.standard_deviation,
                format!(
                    "{}, {}{chance}",
                    deviation(accuracy.first.standard_deviation),
                    deviation(accuracy.second.standard_deviation)
                ),
            ),
            seeds.to_string(),
            format!("{verdict:?}").to_lowercase(),
        ]
    }
}

/// Returns which candidates are compared, for the title: `framework/flex minus scratch`.
pub fn compared_candidates(pairs: &[Pair<'_>]) -> String {
    let mut names: Vec<String> = Vec::new();
    for TrainedPair { first, second, .. } in pairs.iter().map(|pair| &pair.equivalence.pair) {
        let name = format!("{second} minus {first}");
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.join(", ")
}

/// Formats a difference of accuracies in percentage points, with its sign; zero has none.
fn points(fraction: f64) -> String {
    let text = format!("{:+.2}", fraction * 100.0);
    if ["+0.00", "-0.00"].contains(&text.as_str()) { "0.00".to_owned() } else { text }
}

impl<'a> Results<'a> {
    /// Returns the pairs of all rows in which the networks learned something, without repetitions.
    pub fn pairs(&'a self) -> Vec<Pair<'a>> {
        let rows = self.distinct_rows(&[]).filter(|(_, row)| row.verdict != RowVerdict::Degenerate);
        rows.flat_map(|(table, row)| row.equivalences.iter().map(move |equivalence| Pair { table, row, equivalence }))
            .collect()
    }

    /// Returns true if a row of the grid declares a network of this name; one that only occurs in an explanation is wrong on
    /// purpose.
    fn declares_network(&self, name: &str) -> bool {
        self.grid.tables.iter().flat_map(|table| &table.rows).any(|row| row.hyperparameters.network_name() == name)
    }
}

/// The number of check suites, and of those that passed.
#[derive(Clone, Copy)]
struct Suites {
    all: usize,
    passed: usize,
}

impl Suites {
    fn count<'a>(summaries: impl Iterator<Item = &'a CheckSummary>) -> Self {
        summaries.fold(Self { all: 0, passed: 0 }, |Self { all, passed }, summary| Self {
            all: all + 1,
            passed: passed + usize::from(summary.failure.is_none()),
        })
    }
}

/// Comparison of the implementations over all pairs.
pub(super) struct PairSummary<'a> {
    pairs: Vec<Pair<'a>>,
    /// The check suites of new networks.
    suites: Suites,
    /// The check suites from the state after training.
    after_training: Suites,
}

impl<'a> PairSummary<'a> {
    pub(super) fn new(results: &'a Results<'a>) -> Self {
        // The check suite is meant to fail for a network that only an explanation uses.
        let suites = results.checks.iter().filter(|check| results.declares_network(&check.name));
        let after_training = results.runs.iter().filter_map(|(_, run)| run.checks_after_training.as_deref());
        Self {
            pairs: results.pairs(),
            suites: Suites::count(suites.map(|check| &check.summary)),
            after_training: Suites::count(after_training),
        }
    }

    fn with_verdict(&self, verdict: EquivalenceVerdict) -> impl Iterator<Item = &Pair<'a>> {
        self.pairs.iter().filter(move |pair| pair.equivalence.verdict == verdict)
    }

    /// Returns true if the implementations differ: in any check, or after training.
    pub(super) fn has_difference(&self) -> bool {
        let fails = |suites: Suites| suites.passed < suites.all;
        self.with_verdict(EquivalenceVerdict::Different).next().is_some()
            || fails(self.suites)
            || fails(self.after_training)
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

    /// Lists the pairs with this verdict, with their differences.
    fn list(&self, verdict: EquivalenceVerdict) -> String {
        let describe = |pair: &Pair<'_>| {
            let Equivalence { seeds, accuracy, seeds_needed, .. } = pair.equivalence;
            let points = accuracy.difference.mean * 100.0;
            let needed = seeds_needed.map_or_else(String::new, |needed| format!("; {needed} would usually suffice"));
            format!("{} ({points:+.2} percentage points over {}{needed})", pair.place(), seed_count(*seeds))
        };
        enumerate(&self.with_verdict(verdict).map(describe).collect::<Vec<_>>())
    }

    /// States how many pairs are equivalent, which are not decided, and which differ.
    fn pairs_text(&self, first: &Equivalence) -> String {
        let equivalent = || self.with_verdict(EquivalenceVerdict::Equivalent);
        let mut text = format!(
            "With identical training configurations, the accuracies of {} of {} pairs are equivalent within {:.1} \
             percentage points",
            equivalent().count(),
            self.pairs.len(),
            first.margin * 100.0
        );
        let noticeable = equivalent().map(|pair| pair.equivalence.noticeable() * 100.0).reduce(f64::max);
        if let Some(points) = noticeable {
            text += &format!("; in each of them, a difference of {points:.2} would have been noticed");
        }
        if self.with_verdict(EquivalenceVerdict::Inconclusive).next().is_some() {
            text += &format!("; there are too few seeds to decide for {}", self.list(EquivalenceVerdict::Inconclusive));
        }
        if self.with_verdict(EquivalenceVerdict::Different).next().is_some() {
            text += &format!("; the accuracies differ for {}", self.list(EquivalenceVerdict::Different));
        }
        text + "."
    }
}

/// States how seeds were added, and the probabilities of false decisions.
fn plan_text(plan: SequentialPlan) -> String {
    format!(
        " Seeds were added until each pair was decided, at most {}; for two implementations that differ by the margin, the \
         probability that a pair is called equivalent is at most {} %, and that it is called different at most {} %.",
        plan.max_seeds(),
        EQUIVALENCE_LEVEL * 100.0,
        DIFFERENCE_LEVEL * 100.0
    )
}

/// States how many check suites passed.
fn suites_text(Suites { all, passed }: Suites, name: &str, end: &str) -> String {
    match (passed == all, all) {
        (_, 0) => String::new(),
        (true, 1) => format!(" The check suite {name} passes{end}."),
        (true, 2) => format!(" Both check suites {name} pass{end}."),
        (true, _) => format!(" All {all} check suites {name} pass{end}."),
        (false, _) => format!(" {passed} of {all} check suites {name} pass{end}."),
    }
}

/// Lists the networks that fail a check from the state after training, with the first failed check of each.
fn failures_after_training(results: &Results<'_>) -> String {
    let failures = results.runs.iter().filter_map(|(_, run)| {
        let failure = run.checks_after_training.as_ref()?.failure.as_ref()?;
        Some(format!("{} with {} fails at {} of {}", run.identity, run.training, failure.stage, failure.tensor))
    });
    enumerate(&failures.collect::<Vec<_>>())
}

pub(super) fn agreement_finding(results: &Results<'_>) -> Option<Finding> {
    let summary = PairSummary::new(results);
    let mut text = summary.pairs_text(summary.pairs.first()?.equivalence);
    let rows = results.distinct_rows(&[]).filter(|(_, row)| row.verdict == RowVerdict::Degenerate);
    text += &match rows.map(|(_, row)| row.equivalences.len()).sum() {
        0 => String::new(),
        1 => " One pair is left out, because its networks learned nothing.".to_owned(),
        count => format!(" {count} pairs are left out, because their networks learned nothing."),
    };
    text += &results.plan.map(plan_text).unwrap_or_default();
    let excluded = match results.checks.len() - summary.suites.all {
        0 => String::new(),
        1 => "; that of a network that is wrong on purpose is not counted".to_owned(),
        excluded => format!("; those of {excluded} networks that are wrong on purpose are not counted"),
    };
    text += &suites_text(summary.suites, "against the float64 reference", &excluded);
    let failures = failures_after_training(results);
    let failures = if failures.is_empty() { failures } else { format!(": {failures}") };
    text += &suites_text(summary.after_training, "from the state after training", &failures);
    Some(Finding { title: summary.title().to_owned(), text })
}

/// Returns a finding for each pair whose accuracies spread differently over the seeds.
pub(super) fn spread_findings(results: &Results<'_>) -> Vec<Finding> {
    let finding = |pair: &Pair<'_>| Finding {
        title: format!("With {}, the accuracies spread differently over the seeds", pair.place()),
        text: format!("{} The verdict on the accuracies does not depend on it.", pair.equivalence.spread_text()),
    };
    results.pairs().iter().filter(|pair| pair.equivalence.spread_differs()).map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::points;

    #[test]
    fn points_have_sign_unless_zero() {
        let texts = [0.0, -0.000_04, 0.1, -0.1, 0.000_06].map(points);
        assert_eq!(texts, ["0.00", "0.00", "+10.00", "-10.00", "+0.01"]);
    }
}
