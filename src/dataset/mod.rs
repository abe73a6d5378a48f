//! Data sets, batches, and the order in which training visits them.

mod batch;
mod batches;
mod images;

pub use batch::{Batch, check_finite};
pub use batches::Batches;
pub use images::Dataset;
