//! Output for the terminal, computed from results alone.

mod bench;
mod checks;
mod images;
mod outcome;
mod page;
mod predictions;
mod reproduction;
mod style;
mod table;
#[cfg(test)]
mod tests;
mod trained;

pub(crate) use bench::{bench, machine, time_to};
pub(crate) use checks::{Detail, devices, suite};
pub(crate) use images::images;
pub(crate) use outcome::{epochs, outcome};
pub(crate) use page::Page;
pub(crate) use predictions::predictions;
pub(crate) use reproduction::reproduction;
pub(crate) use table::{Column, Table};
pub(crate) use trained::loss;
