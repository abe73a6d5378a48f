//! What the program does: one file for each command. Each returns the exit code.

pub(crate) mod agree;
pub(crate) mod bench;
pub(crate) mod check;
pub(crate) mod data;
pub(crate) mod doctor;
#[cfg(feature = "download")]
pub(crate) mod download;
pub(crate) mod evaluate;
pub(crate) mod export;
pub(crate) mod manual;
pub(crate) mod predict;
pub(crate) mod report;
pub(crate) mod reproduce;
#[cfg(feature = "remote")]
pub(crate) mod serve_device;
pub(crate) mod time_to;
pub(crate) mod trace;
pub(crate) mod train;

use std::fmt::Display;
use std::io::{ErrorKind, Write};
use std::path::Path;

use mlp_parity::storage::ensure_writable_folder;
use mlp_parity_compare::{Error, Participant, Result};

use crate::cli::FrameworkOptions;
use crate::implementation;
use crate::progress::tell;

/// The network by hand first: it is what the others are compared with.
fn participants(options: &FrameworkOptions) -> Result<Vec<Participant>> {
    let mut participants = vec![implementation::scratch()?];
    for (index, &backend) in options.backends.iter().enumerate() {
        if !options.backends[..index].contains(&backend) {
            participants.push(implementation::framework(backend, &options.remote)?);
        }
    }
    Ok(participants)
}

/// Says that a program was ended while it wrote this file of records.
fn warn_of_torn_line(path: &Path) {
    tell(format_args!("warning: {}: the last line was never completed and is ignored", path.display()));
}

/// Shows that a file can be written here.
fn writable(path: &Path) -> Result<()> {
    if path.is_dir() {
        return Err(mlp_parity::Error::io("write", path)(ErrorKind::IsADirectory.into()).into());
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    Ok(ensure_writable_folder(folder.unwrap_or(Path::new(".")))?)
}

/// Prints on standard output, without blanks at the ends of lines. Whoever reads it may stop reading.
fn print(text: impl Display) -> Result<()> {
    let mut output = std::io::stdout().lock();
    match text.to_string().lines().try_for_each(|line| writeln!(output, "{}", line.trim_end())) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(cannot_print(error)),
        _ => Ok(()),
    }
}

/// Prints a JSON document on standard output.
fn print_json(document: serde_json::Result<String>) -> Result<()> {
    print(document.map_err(|error| cannot_print(error.into()))?)
}

fn cannot_print(error: std::io::Error) -> Error {
    mlp_parity::Error::io("write", Path::new("standard output"))(error).into()
}
