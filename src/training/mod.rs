//! The training loop that all white-box implementations share ([`fit()`]), and checkpoints for resuming runs
//! ([`Checkpoint`]).

mod checkpoint;
mod fit;

pub use checkpoint::{Checkpoint, FORMAT as CHECKPOINT_FORMAT};
pub use fit::fit;
