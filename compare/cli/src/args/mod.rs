//! The command line: its definition, options from a `--config` file, and their conversion to the library's types.

mod commands;
mod examples;
pub(crate) mod file;
mod parse;
mod parsers;
mod program;
mod shared;
pub(crate) mod values;

pub(crate) use commands::*;
pub(crate) use parse::parse;
pub(crate) use program::{Cli, Command};
pub(crate) use shared::*;
