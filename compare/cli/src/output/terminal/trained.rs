//! Terminal tables of trained networks.

use mlp_parity_compare::record::{EpochRecord, RunRecord};
use mlp_parity_compare::reproduction::display::seed_range;
use mlp_parity_compare::statistics::Summary;
use mlp_parity_compare::training::{Agreement, Equivalence, TrainedPair};
use mlp_parity_compare::{Outcome, significant};

use super::page::Page;
use super::table::{Column, Table, bar};
use crate::output::grouped::grouped;

/// Adds the tables of trained networks: one table for a single seed, or for several seeds the results, the paired
/// differences, and the predictions.
pub(crate) fn tables(page: &mut Page, outcome: &Outcome) {
    if outcome.runs.is_empty() {
        return;
    }
    let Some(first) = outcome.equivalences.first() else {
        page.table("After training", single_seed(outcome));
        return;
    };
    let Equivalence { pair: TrainedPair { first, .. }, margin, .. } = first;
    let counts: Vec<usize> = by_candidate(outcome).iter().map(Vec::len).collect();
    let counts = [counts.iter().min(), counts.iter().max()].map(|count| count.copied().unwrap_or_default());
    let seeds = seed_range(counts);
    page.table(&format!("After training with {seeds}: mean ± standard deviation"), over_seeds(outcome));
    let margin = margin * 100.0;
    page.table(
        &format!(
            "Differences from {first}, paired by seed, with an equivalence margin of {margin:.2} percentage points"
        ),
        differences(outcome),
    );
    for equivalence in outcome.equivalences.iter().filter(|equivalence| equivalence.spread_differs()) {
        page.lines([
            &format!("With training {}, the accuracies spread differently over the seeds", equivalence.pair.training),
            &equivalence.spread_text(),
        ]);
    }
    page.table(&format!("Predictions compared with {first}, seed by seed"), predictions(outcome, first));
}

/// Groups the runs by training configuration and candidate; the runs of a group differ only in their seeds.
pub(super) fn by_candidate(outcome: &Outcome) -> Vec<Vec<&RunRecord>> {
    grouped(outcome.runs.iter().map(|run| &run.record), |run| (run.training.clone(), run.identity.clone()))
}

/// Summarizes a metric of the last epoch over several runs.
pub(super) fn last(runs: &[&RunRecord], metric: fn(&EpochRecord) -> f64) -> Summary {
    let values: Vec<f64> = runs.iter().filter_map(|run| run.epochs.last().map(metric)).collect();
    Summary::of(&values)
}

/// Formats the mean training time per epoch, in seconds.
fn seconds(runs: &[&RunRecord]) -> String {
    let seconds: Vec<f64> = runs.iter().filter_map(|run| run.seconds_per_epoch()).collect();
    format!("{:.2}", Summary::of(&seconds).mean)
}

/// Formats a loss with four decimals, or one that has exploded with a power of ten.
pub(crate) fn loss(value: f64) -> String {
    if value < 1e5 { format!("{value:.4}") } else { significant(value, 2) }
}

/// Returns 0 instead of a number that is printed with five decimals as −0.
fn without_zero_sign(value: f64) -> f64 {
    if value.abs() < 5e-6 { 0.0 } else { value }
}

/// Draws losses as bars on a logarithmic scale, from the smallest to the largest loss. Long histories are thinned out
/// to at most 15 bars; constant losses give an empty string.
fn sparkline(losses: impl ExactSizeIterator<Item = f64>) -> String {
    const MAX_BARS: usize = 15;
    let step = losses.len().div_ceil(MAX_BARS).max(1);
    let heights: Vec<f64> = losses.step_by(step).map(|loss| loss.max(f64::MIN_POSITIVE).ln()).collect();
    let [low, high] = heights
        .iter()
        .fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], &height| [low.min(height), high.max(height)]);
    match high > low {
        true => heights.iter().map(|height| bar((height - low) / (high - low))).collect(),
        false => String::new(),
    }
}

/// Returns the table for a single seed: one row per run and, below the run of the first candidate, one row per control
/// replica (a copy of the first candidate whose initial parameters are perturbed by rounding-sized noise).
fn single_seed(outcome: &Outcome) -> Table {
    let mut rows = Table::new([
        Column::text("training"),
        Column::name("candidate"),
        Column::number("test accuracy"),
        Column::number("test loss").optional(2),
        Column::text("loss curve").optional(4),
        Column::number("training loss").optional(1),
        Column::number("disagreements"),
        Column::number("s/epoch").optional(3),
    ]);
    for run in outcome.runs.iter().map(|run| &run.record) {
        let name = run.identity.to_string();
        let agreements = || outcome.agreements.iter().filter(|agreement| agreement.pair.training == run.training);
        let disagreements = agreements()
            .find(|agreement| agreement.pair.second == name)
            .and_then(|found| Some((found.disagreements, found.control.as_ref()?.disagreement_limit)));
        let Some(epoch) = run.epochs.last() else { continue };
        rows.add_row([
            run.training.clone(),
            name.clone(),
            format!("{:.2} %", epoch.test_accuracy * 100.0),
            loss(epoch.test_loss),
            sparkline(run.epochs.iter().map(|epoch| epoch.train_loss)),
            loss(epoch.train_loss),
            disagreements.map_or_else(String::new, |(count, limit)| {
                format!("{count} (limit {})", (10.0 * limit).round() / 10.0)
            }),
            seconds(&[run]),
        ]);
        let as_first = agreements().find(|agreement| agreement.pair.first == name);
        rows.add_rows(as_first.map(control_replicas).unwrap_or_default());
    }
    rows
}

/// Returns one row per control replica of the first candidate: its difference in test accuracy from the first
/// candidate, and the number of test images that the two classify differently.
fn control_replicas(Agreement { pair: TrainedPair { training, .. }, control, .. }: &Agreement) -> Vec<Vec<String>> {
    let Some(control) = control else { return Vec::new() };
    let replicas = control.control_disagreements.iter().zip(&control.control_accuracy_differences);
    let row = |(index, (disagreements, difference)): (usize, (&usize, &f64))| {
        vec![
            training.clone(),
            format!("control replica {}", index + 1),
            format!("{:+.2} points", difference * 100.0),
            String::new(),
            String::new(),
            String::new(),
            disagreements.to_string(),
            String::new(),
        ]
    };
    replicas.enumerate().map(row).collect()
}

/// Returns the table with the mean, standard deviation and range over seeds of test accuracy and test loss.
fn over_seeds(outcome: &Outcome) -> Table {
    let mut rows = Table::new([
        Column::text("training"),
        Column::name("candidate"),
        Column::number("test accuracy"),
        Column::number("range").optional(2),
        Column::number("test loss").optional(1),
        Column::number("range").optional(4),
        Column::number("s/epoch").optional(3),
    ]);
    for runs in by_candidate(outcome) {
        let accuracy = last(&runs, |epoch| epoch.test_accuracy * 100.0);
        let loss = last(&runs, |epoch| epoch.test_loss);
        rows.add_row([
            runs[0].training.clone(),
            runs[0].identity.to_string(),
            format!("{:.2} ± {:.2} %", accuracy.mean, accuracy.standard_deviation),
            format!("{:.2}–{:.2} %", accuracy.minimum, accuracy.maximum),
            format!("{:.4} ± {:.4}", loss.mean, loss.standard_deviation),
            format!("{:.4}–{:.4}", loss.minimum, loss.maximum),
            seconds(&runs),
        ]);
    }
    rows
}

/// Returns the table of equivalence tests: the paired differences from the first candidate, with their confidence
/// intervals, the smallest difference that would have been noticed, and what stands beside the accuracy.
fn differences(outcome: &Outcome) -> Table {
    let mut rows = Table::new([
        Column::text("training"),
        Column::name("candidate"),
        Column::number("Δ accuracy"),
        Column::number("95 % interval"),
        Column::number("90 % bootstrap").optional(5),
        Column::number("equivalence p").optional(3),
        Column::number("Δ test loss").optional(2),
        Column::number("95 % interval").optional(4),
        Column::number("detectable").optional(2),
        Column::number("Δ last 5 epochs").optional(4),
        Column::number("variance ratio").optional(5),
        Column::number("spread p").optional(5),
        Column::number("seeds").optional(1),
        Column::number("seeds needed").optional(1),
        Column::text("verdict"),
    ]);
    for Equivalence {
        pair,
        seeds,
        accuracy,
        recent_accuracy,
        spread,
        detectable,
        loss,
        equivalence_p,
        bootstrap,
        seeds_needed,
        verdict,
        ..
    } in &outcome.equivalences
    {
        let points = |[low, high]: [f64; 2]| format!("{:+.3} to {:+.3}", low * 100.0, high * 100.0);
        let [low, high] = loss.interval;
        let accuracy_difference = &accuracy.difference;
        rows.add_row([
            pair.training.clone(),
            pair.second.clone(),
            format!("{:+.3} ± {:.3}", accuracy_difference.mean * 100.0, accuracy_difference.standard_deviation * 100.0),
            points(accuracy.interval),
            points(*bootstrap),
            format!("{equivalence_p:.1e}"),
            format!("{:+.5}", without_zero_sign(loss.difference.mean)),
            format!("{:+.5} to {:+.5}", without_zero_sign(low), without_zero_sign(high)),
            format!("{:.3}", detectable * 100.0),
            format!("{:+.3}", recent_accuracy.difference.mean * 100.0),
            format!("{:.2}", spread.variance_ratio),
            format!("{:.3}", spread.p),
            seeds.to_string(),
            seeds_needed.map_or_else(|| "none suffice".to_owned(), |seeds| seeds.to_string()),
            format!("{verdict:?}").to_lowercase(),
        ]);
    }
    rows
}

/// Returns the table that compares predictions with those of the first candidate: the disagreements, and McNemar's
/// counts of test images that only one of the two classifies correctly.
fn predictions(outcome: &Outcome, first: &str) -> Table {
    let mut rows = Table::new([
        Column::text("training"),
        Column::name("candidate"),
        Column::number("seed"),
        Column::number("disagreements"),
        Column::number("only it right").optional(1),
        Column::number(format!("only {first} right")).optional(1),
        Column::number("McNemar's p").optional(2),
        Column::number("Cohen's κ").optional(3),
    ]);
    for Agreement { pair, seed, disagreements, first_only_correct, second_only_correct, mcnemar_p, kappa, .. } in
        &outcome.agreements
    {
        rows.add_row([
            pair.training.clone(),
            pair.second.clone(),
            seed.to_string(),
            disagreements.to_string(),
            second_only_correct.to_string(),
            first_only_correct.to_string(),
            format!("{mcnemar_p:.2}"),
            format!("{kappa:.4}"),
        ]);
    }
    rows
}

/// Returns the title and the counts of each confusion matrix, summed over seeds: one for each training configuration and
/// candidate.
pub(crate) fn confusion_sums(outcome: &Outcome) -> Vec<(String, Vec<Vec<usize>>)> {
    let sum = |runs: Vec<&RunRecord>| {
        // The size is known only once there is a matrix; interrupted runs may have none.
        let mut sums: Vec<Vec<usize>> = Vec::new();
        for matrix in runs.iter().map(|run| &run.confusion) {
            sums.resize_with(matrix.len(), || vec![0; matrix.len()]);
            let cells = sums.iter_mut().flatten().zip(matrix.iter().flatten());
            cells.for_each(|(sum, count)| *sum += count);
        }
        (format!("Confusion matrix of {}, training {}: predictions by label", runs[0].identity, runs[0].training), sums)
    };
    by_candidate(outcome).into_iter().map(sum).collect()
}

/// Adds the confusion matrices.
pub(super) fn confusion_matrices(page: &mut Page, outcome: &Outcome) {
    for (title, sums) in confusion_sums(outcome) {
        let classes = (0..sums.len()).map(|class| Column::number(class.to_string()));
        let mut table = Table::new([Column::number("label")].into_iter().chain(classes));
        for (label, counts) in sums.iter().enumerate() {
            table.add_row([label].iter().chain(counts).map(usize::to_string));
        }
        page.table(&title, table);
    }
}

#[cfg(test)]
mod tests {
    use super::sparkline;

    #[test]
    fn sparkline_falls_with_loss() {
        assert_eq!(sparkline([1.0, 0.1, 0.01].into_iter()), "█▄▁");
        assert_eq!(sparkline([0.5].into_iter()), "");
        assert_eq!(sparkline((0..100).map(|epoch| 1.0 / f64::from(epoch + 1))).chars().count(), 15);
    }
}
