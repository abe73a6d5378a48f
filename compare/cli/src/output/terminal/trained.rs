//! Trained networks, for a person to read.

use comfy_table::Table;
use mlp_parity_compare::Outcome;
use mlp_parity_compare::record::{EpochRecord, RunRecord};
use mlp_parity_compare::statistics::Summary;
use mlp_parity_compare::training::{Agreement, Equivalence, TrainedPair};

use super::table::{bar, table_of_numbers};
use crate::output::grouped::grouped;

/// The tables of trained networks, each below its title.
pub(super) fn parts(outcome: &Outcome) -> Vec<String> {
    let Some(first) = outcome.equivalences.first() else {
        return vec![format!("After training\n{}", with_one_seed(outcome))];
    };
    let Equivalence { pair: TrainedPair { first, .. }, seeds, margin, .. } = first;
    vec![
        format!("After training with {seeds} seeds\n{}", over_seeds(outcome)),
        format!(
            "Differences from {first}, seed by seed, with a margin of {:.2} points\n{}",
            margin * 100.0,
            differences(outcome)
        ),
        format!("Predictions beside those of {first}, each seed on its own\n{}", predictions(outcome)),
    ]
}

/// The runs of each candidate under each training, which differ in their seeds.
pub(super) fn by_candidate(outcome: &Outcome) -> Vec<Vec<&RunRecord>> {
    grouped(outcome.runs.iter().map(|run| &run.record), |run| (run.training.clone(), run.identity.clone()))
}

/// A figure of the last epochs of runs.
pub(super) fn last(runs: &[&RunRecord], figure: fn(&EpochRecord) -> f64) -> Summary {
    let values: Vec<f64> = runs.iter().filter_map(|run| run.epochs.last().map(figure)).collect();
    Summary::of(&values)
}

fn seconds(runs: &[&RunRecord]) -> String {
    let seconds: Vec<f64> = runs.iter().filter_map(|run| run.seconds_per_epoch()).collect();
    format!("{:.2}", Summary::of(&seconds).mean)
}

/// How losses fall, on a logarithmic scale from the least to the most; of many, some.
fn sparkline(losses: impl ExactSizeIterator<Item = f64>) -> String {
    const MOST: usize = 15;
    let step = losses.len().div_ceil(MOST).max(1);
    let heights: Vec<f64> = losses.step_by(step).map(|loss| loss.max(f64::MIN_POSITIVE).ln()).collect();
    let [low, high] = heights
        .iter()
        .fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], &height| [low.min(height), high.max(height)]);
    match high > low {
        true => heights.iter().map(|height| bar((height - low) / (high - low))).collect(),
        false => String::new(),
    }
}

fn with_one_seed(outcome: &Outcome) -> Table {
    let header = [
        "training",
        "implementation",
        "test accuracy",
        "test loss",
        "training loss",
        "other predictions",
        "s an epoch",
    ];
    let mut rows = table_of_numbers(&header, 2);
    for run in outcome.runs.iter().map(|run| &run.record) {
        let name = run.identity.to_string();
        let of_plan = || outcome.agreements.iter().filter(|found| found.pair.training == run.training);
        let judged = of_plan().find(|found| found.pair.second == name);
        let judged = judged.and_then(|found| Some((found.disagreements, found.control.as_ref()?.disagreement_limit)));
        let Some(epoch) = run.epochs.last() else { continue };
        rows.add_row([
            run.training.clone(),
            name.clone(),
            format!("{:.2} %", epoch.test_accuracy * 100.0),
            format!("{:.4}", epoch.test_loss),
            format!("{}  {:.4}", sparkline(run.epochs.iter().map(|epoch| epoch.train_loss)), epoch.train_loss),
            judged.map_or_else(String::new, |(count, bound)| format!("{count} (limit {bound:.0})")),
            seconds(&[run]),
        ]);
        rows.add_rows(of_plan().find(|found| found.pair.first == name).map(replicas).unwrap_or_default());
    }
    rows
}

/// One row for each replica of the first candidate.
fn replicas(Agreement { pair: TrainedPair { training, first, .. }, control, .. }: &Agreement) -> Vec<Vec<String>> {
    let Some(control) = control else { return Vec::new() };
    let figures = control.control_disagreements.iter().zip(&control.control_accuracy_differences);
    let row = |(index, (disagreements, difference)): (usize, (&usize, &f64))| {
        vec![
            training.clone(),
            format!("{first} replica {}", index + 1),
            format!("{:+.2}", difference * 100.0),
            String::new(),
            String::new(),
            disagreements.to_string(),
            String::new(),
        ]
    };
    figures.enumerate().map(row).collect()
}

fn over_seeds(outcome: &Outcome) -> Table {
    let header = [
        "training",
        "implementation",
        "test accuracy",
        "±",
        "from",
        "to",
        "test loss",
        "±",
        "from",
        "to",
        "s an epoch",
    ];
    let mut rows = table_of_numbers(&header, 2);
    for runs in by_candidate(outcome) {
        let accuracy = last(&runs, |epoch| epoch.test_accuracy * 100.0);
        let loss = last(&runs, |epoch| epoch.test_loss);
        rows.add_row([
            runs[0].training.clone(),
            runs[0].identity.to_string(),
            format!("{:.2} %", accuracy.mean),
            format!("{:.2}", accuracy.standard_deviation),
            format!("{:.2}", accuracy.minimum),
            format!("{:.2}", accuracy.maximum),
            format!("{:.4}", loss.mean),
            format!("{:.4}", loss.standard_deviation),
            format!("{:.4}", loss.minimum),
            format!("{:.4}", loss.maximum),
            seconds(&runs),
        ]);
    }
    rows
}

fn differences(outcome: &Outcome) -> Table {
    let header = [
        "training",
        "implementation",
        "accuracy",
        "±",
        "95 % interval",
        "bootstrap 90 %",
        "p equivalent",
        "test loss",
        "95 % interval",
        "seeds needed",
        "",
    ];
    let mut rows = table_of_numbers(&header, 2);
    for Equivalence { pair, accuracy, loss, equivalence_p, bootstrap, seeds_needed, verdict, .. } in
        &outcome.equivalences
    {
        let points = |[low, high]: [f64; 2]| format!("{:+.3} to {:+.3}", low * 100.0, high * 100.0);
        let [low, high] = loss.interval;
        rows.add_row([
            pair.training.clone(),
            pair.second.clone(),
            format!("{:+.3}", accuracy.difference.mean * 100.0),
            format!("{:.3}", accuracy.difference.standard_deviation * 100.0),
            points(accuracy.interval),
            points(*bootstrap),
            format!("{equivalence_p:.1e}"),
            format!("{:+.5}", loss.difference.mean),
            format!("{low:+.5} to {high:+.5}"),
            seeds_needed.map_or_else(|| "none do".to_owned(), |seeds| seeds.to_string()),
            format!("{verdict:?}").to_lowercase(),
        ]);
    }
    rows
}

fn predictions(outcome: &Outcome) -> Table {
    let mut rows = table_of_numbers(
        &["training", "implementation", "seed", "other predictions", "right alone", "McNemar's p", "Cohen's κ"],
        2,
    );
    for Agreement { pair, seed, disagreements, first_only_correct, second_only_correct, mcnemar_p, kappa, .. } in
        &outcome.agreements
    {
        rows.add_row([
            pair.training.clone(),
            pair.second.clone(),
            seed.to_string(),
            disagreements.to_string(),
            format!("{second_only_correct} against {first_only_correct}"),
            format!("{mcnemar_p:.2}"),
            format!("{kappa:.4}"),
        ]);
    }
    rows
}

/// For each training, everyone's test images by label and predicted class, over all seeds, beside those of the first.
pub(super) fn confusion_matrices(outcome: &Outcome) -> Vec<String> {
    let groups = by_candidate(outcome);
    let sum = |runs: &[&RunRecord]| {
        let mut rows: Vec<Vec<usize>> = Vec::new();
        for matrix in runs.iter().map(|run| &run.confusion) {
            rows.resize_with(matrix.len(), || vec![0; matrix.len()]);
            let cells = rows.iter_mut().flatten().zip(matrix.iter().flatten());
            cells.for_each(|(sum, count)| *sum += count);
        }
        rows
    };
    let mut parts = Vec::new();
    for right in &groups {
        let Some(left) = groups.iter().find(|group| group[0].training == right[0].training) else { continue };
        if left[0].identity == right[0].identity {
            continue;
        }
        let (left_rows, right_rows) = (sum(left), sum(right));
        let classes: Vec<String> = (0..left_rows.len()).map(|class| class.to_string()).collect();
        let header: Vec<&str> = ["label"]
            .into_iter()
            .chain(classes.iter().map(String::as_str))
            .chain(["│"])
            .chain(classes.iter().map(String::as_str))
            .collect();
        let mut table = table_of_numbers(&header, 0);
        for (label, (left, right)) in left_rows.iter().zip(&right_rows).enumerate() {
            let counts = |row: &Vec<usize>| row.iter().map(usize::to_string).collect::<Vec<_>>();
            let cells =
                [label.to_string()].into_iter().chain(counts(left)).chain(["│".to_owned()]).chain(counts(right));
            table.add_row(cells);
        }
        parts.push(format!(
            "Test images by label and prediction under training {}: {} │ {}\n{table}",
            right[0].training, left[0].identity, right[0].identity
        ));
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::sparkline;

    #[test]
    fn sparklines_fall_as_losses_do() {
        assert_eq!(sparkline([1.0, 0.1, 0.01].into_iter()), "█▄▁");
        assert_eq!(sparkline([0.5].into_iter()), "");
        assert_eq!(sparkline((0..100).map(|epoch| 1.0 / f64::from(epoch + 1))).chars().count(), 15);
    }
}
