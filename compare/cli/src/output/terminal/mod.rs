//! Tables for the terminal, computed from results alone.

mod bench;
mod checks;
mod outcome;
mod predictions;
mod reproduction;
mod table;
mod trained;

pub(crate) use bench::{bench, machine, time_to};
pub(crate) use checks::suite;
pub(crate) use outcome::{epochs, outcome};
pub(crate) use predictions::predictions;
pub(crate) use reproduction::reproduction;
pub(crate) use table::table;
