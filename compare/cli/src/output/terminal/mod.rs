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
pub(crate) use checks::{
    Detail, SuitePart, all_checks, brief, devices, failed_checks, notes, stages, suite, suite_parts, suite_verdict,
};
pub(crate) use images::images;
pub(crate) use outcome::{epochs, outcome, outcome_parts, outcome_verdict, report_comparison};
pub(crate) use page::{Block, Page};
pub(crate) use predictions::predictions;
pub(crate) use reproduction::reproduction;
pub(crate) use style::Tone;
pub(crate) use table::{Column, Table};
pub(crate) use trained::{confusion_sums, loss, tables};
