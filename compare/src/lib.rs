//! Do two implementations of one multi-layer perceptron agree?
//!
//! [`Comparison`] takes participants (anything that implements [`Differentiable`](mlp_parity::Differentiable)), gives
//! them the same parameters, batches and plans, and comes to a [`Verdict`]:
//!
//! 1. [`check`]: parameters, logits, loss, gradients, updates, training steps and the loop of each participant must
//!    be what an oracle in double precision says, within what rounding can do. A check that fails is *disagree*, and
//!    nothing is trained.
//! 2. [`training`]: trained networks are never equal, so the question is whether they differ more than chance makes
//!    them differ. With one seed twins of the first participant that start √steps ulps away tell what chance does
//!    ([`training::control`]); with several, the differences themselves ([`statistics`]).
//!
//! [`reproduction`] runs a published report so, row by row over several seeds, and says what became of each.
//!
//! Nothing here knows which implementation is which; the program `compare` names them.

pub mod bench;
pub mod check;
mod error;
mod number;
mod participant;
mod plan;
pub mod record;
pub mod reproduction;
pub mod statistics;
pub mod training;
mod verdict;

pub use error::{Error, Result};
pub use participant::{Identity, Participant};
pub use plan::NamedPlan;
pub use training::{Comparison, Monitor, Outcome, Run, Trial};
pub use verdict::Verdict;
