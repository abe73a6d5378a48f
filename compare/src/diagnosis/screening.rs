//! Screening of variants by the values that they predict, without error bounds.

use ndarray::{ArrayD, Zip};
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};

use super::target::{Outcome, Target};
use super::values::predicted;
use super::variant::Variant;
use crate::check::{Comparison, Computation, Results};

/// Largest number of variants that are compared within error bounds.
const MAX_SURVIVORS: usize = 16;

/// Largest ratio of the differences that a variant leaves to those of the declared computation, for a variant that is worth a
/// comparison.
const WORTHWHILE: f64 = 0.1;

/// Largest difference, relative to the largest value, that another precision may cause.
const SMALL_DIFFERENCE: f64 = 0.05;

/// Returns the variants that are worth a comparison within error bounds: those whose values leave the smallest differences,
/// smallest first, and those that values cannot judge, because recorded results stand for something else or only the precision
/// differs.
pub(super) fn screened<'a>(
    variants: &'a [Variant],
    computation: &Computation,
    results: &Results,
    declared: &[Outcome],
    target: &Target,
) -> Vec<&'a Variant> {
    // Results of the same unit before the target must stay right.
    let last = declared.iter().rposition(|outcome| target.contains(outcome)).map_or(0, |last| last + 1);
    let judged: Vec<&Outcome> = declared[..last].iter().filter(|outcome| outcome.step == target.step).collect();
    let tensors = judged.iter().map(|outcome| outcome.comparison.tensor.clone()).collect();
    let unit = Target { tensors, ..target.clone() };
    let of_target: Vec<&Outcome> = judged.iter().copied().filter(|outcome| target.contains(outcome)).collect();
    let before = of_target.iter().map(|outcome| difference(outcome, &outcome.comparison.expected)).fold(0.0, f64::max);
    let are_small = of_target.iter().all(|outcome| is_small(outcome));
    let ranked = variants.par_iter().map(|variant| {
        let (changed, changed_results) = variant.applied(computation, results);
        if changed.precision != computation.precision {
            return are_small.then_some((0.0, variant));
        }
        if *changed_results != *results {
            return Some((0.0, variant));
        }
        // A variant may not fit the shapes.
        let values = predicted(&changed, &changed_results, &unit).unwrap_or_default();
        let remaining = judged.iter().map(|outcome| {
            let value = values.iter().find(|(name, _)| *name == outcome.comparison.tensor);
            value.map_or(f64::INFINITY, |(_, value)| difference(outcome, value))
        });
        let remaining = remaining.fold(f64::MIN_POSITIVE, f64::max);
        // All that are within the bounds are equal, so that their simplicity counts.
        (remaining <= WORTHWHILE * before).then_some((remaining.max(1.0), variant))
    });
    let ranked: Vec<Option<(f64, &Variant)>> = ranked.collect();
    let mut ranked: Vec<(f64, &Variant)> = ranked.into_iter().flatten().collect();
    ranked.sort_by(|(left, first), (right, second)| left.total_cmp(right).then(first.bits.total_cmp(&second.bits)));
    let others = ranked.iter().filter(|(remaining, _)| *remaining == 0.0).count();
    ranked.into_iter().take(others + MAX_SURVIVORS).map(|(_, variant)| variant).collect()
}

/// Returns true if the differences are small enough to come from another precision.
fn is_small(outcome: &Outcome) -> bool {
    let Comparison { expected, actual, .. } = &outcome.comparison;
    let largest = |values: &ArrayD<f64>| values.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
    expected.shape() == actual.shape() && largest(&(expected - actual)) <= SMALL_DIFFERENCE * largest(expected)
}

/// Returns the largest difference between recorded and predicted values, in units of the declared computation's bounds.
fn difference(outcome: &Outcome, predicted: &ArrayD<f64>) -> f64 {
    let comparison = &outcome.comparison;
    if predicted.shape() != comparison.actual.shape() {
        return f64::INFINITY;
    }
    let smallest = comparison.bound.iter().copied().filter(|bound| *bound > 0.0).fold(f64::INFINITY, f64::min);
    let mut largest = 0.0_f64;
    Zip::from(predicted).and(&comparison.actual).and(&comparison.bound).for_each(|value, actual, bound| {
        let unit = if *bound > 0.0 { *bound } else { smallest };
        let difference = (value - actual).abs() / unit;
        largest = if difference.is_nan() { f64::INFINITY } else { largest.max(difference) };
    });
    largest
}
