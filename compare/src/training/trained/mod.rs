//! Comparison of trained networks: by their predictions for one seed, and by their accuracies over several seeds.

mod agreement;
mod equivalence;

pub use agreement::{Agreement, Degenerate, TrainedPair};
pub use equivalence::{Equivalence, PairedMetric, RECENT_EPOCHS, Score};
