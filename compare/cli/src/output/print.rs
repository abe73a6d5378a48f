//! Printing on standard output and standard error. Everything printed is escaped, because it may contain text from
//! outside the program.

use std::borrow::Cow;
use std::fmt::Display;
use std::io::{ErrorKind, Write};
use std::path::Path;

use super::escape;
use crate::error::{Error, Result};

/// The advice after an interrupted command whose results so far are in its output folder.
pub(crate) const CONTINUE: &str = "the results are incomplete; use --resume with the same options to continue";

/// Prints a message on standard error. Write errors are ignored, so that a closed standard error does not stop the
/// work.
pub(crate) fn eprint_line(message: impl Display) {
    writeln!(std::io::stderr(), "{}", printable(message)).unwrap_or_default();
}

/// Prints an error on standard error.
pub(crate) fn eprint_error(error: impl Display) {
    eprint_line(shortened(&escape::text(&format!("error: {error}"))));
}

/// Returns a message without its middle if it has more characters than fit on a screen, as a message that quotes a file
/// may have. Its beginning says what is wrong, its end what to do.
pub(crate) fn shortened(message: &str) -> Cow<'_, str> {
    const BEGINNING: usize = 1500;
    const END: usize = 500;
    let length = message.chars().count();
    if length <= BEGINNING + END {
        return Cow::Borrowed(message);
    }
    let beginning: String = message.chars().take(BEGINNING).collect();
    let end: String = message.chars().skip(length - END).collect();
    Cow::Owned(format!("{beginning} […] {end}"))
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

/// Prints text on standard output. A name that may contain line breaks must be escaped with [`escape::line`] before it is part
/// of `text`.
pub(crate) fn print(text: impl Display) -> Result<()> {
    on_standard_output(|| writeln!(std::io::stdout().lock(), "{}", escape::text(&text.to_string())))
}

/// Runs a function that writes on standard output. A closed pipe (as after `| head`) is not an error.
pub(super) fn on_standard_output(write: impl FnOnce() -> std::io::Result<()>) -> Result<()> {
    match write() {
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
