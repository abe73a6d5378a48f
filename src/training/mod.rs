//! The training loop, written once, and runs that go on later.

mod checkpoint;
mod fit;

pub use checkpoint::{Checkpoint, FORMAT as CHECKPOINT_FORMAT};
pub use fit::{Learner, fit};
