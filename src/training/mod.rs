//! The training loop, and checkpoints of runs that are resumed later.

mod checkpoint;
mod fit;

pub use checkpoint::{Checkpoint, FORMAT as CHECKPOINT_FORMAT};
pub use fit::fit;
