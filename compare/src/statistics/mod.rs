//! What several seeds say about two implementations.
//!
//! Seeds are paired: both start from the same parameters and see the same batches, so that what is examined is the
//! difference of each pair, and not two clouds that chance has spread far wider. A difference that is not significant
//! proves nothing; equivalence is shown by refuting, at the level [`EQUIVALENCE_LEVEL`], both that the difference is
//! below −margin and that it is above +margin (two one-sided tests: Schuirmann 1987).

mod levels;
mod paired;
mod power;
mod predictions;

pub use paired::{Sample, Summary, bootstrap_interval};
pub use power::{POWER, seeds_needed, tost_power};
pub use predictions::{Degeneracy, cohen_kappa, mcnemar};

pub use levels::{CONFIDENCE, DIFFERENCE_LEVEL, EQUIVALENCE_LEVEL, FEWEST_SEEDS, MARGIN};
