//! How figures are written, everywhere alike.

use super::assessment::MetricAssessment;
use crate::Identity;

/// A share: `82.30 %`
pub fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

/// A loss: `0.6783`
pub fn loss(value: f64) -> String {
    format!("{value:.4}")
}

/// Mean and standard deviation: `82.06 % ± 0.71`; of one seed `82.06 %`.
pub fn spread(figure: &MetricAssessment, shown: fn(f64) -> String) -> String {
    let mean = shown(figure.summary.mean);
    match figure.values.len() {
        1 => mean,
        _ => format!("{mean} ± {}", shown(figure.summary.standard_deviation).trim_end_matches(" %")),
    }
}

/// An interval: `81.20 to 83.10 %`, or `–` where there is none.
pub fn range([low, high]: [f64; 2], shown: fn(f64) -> String) -> String {
    if low.is_nan() { "–".to_owned() } else { format!("{} to {}", shown(low).trim_end_matches(" %"), shown(high)) }
}

/// `scratch on cpu (avx2)`
pub fn machine(identity: &Identity) -> String {
    let kernels = identity.kernels.as_ref().map_or_else(String::new, |kernels| format!(" ({kernels})"));
    format!("{identity} on {}{kernels}", identity.device)
}

/// `one seed`, `5 seeds`
pub fn seeds(count: usize) -> String {
    if count == 1 { "one seed".to_owned() } else { format!("{count} seeds") }
}

/// `5 seeds`, `1 to 5 seeds`
pub fn seeds_from_to([fewest, most]: [usize; 2]) -> String {
    if fewest == most { seeds(most) } else { format!("{fewest} to {most} seeds") }
}
