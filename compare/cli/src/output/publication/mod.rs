//! The files that are generated from a reproduction: pages, tables and figures. They depend only on its grid and
//! records, so the same records always give the same bytes.

mod html;
mod markdown;
mod readme;
mod tables;
mod wording;

use std::path::Path;

use mlp_parity::storage::{ensure_writable_folder, write_atomically};
use mlp_parity_compare::reproduction::Results;

use crate::error::Result;
use crate::output::escape;
use crate::output::plots::Losses;

pub(crate) use readme::splice;

/// Names of the files and folders that [`write()`] creates.
pub(crate) const NAMES: [&str; 5] = ["tables", "figures", "environment.json", "report.md", "report.html"];

/// Writes all pages, tables and figures into a folder.
pub(crate) fn write(results: &Results<'_>, folder: &Path) -> Result<()> {
    let [tables, figures, environment, markdown, html] = NAMES.map(|name| folder.join(name));
    ensure_writable_folder(&tables)?;
    ensure_writable_folder(&figures)?;
    let losses: Vec<Option<Losses>> = results.tables.iter().map(|table| Losses::new(results, table)).collect();
    for losses in losses.iter().flatten() {
        losses.write(&figures)?;
    }
    tables::write(results, &tables)?;
    let provenance = serde_json::to_string_pretty(&results.provenance)
        .map_err(|error| mlp_parity::Error::io("write", &environment)(error.into()))?;
    write_atomically(&environment, format!("{}\n", escape::text(&provenance)).as_bytes())?;
    write_atomically(&markdown, markdown::page(results).as_bytes())?;
    Ok(write_atomically(&html, escape::text(&html::page(results, &losses)?).as_bytes())?)
}
