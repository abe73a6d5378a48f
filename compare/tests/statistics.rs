//! Compares every statistic with SciPy and statsmodels. The expected values were written by
//! `tests/golden/paired_statistics.py`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use approx::{assert_abs_diff_eq, assert_relative_eq};
use mlp_parity::metrics::{self, Evaluation};
use mlp_parity_compare::statistics::{
    Degeneracy, Sample, bootstrap_interval, cohen_kappa, detectable_difference, mcnemar, seeds_needed, tost_power,
};
use serde::Deserialize;

/// The contents of `paired_statistics.json`.
#[derive(Deserialize)]
struct Golden {
    paired: Vec<Paired>,
    power: Vec<Power>,
    seeds_needed: Vec<SeedsNeeded>,
    mcnemar: Vec<McNemar>,
    kappa: Vec<Kappa>,
}

/// Values of two candidates, paired by seed, and the statistics of their differences.
#[derive(Deserialize)]
struct Paired {
    #[serde(rename = "left")]
    first: Vec<f64>,
    #[serde(rename = "right")]
    second: Vec<f64>,
    margin: f64,
    mean: f64,
    standard_deviation: f64,
    interval_95: [f64; 2],
    prediction_95: [f64; 2],
    equivalence_p: f64,
    difference_p: f64,
    detectable: f64,
    /// For each end of the bootstrap interval, the range in which it lies if 10,000 resamples are drawn.
    bootstrap_90: [[f64; 2]; 2],
}

#[derive(Deserialize)]
struct Power {
    /// Number of pairs, mean difference, standard deviation, margin.
    arguments: (usize, f64, f64, f64),
    power: f64,
}

#[derive(Deserialize)]
struct SeedsNeeded {
    /// Mean difference, standard deviation, margin.
    arguments: (f64, f64, f64),
    count: usize,
}

#[derive(Deserialize)]
struct McNemar {
    /// Numbers of images that only the first, and only the second classifier classifies correctly.
    only: [usize; 2],
    p: f64,
}

#[derive(Deserialize)]
struct Kappa {
    #[serde(rename = "left")]
    first: Vec<usize>,
    #[serde(rename = "right")]
    second: Vec<usize>,
    classes: usize,
    kappa: f64,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("../../tests/golden/paired_statistics.json")).unwrap()
}

fn differences(pair: &Paired) -> Vec<f64> {
    pair.first.iter().zip(&pair.second).map(|(first, second)| second - first).collect()
}

#[test]
fn paired_statistics_match_statsmodels() {
    for pair in golden().paired {
        let differences = Sample::of(&differences(&pair));
        assert_abs_diff_eq!(differences.summary.mean, pair.mean, epsilon = 1e-15);
        assert_relative_eq!(differences.summary.standard_deviation, pair.standard_deviation, max_relative = 1e-12);
        let intervals = [differences.confidence_interval(0.95), differences.prediction_interval(0.95)];
        for (actual, expected) in
            intervals.as_flattened().iter().zip([pair.interval_95, pair.prediction_95].as_flattened())
        {
            assert_relative_eq!(*actual, *expected, max_relative = 1e-9);
        }
        assert_relative_eq!(differences.equivalence_p(pair.margin), pair.equivalence_p, max_relative = 1e-9);
        assert_relative_eq!(differences.difference_p(pair.margin), pair.difference_p, max_relative = 1e-9);
        assert_relative_eq!(detectable_difference(&differences), pair.detectable, max_relative = 1e-9);
    }
}

#[test]
fn bootstrap_interval_matches_exhaustive_resampling() {
    for pair in golden().paired {
        let interval = bootstrap_interval(&differences(&pair), 0.9);
        for (end, [low, high]) in interval.iter().zip(pair.bootstrap_90) {
            assert!((low - 1e-15..=high + 1e-15).contains(end), "{end} is not between {low} and {high}");
        }
        assert_eq!(interval, bootstrap_interval(&differences(&pair), 0.9), "deterministic");
    }
}

#[test]
fn tost_power_matches_scipy_quadrature() {
    for Power { arguments: (count, difference, deviation, margin), power } in golden().power {
        assert_abs_diff_eq!(tost_power(count, difference, deviation, margin), power, epsilon = 1e-8);
    }
    for SeedsNeeded { arguments: (difference, deviation, margin), count } in golden().seeds_needed {
        assert_eq!(seeds_needed(difference, deviation, margin), Some(count));
    }
    assert_eq!(
        seeds_needed(0.005, 0.001, 0.005),
        None,
        "a difference as large as the margin can never be shown to be equivalent"
    );
    assert_eq!(seeds_needed(0.001, 0.0, 0.005), Some(3), "at least three seeds are required");
}

#[test]
fn mcnemar_and_kappa_match_statsmodels() {
    for McNemar { only: [first_only, second_only], p } in golden().mcnemar {
        assert_relative_eq!(mcnemar(first_only, second_only), p, max_relative = 1e-9);
    }
    for Kappa { first, second, classes, kappa } in golden().kappa {
        assert_relative_eq!(cohen_kappa(&first, &second, classes), kappa, max_relative = 1e-12);
    }
    assert!(cohen_kappa(&[1, 1], &[1, 1], 2).is_nan());
}

#[test]
fn sample_of_equal_values_has_p_values_zero_or_one() {
    let same = Sample::of(&[0.002, 0.002, 0.002]);
    assert_eq!([same.equivalence_p(0.005), same.difference_p(0.005)], [0.0, 1.0]);
    assert_eq!([same.equivalence_p(0.001), same.difference_p(0.001)], [1.0, 0.0]);
    assert_eq!(same.confidence_interval(0.95), [0.002, 0.002]);
    let single = Sample::of(&[0.002]);
    assert!(
        single.equivalence_p(0.005).is_nan() && single.confidence_interval(0.95)[0].is_nan(),
        "one value has no standard deviation"
    );
}

fn evaluation(predictions: &[usize], labels: &[usize]) -> Evaluation {
    let accuracy = metrics::accuracy(predictions, labels);
    Evaluation { accuracy, loss: 2.0, predictions: predictions.to_vec() }
}

#[test]
fn degeneracy_detects_constant_and_collapsed_predictions() {
    let labels: Vec<usize> = (0..1000).map(|image| if image % 10 < 3 { 7 } else { image % 10 }).collect();
    let degeneracy = |predictions: Vec<usize>| Degeneracy::detect(&evaluation(&predictions, &labels), &labels);
    assert_eq!(degeneracy(vec![2; 1000]), Some(Degeneracy::Constant(2)));
    // Label 7 makes up 40 % of the images; three standard deviations above that are 44.6 %.
    let correct_on = |images: usize| {
        let predictions = labels
            .iter()
            .copied()
            .enumerate()
            .map(|(image, label)| if image < images { label } else { (label + 1) % 10 });
        predictions.collect::<Vec<_>>()
    };
    assert_eq!(degeneracy(correct_on(446)), Some(Degeneracy::Collapsed(7)));
    assert_eq!(degeneracy(correct_on(447)), None);
}
