//! How many seeds it takes.

use statrs::distribution::{Chi, Continuous, ContinuousCDF, Normal, StudentsT};

use super::levels::{EQUIVALENCE_LEVEL, FEWEST_SEEDS};

/// How probable it shall be that an equivalence is shown, where it is true.
pub const POWER: f64 = 0.9;

/// More seeds than that nobody runs.
const MOST_SEEDS: usize = 100_000;

/// The probability that the two one-sided t-tests show equivalence, with this many pairs whose differences have this
/// mean and standard deviation.
///
/// They do if |mean| < margin − t·S/√n, where the mean of n differences is normal around the true difference with the
/// standard deviation σ/√n, and S, their own standard deviation, is σ/√k times a χ variable with k = n − 1 degrees of
/// freedom that does not depend on the mean (Phillips 1990). Integrated over that variable by Simpson's rule.
pub fn tost_power(count: usize, difference: f64, standard_deviation: f64, margin: f64) -> f64 {
    /// Even; the integrand is smooth.
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
    // In units of σ/√n.
    let unit = standard_deviation / (count as f64).sqrt();
    let (difference, margin) = (difference / unit, margin / unit);
    let quantile = t.inverse_cdf(1.0 - EQUIVALENCE_LEVEL) / (freedom as f64).sqrt();
    let shown = |chi_value: f64| {
        let room = margin - quantile * chi_value;
        (normal.cdf(room - difference) - normal.cdf(-room - difference)).max(0.0) * chi.pdf(chi_value)
    };
    // All but 1e-15 of χ lies within 8 of √k.
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
    (0..=PANELS).map(|panel| weight(panel) * shown(low + width * panel as f64)).sum::<f64>() * width / 3.0
}

/// The fewest seeds that show equivalence with the probability [`POWER`], if the differences have this mean and standard
/// deviation; `None` if no number that anyone could run does.
pub fn seeds_needed(difference: f64, standard_deviation: f64, margin: f64) -> Option<usize> {
    let is_enough = |count: usize| tost_power(count, difference, standard_deviation, margin) >= POWER;
    let mut enough = FEWEST_SEEDS;
    while !is_enough(enough) {
        if enough > MOST_SEEDS {
            return None;
        }
        enough *= 2;
    }
    let mut too_few = if enough == FEWEST_SEEDS { return Some(enough) } else { enough / 2 };
    while enough - too_few > 1 {
        let middle = too_few.midpoint(enough);
        if is_enough(middle) { enough = middle } else { too_few = middle }
    }
    Some(enough)
}
