//! Progress display on standard error, and the Ctrl-C handler.

mod grid;
mod interrupt;
mod runs;

pub(crate) use grid::GridProgress;
pub(crate) use runs::{Progress, monitor};
