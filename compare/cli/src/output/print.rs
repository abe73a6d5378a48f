//! Standard output and standard error.

use std::fmt::Display;
use std::io::{ErrorKind, Write};
use std::path::Path;

use crate::error::{Error, Result};

/// Prints a line on standard error; ignores a closed stream.
pub(crate) fn tell(line: impl Display) {
    writeln!(std::io::stderr(), "{line}").unwrap_or_default();
}

/// Warns that the last line of a file of records is incomplete.
pub(crate) fn warn_of_torn_line(path: &Path) {
    tell(format_args!("warning: {}: the last line was never completed and is ignored", path.display()));
}

/// Prints on standard output, without blanks at the ends of lines. A closed pipe is no error.
pub(crate) fn print(text: impl Display) -> Result<()> {
    let mut output = std::io::stdout().lock();
    match text.to_string().lines().try_for_each(|line| writeln!(output, "{}", line.trim_end())) {
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
