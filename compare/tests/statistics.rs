//! Every statistic beside the value that SciPy and statsmodels have for it: `tests/golden/paired_statistics.py`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use approx::{assert_abs_diff_eq, assert_relative_eq};
use mlp_parity::metrics::{self, Evaluation};
use mlp_parity_compare::statistics::{
    Degeneracy, Sample, bootstrap_interval, cohen_kappa, mcnemar, seeds_needed, tost_power,
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Reference {
    paired: Vec<Paired>,
    power: Vec<Power>,
    seeds_needed: Vec<Needed>,
    mcnemar: Vec<McNemar>,
    kappa: Vec<Kappa>,
}

#[derive(Deserialize)]
struct Paired {
    left: Vec<f64>,
    right: Vec<f64>,
    margin: f64,
    mean: f64,
    standard_deviation: f64,
    interval_95: [f64; 2],
    prediction_95: [f64; 2],
    equivalence_p: f64,
    difference_p: f64,
    bootstrap_90: [[f64; 2]; 2],
}

#[derive(Deserialize)]
struct Power {
    arguments: (usize, f64, f64, f64),
    power: f64,
}

#[derive(Deserialize)]
struct Needed {
    arguments: (f64, f64, f64),
    count: usize,
}

#[derive(Deserialize)]
struct McNemar {
    only: [usize; 2],
    p: f64,
}

#[derive(Deserialize)]
struct Kappa {
    left: Vec<usize>,
    right: Vec<usize>,
    classes: usize,
    kappa: f64,
}

fn reference() -> Reference {
    serde_json::from_str(include_str!("../../tests/golden/paired_statistics.json")).unwrap()
}

fn differences(pair: &Paired) -> Vec<f64> {
    pair.left.iter().zip(&pair.right).map(|(left, right)| right - left).collect()
}

#[test]
fn means_intervals_and_p_values_are_those_of_statsmodels() {
    for pair in reference().paired {
        let differences = Sample::of(&differences(&pair));
        assert_abs_diff_eq!(differences.summary.mean, pair.mean, epsilon = 1e-15);
        assert_relative_eq!(differences.summary.standard_deviation, pair.standard_deviation, max_relative = 1e-12);
        let intervals = [differences.interval(0.95), differences.prediction_interval(0.95)];
        for (ours, theirs) in intervals.as_flattened().iter().zip([pair.interval_95, pair.prediction_95].as_flattened())
        {
            assert_relative_eq!(*ours, *theirs, max_relative = 1e-9);
        }
        assert_relative_eq!(differences.equivalence_p(pair.margin), pair.equivalence_p, max_relative = 1e-9);
        assert_relative_eq!(differences.difference_p(pair.margin), pair.difference_p, max_relative = 1e-9);
    }
}

#[test]
fn a_bootstrap_finds_the_percentiles_of_all_resamples() {
    for pair in reference().paired {
        let interval = bootstrap_interval(&differences(&pair), 0.9);
        for (end, [low, high]) in interval.iter().zip(pair.bootstrap_90) {
            assert!((low - 1e-15..=high + 1e-15).contains(end), "{end} is not from {low} to {high}");
        }
        assert_eq!(interval, bootstrap_interval(&differences(&pair), 0.9), "the same every time");
    }
}

#[test]
fn the_power_of_two_one_sided_tests_is_that_of_scipys_integral() {
    for Power { arguments: (count, difference, deviation, margin), power } in reference().power {
        assert_abs_diff_eq!(tost_power(count, difference, deviation, margin), power, epsilon = 1e-8);
    }
    for Needed { arguments: (difference, deviation, margin), count } in reference().seeds_needed {
        assert_eq!(seeds_needed(difference, deviation, margin), Some(count));
    }
    assert_eq!(seeds_needed(0.005, 0.001, 0.005), None, "a difference as large as the margin is never equivalent");
    assert_eq!(seeds_needed(0.001, 0.0, 0.005), Some(3), "two seeds do not tell a spread");
}

#[test]
fn mcnemar_and_kappa_are_those_of_statsmodels() {
    for McNemar { only: [left, right], p } in reference().mcnemar {
        assert_relative_eq!(mcnemar(left, right), p, max_relative = 1e-9);
    }
    for Kappa { left, right, classes, kappa } in reference().kappa {
        assert_relative_eq!(cohen_kappa(&left, &right, classes), kappa, max_relative = 1e-12);
    }
    assert!(cohen_kappa(&[1, 1], &[1, 1], 2).is_nan());
}

#[test]
fn without_any_spread_the_mean_is_the_difference() {
    let same = Sample::of(&[0.002, 0.002, 0.002]);
    assert_eq!([same.equivalence_p(0.005), same.difference_p(0.005)], [0.0, 1.0]);
    assert_eq!([same.equivalence_p(0.001), same.difference_p(0.001)], [1.0, 0.0]);
    assert_eq!(same.interval(0.95), [0.002, 0.002]);
    let one = Sample::of(&[0.002]);
    assert!(one.equivalence_p(0.005).is_nan() && one.interval(0.95)[0].is_nan(), "one value tells nothing");
}

fn evaluation(predictions: &[usize], labels: &[usize]) -> Evaluation {
    let accuracy = metrics::accuracy(predictions, labels);
    Evaluation { accuracy, loss: 2.0, predictions: predictions.to_vec() }
}

#[test]
fn who_learned_nothing_is_degenerate() {
    let labels: Vec<usize> = (0..1000).map(|image| if image % 10 < 3 { 7 } else { image % 10 }).collect();
    let degeneracy = |predictions: Vec<usize>| Degeneracy::of(&evaluation(&predictions, &labels), &labels);
    assert_eq!(degeneracy(vec![2; 1000]), Some(Degeneracy::Constant(2)));
    // Label 7 has 40 %; three standard deviations more are 44.6 %.
    let right_on = |images: usize| {
        let predictions = labels
            .iter()
            .copied()
            .enumerate()
            .map(|(image, label)| if image < images { label } else { (label + 1) % 10 });
        predictions.collect::<Vec<_>>()
    };
    assert_eq!(degeneracy(right_on(446)), Some(Degeneracy::Collapsed(7)));
    assert_eq!(degeneracy(right_on(447)), None);
}
