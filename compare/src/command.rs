//! What the program does: one file for each command. Each returns the exit code.

pub(crate) mod agree;
pub(crate) mod data;
pub(crate) mod doctor;
pub(crate) mod evaluate;
pub(crate) mod train;

use mlp_parity_compare::{Error, Result};

/// Prints a JSON document.
fn print_json(document: serde_json::Result<String>) -> Result<()> {
    let document = document.map_err(|error| Error::Usage(format!("the result cannot be written as JSON: {error}")))?;
    println!("{document}");
    Ok(())
}
