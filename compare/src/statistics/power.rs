//! Power of the equivalence test, and the number of seeds that it needs.

use statrs::distribution::{Chi, Continuous, ContinuousCDF, Normal, StudentsT};

use super::levels::{CONFIDENCE, EQUIVALENCE_LEVEL, MIN_SEEDS};
use super::paired::Sample;

/// Power for which [`seeds_needed`] plans: the probability that the equivalence test succeeds under the assumed mean
/// and standard deviation.
pub const POWER: f64 = 0.9;

/// Limit of the search in [`seeds_needed`], because larger numbers of seeds are impractical. The search ends with the
/// first number that it tries above this limit.
const MAX_SEEDS: usize = 100_000;

/// Returns the power of the two one-sided t-tests at the level [`EQUIVALENCE_LEVEL`]: the probability that they show
/// equivalence within ±`margin`, if `count` pairs have normally distributed differences with the mean `difference` and
/// the given standard deviation.
///
/// For n pairs, let δ be the true mean and σ the true standard deviation of the differences, Δ the margin, t the 1 − α
/// quantile of Student's t distribution with k = n − 1 degrees of freedom, d̄ the sample mean and s the sample standard
/// deviation. The tests succeed if |d̄| < Δ − t·s/√n. Here d̄ is normal with mean δ and standard deviation σ/√n; s·√k/σ
/// is independent of d̄ and has a χ distribution with k degrees of freedom, whose density is f. The exact power is
/// therefore (Phillips 1990)
///
/// ```text
/// ∫ max(0, Φ(r(x) − δ√n/σ) − Φ(−r(x) − δ√n/σ)) f(x) dx,     r(x) = Δ√n/σ − t·x/√k
/// ```
///
/// and is integrated by Simpson's rule. The result agrees with adaptive quadrature to 1e-8.
///
/// Returns NaN for fewer than two pairs. The power does not include the additional condition on the
/// [bootstrap interval](super::bootstrap_interval).
pub fn tost_power(count: usize, difference: f64, standard_deviation: f64, margin: f64) -> f64 {
    /// Number of intervals of Simpson's rule; must be even. The integrand is smooth, so this many suffice.
    const PANELS: usize = 400;
    let freedom = count.saturating_sub(1);
    let (Ok(chi), Ok(t), Ok(normal)) =
        (Chi::new(freedom as u64), StudentsT::new(0.0, 1.0, freedom as f64), Normal::new(0.0, 1.0))
    else {
        return f64::NAN;
    };
    if standard_deviation == 0.0 {
        return f64::from(u8::from(difference.abs() < margin));
    }
    // From here on, lengths are in units of σ/√n.
    let unit = standard_deviation / (count as f64).sqrt();
    let (difference, margin) = (difference / unit, margin / unit);
    // t/√k, by which a χ value is multiplied.
    let quantile = t.inverse_cdf(1.0 - EQUIVALENCE_LEVEL) / (freedom as f64).sqrt();
    let integrand = |chi_value: f64| {
        let radius = margin - quantile * chi_value;
        (normal.cdf(radius - difference) - normal.cdf(-radius - difference)).max(0.0) * chi.pdf(chi_value)
    };
    // The χ distribution lies within √k ± 8 except for a probability of 1e-15. Beyond margin/quantile the tests never
    // succeed.
    let center = (freedom as f64).sqrt();
    let (low, high) = ((center - 8.0).max(0.0), (center + 8.0).min(margin / quantile));
    if high <= low {
        return 0.0;
    }
    let width = (high - low) / PANELS as f64;
    let weight = |panel: usize| match panel {
        0 | PANELS => 1.0,
        panel if panel % 2 == 1 => 4.0,
        _ => 2.0,
    };
    (0..=PANELS).map(|panel| weight(panel) * integrand(low + width * panel as f64)).sum::<f64>() * width / 3.0
}

/// Returns the smallest true difference that `differences` would have shown with a probability of [`POWER`]: by a two-sided
/// paired t-test at the level 1 − [`CONFIDENCE`],
///
/// ```text
/// (t₀.₉₇₅ + t₀.₉) s/√n        with quantiles of Student's t distribution with n − 1 degrees of freedom
/// ```
///
/// NaN for fewer than two differences.
pub fn detectable_difference(differences: &Sample) -> f64 {
    let Ok(t) = StudentsT::new(0.0, 1.0, differences.count.saturating_sub(1) as f64) else { return f64::NAN };
    (t.inverse_cdf(0.5 + CONFIDENCE / 2.0) + t.inverse_cdf(POWER)) * differences.standard_error()
}

/// Returns the smallest number of seeds for which [`tost_power`] reaches [`POWER`], at least [`MIN_SEEDS`]; `None` if
/// not even 100,000 seeds suffice, for example because `difference` is not smaller than `margin`.
///
/// In practice `difference` and `standard_deviation` are estimates from few seeds, and the result is as rough as they
/// are.
pub fn seeds_needed(difference: f64, standard_deviation: f64, margin: f64) -> Option<usize> {
    // The power grows with the number of seeds: double until it suffices, then bisect.
    let is_enough = |count: usize| tost_power(count, difference, standard_deviation, margin) >= POWER;
    let mut enough = MIN_SEEDS;
    while !is_enough(enough) {
        if enough > MAX_SEEDS {
            return None;
        }
        enough *= 2;
    }
    let mut too_few = if enough == MIN_SEEDS { return Some(enough) } else { enough / 2 };
    while enough - too_few > 1 {
        let middle = too_few.midpoint(enough);
        if is_enough(middle) { enough = middle } else { too_few = middle }
    }
    Some(enough)
}
