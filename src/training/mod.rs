//! The training loop for all implementations of [`Differentiable`](crate::Differentiable) ([`fit()`]), and checkpoints
//! for resuming interrupted runs ([`Checkpoint`]).

mod checkpoint;
mod fit;

pub use checkpoint::{Checkpoint, FORMAT as CHECKPOINT_FORMAT};
pub use fit::fit;
