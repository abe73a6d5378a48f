//! Progress on standard error.

mod grid;
mod interrupt;
mod runs;

pub(crate) use grid::GridProgress;
pub(crate) use runs::{Progress, monitor};
