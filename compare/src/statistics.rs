//! What several seeds say about two implementations.
//!
//! Seeds are paired: both start from the same parameters and see the same batches, so that what is examined is the
//! difference of each pair, and not two clouds that chance has spread far wider. A difference that is not significant
//! proves nothing; equivalence is shown by refuting, at the level [`EQUIVALENCE_LEVEL`], both that the difference is
//! below −margin and that it is above +margin (two one-sided tests: Schuirmann 1987).

mod paired;
mod power;
mod predictions;

pub use paired::{Sample, Summary, bootstrap_interval};
pub use power::{POWER, seeds_needed, tost_power};
pub use predictions::{Degeneracy, cohen_kappa, mcnemar};

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
