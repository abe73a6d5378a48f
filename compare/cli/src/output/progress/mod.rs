//! Progress display on standard error, and the Ctrl-C handler.

mod checks;
mod grid;
mod interrupt;
mod runs;

pub(crate) use grid::GridProgress;
pub(crate) use interrupt::{child_output, install_handler, set_training};
pub(crate) use runs::{Progress, monitor};
