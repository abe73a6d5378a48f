//! Significance levels, confidence level, default margin and smallest number of seeds.

/// Significance level α = 5 % of the equivalence test: the largest probability of the verdict *equivalent* for two
/// implementations whose true difference is not smaller than the margin.
pub const EQUIVALENCE_LEVEL: f64 = 0.05;

/// Significance level of the test for a difference larger than the margin: the probability of the verdict *different*
/// for two implementations whose true difference equals the margin. It is low, 0.1 %, because this verdict fails a
/// build.
pub const DIFFERENCE_LEVEL: f64 = 0.001;

/// Confidence level of the reported confidence and prediction intervals.
pub const CONFIDENCE: f64 = 0.95;

/// Default margin of equivalence: implementations are equivalent if their accuracies differ by less than 0.005, that
/// is, half a percentage point.
pub const MARGIN: f64 = 0.005;

/// Smallest number of seeds for which a comparison is decided; with fewer, it is inconclusive. Two differences estimate
/// a standard deviation too roughly: with one degree of freedom, the 95 % quantile of Student's t distribution is 6.3.
pub const MIN_SEEDS: usize = 3;
