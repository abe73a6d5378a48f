//! Training side by side, and the comparison of trained networks: they are never equal, so the question is whether they
//! differ by more than chance.

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

pub use checkpoint::{CheckpointStore, CompletedEpochs};
pub use comparison::Comparison;
pub use control::Control;
pub use document::{RESULT_FORMAT, document};
pub use monitor::{Monitor, RunTitle};
pub use outcome::Outcome;
pub use run::Run;
pub use trained::{Agreement, Degenerate, Equivalence, EquivalenceVerdict, PairedMetric, Score, TrainedPair};
pub use trial::Trial;
