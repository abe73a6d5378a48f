//! Do two implementations of one multi-layer perceptron agree?
//!
//! [`Comparison`] takes candidates (anything that implements [`Differentiable`](mlp_parity::Differentiable)), gives
//! them the same parameters, batches and trainings, and comes to a [`Verdict`]:
//!
//! 1. [`check`]: parameters, logits, loss, gradients, updates, training steps and the loop of each candidate must
//!    be what an reference in double precision says, within what rounding can do. A check that fails is *disagree*, and
//!    nothing is trained.
//! 2. [`training`]: trained networks are never equal, so the question is whether they differ more than chance makes
//!    them differ. With one seed replicas of the first candidate that start √steps ulps away tell what chance does
//!    ([`training::control`]); with several, the differences themselves ([`statistics`]).
//!
//! [`reproduction`] runs a published report so, row by row over several seeds, and says what became of each.
//!
//! Nothing here knows which implementation is which; the program `compare` names them.

pub mod bench;
mod candidate;
pub mod check;
mod error;
mod named_training;
mod number;
pub mod record;
pub mod reproduction;
pub mod statistics;
pub mod training;
mod verdict;

pub use candidate::{Candidate, Identity};
pub use error::{Error, Result};
pub use named_training::NamedTraining;
pub use training::{Comparison, Monitor, Outcome, Run, Trial};
pub use verdict::Verdict;
