//! Training of all candidates under the same conditions, and the comparison of the trained networks.
//!
//! Training amplifies rounding errors, so the parameters of two trained networks are never equal, even if both
//! implementations are correct ([`divergence`]). The networks are therefore compared by their predictions on the test
//! images, and the question is whether they differ by more than chance:
//!
//! - With one seed, the [`control`] shows the effect of chance: replicas of the first candidate whose initial
//!   parameters are perturbed by rounding-sized noise. Each candidate's [`Agreement`] with the first is compared with
//!   the control.
//! - With several seeds, the scatter of the differences between seeds shows the effect of chance. An [`Equivalence`]
//!   test decides whether the accuracies are equal within a margin. The number of seeds is fixed, or they are added until the
//!   test decides.
//!
//! After training with the first seed, the [check suite](crate::check) runs again from the state of each network.
//!
//! [`Comparison`] is the entry point; [`Trial`] trains a single candidate.

mod checkpoint;
mod comparison;
pub mod control;
pub mod divergence;
mod document;
mod monitor;
mod outcome;
pub(crate) mod parallel;
mod run;
mod trained;
mod trial;

pub use checkpoint::{CheckpointStore, CompletedEpochs, checkpoint_dataset};
pub use comparison::Comparison;
pub use control::Control;
pub use document::{RESULT_FORMAT, document};
pub use monitor::{Monitor, RunTitle};
pub use outcome::Outcome;
pub use run::Run;
pub use trained::{Agreement, Degenerate, Equivalence, PairedMetric, RECENT_EPOCHS, Score, TrainedPair};
pub use trial::{Trial, evaluate};

pub use crate::statistics::EquivalenceVerdict;
