//! Training side by side, and the comparison of trained networks: they are never equal, so the question is whether they
//! differ by more than chance.

mod checkpoint;
mod comparison;
pub mod control;
mod document;
pub mod growth;
mod monitor;
mod outcome;
pub(crate) mod parallel;
mod run;
mod trained;
mod trial;

pub use checkpoint::{Keeper, SoFar};
pub use comparison::Comparison;
pub use control::Control;
pub use document::{RESULT_FORMAT, document};
pub use monitor::{Monitor, RunTitle};
pub use outcome::Outcome;
pub use run::Run;
pub use trained::{Agreement, Degenerate, Equivalence, Figure, Finding, Names, Score};
pub use trial::Trial;
