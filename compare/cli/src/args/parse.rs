//! Parsing of the arguments, with errors that are safe to print.

use std::ffi::OsString;

use clap::{ArgMatches, Command, CommandFactory, FromArgMatches};

use super::Cli;
use super::shared::DATA_VARIABLE;
use crate::output::escape;
use crate::output::print::{eprint_line, shortened};

/// Parses the arguments of the program. If they are invalid, or ask for help, prints the parser's message and ends the
/// program.
pub(crate) fn parse(arguments: &[OsString]) -> Cli {
    let matches = matches(Cli::command(), arguments);
    Cli::from_arg_matches(&matches).unwrap_or_else(|error| exit(&error, arguments))
}

/// Like [`parse`], for any variant of the program's command line.
pub(super) fn matches(program: Command, arguments: &[OsString]) -> ArgMatches {
    program.try_get_matches_from(arguments).unwrap_or_else(|error| exit(&error, arguments))
}

/// Prints an error of the parser and ends the program. The parser repeats values as they are, so a message about values
/// that are very long or have special characters is printed like other errors, without colors.
fn exit(error: &clap::Error, arguments: &[OsString]) -> ! {
    let environment = std::env::var_os(DATA_VARIABLE);
    let has_line_break = |value: &OsString| value.to_string_lossy().contains('\n');
    let message = error.render().to_string();
    let plain = escape::text(&message);
    let safe = if error.use_stderr() { shortened(&plain) } else { plain };
    if safe != message || arguments.iter().chain(&environment).any(has_line_break) {
        eprint_line(safe);
        std::process::exit(error.exit_code());
    }
    error.exit()
}
