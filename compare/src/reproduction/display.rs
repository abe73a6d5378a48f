//! Formatting of numbers and names, shared by the terminal, the pages and the findings.

use super::assessment::MetricAssessment;
use crate::Identity;
pub use crate::statistics::text::enumerate;

/// Formats a fraction as a percentage: `82.30 %`.
pub fn percent(fraction: f64) -> String {
    format!("{:.2} %", fraction * 100.0)
}

/// Formats a loss: `0.6783`.
pub fn loss(value: f64) -> String {
    format!("{value:.4}")
}

/// Formats the mean and the standard deviation over seeds: `82.06 % ± 0.71`. A single seed has no deviation: `82.06 %`.
pub fn mean_and_deviation(metric: &MetricAssessment, format: fn(f64) -> String) -> String {
    let mean = format(metric.summary.mean);
    match metric.values.len() {
        1 => mean,
        _ => format!("{mean} ± {}", format(metric.summary.standard_deviation).trim_end_matches(" %")),
    }
}

/// Formats an interval, with its unit once: `81.20 to 83.10 %`. An undefined interval (NaN) becomes `–`.
pub fn range([low, high]: [f64; 2], format: fn(f64) -> String) -> String {
    if low.is_nan() { "–".to_owned() } else { format!("{} to {}", format(low).trim_end_matches(" %"), format(high)) }
}

/// Describes a candidate with its device and, if known, its instruction set: `scratch on cpu (avx2)`.
pub fn machine(identity: &Identity) -> String {
    let kernels = identity.kernels.as_ref().map_or_else(String::new, |kernels| format!(" ({kernels})"));
    format!("{identity} on {}{kernels}", identity.device)
}

/// Formats a number of seeds: `1 seed`, `5 seeds`.
pub fn seed_count(count: usize) -> String {
    if count == 1 { "1 seed".to_owned() } else { format!("{count} seeds") }
}

/// Formats the smallest and the largest number of seeds: `1 to 5 seeds`, or `5 seeds` if they are equal.
pub fn seed_range([fewest, most]: [usize; 2]) -> String {
    if fewest == most { seed_count(most) } else { format!("{fewest} to {most} seeds") }
}
