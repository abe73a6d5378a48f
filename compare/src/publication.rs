//! What is written of a reproduction: pages, tables and figures, functions of its grid and records alone.

mod html;
mod markdown;
mod readme;
mod tables;

use std::path::Path;

use mlp_parity::file::{ensure_writable_folder, write_atomically};
use mlp_parity_compare::Result;
use mlp_parity_compare::reproduction::Results;

use crate::plot::Losses;

pub(crate) use readme::splice;

/// Writes everything into the folder.
pub(crate) fn write(results: &Results<'_>, folder: &Path) -> Result<()> {
    ensure_writable_folder(&folder.join("tables"))?;
    ensure_writable_folder(&folder.join("figures"))?;
    let figures: Vec<Option<Losses>> = results.tables.iter().map(|table| Losses::new(results, table)).collect();
    for figure in figures.iter().flatten() {
        figure.write(&folder.join("figures"))?;
    }
    tables::write(results, &folder.join("tables"))?;
    let places = serde_json::to_string_pretty(&results.places).map_err(|error| cannot_write(error.into()))?;
    write_atomically(&folder.join("environment.json"), format!("{places}\n").as_bytes())?;
    write_atomically(&folder.join("report.md"), markdown::page(results).as_bytes())?;
    Ok(write_atomically(&folder.join("report.html"), html::page(results, &figures)?.as_bytes())?)
}

fn cannot_write(error: std::io::Error) -> mlp_parity::Error {
    mlp_parity::Error::io("write", Path::new("the report"))(error)
}

/// The most seeds that some row has.
fn most_seeds(results: &Results<'_>) -> usize {
    let rows = results.tables.iter().flat_map(|table| &table.rows);
    rows.flat_map(|row| &row.measured).map(|measured| measured.seeds.len()).max().unwrap_or(0)
}

/// The rule by which verdicts are given, in words.
const RULE: &str = "A row is *reproduced* if what the report states lies where one more seed would, with a confidence of 95 % \
                    (mean ± t · s · √(1 + 1/n)), for the accuracy and for the training loss; else it *differs*, or is \
                    *explained* where a named cause reproduces it. It is *degenerate* if a network has learned nothing, and \
                    *inconclusive* with fewer than three seeds. The implementation that the report ran decides.";
