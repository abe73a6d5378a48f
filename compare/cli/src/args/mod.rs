//! Command-line arguments, options from a file, and their conversion into the types of the contract.

mod commands;
mod examples;
pub(crate) mod file;
mod program;
mod shared;
pub(crate) mod values;

pub(crate) use commands::*;
pub(crate) use program::{Cli, Command};
pub(crate) use shared::*;
