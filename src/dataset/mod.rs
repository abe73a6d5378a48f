//! Images and labels, and the batches that are made of them: the one path that data take into every implementation.

mod batch;
mod batches;
mod images;

pub use batch::{Batch, check_finite};
pub use batches::Batches;
pub use images::Dataset;
