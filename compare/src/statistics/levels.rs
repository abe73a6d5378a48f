//! Significance levels, confidence and margin.

/// How probable a false *equivalent* may be.
pub const EQUIVALENCE_LEVEL: f64 = 0.05;

/// How probable a false *different* may be. It fails somebody's build, so it must be rare.
pub const DIFFERENCE_LEVEL: f64 = 0.001;

/// The confidence of the intervals that are printed.
pub const CONFIDENCE: f64 = 0.95;

/// By how much the accuracies of equivalent implementations may differ where nobody says otherwise, as a share of the images.
pub const MARGIN: f64 = 0.005;

/// Two differences do not tell a spread.
pub const FEWEST_SEEDS: usize = 3;
