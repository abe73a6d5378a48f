//! Printing on standard output and standard error. Everything printed is escaped, because it may contain text from
//! outside the program.

use std::fmt::Display;
use std::io::{ErrorKind, Write};
use std::path::Path;

use super::escape;
use crate::error::{Error, Result};

/// Prints a message on standard error. Write errors are ignored, so that a closed standard error does not stop the
/// work.
pub(crate) fn eprint_line(message: impl Display) {
    writeln!(std::io::stderr(), "{}", printable(message)).unwrap_or_default();
}

/// Returns a message as it is printed on standard error: escaped, with all lines but the first indented, so that a line
/// break in a file name cannot begin a message of its own.
pub(crate) fn printable(message: impl Display) -> String {
    escape::text(message.to_string().trim_end()).replace('\n', "\n    ")
}

/// Warns that the last line of a record file is incomplete, because the program that wrote it was killed.
pub(crate) fn warn_incomplete_line(path: &Path) {
    eprint_line(format_args!("warning: {}: ignoring the incomplete last line", path.display()));
}

/// Prints text on standard output, without the trailing spaces that tables leave. A closed pipe (as after `| head`) is
/// not an error. A name that may contain line breaks must be escaped with [`escape::line`] before it is part of `text`.
pub(crate) fn print(text: impl Display) -> Result<()> {
    let mut output = std::io::stdout().lock();
    match escape::text(&text.to_string()).lines().try_for_each(|line| writeln!(output, "{}", line.trim_end())) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(cannot_print(error)),
        _ => Ok(()),
    }
}

/// Prints a JSON document on standard output.
pub(crate) fn print_json(document: serde_json::Result<String>) -> Result<()> {
    print(document.map_err(|error| cannot_print(error.into()))?)
}

fn cannot_print(error: std::io::Error) -> Error {
    mlp_parity::Error::io("write", Path::new("standard output"))(error).into()
}
