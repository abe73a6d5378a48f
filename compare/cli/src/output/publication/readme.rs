//! Insertion of the results into a README.

use std::collections::BTreeSet;
use std::path::Path;

use mlp_parity::mnist::ORIGINAL_SIZES;
use mlp_parity::storage::{read_text, write_atomically};
use mlp_parity_compare::record::DatasetRecord;
use mlp_parity_compare::reproduction::{GRID_FILE, Grid, Provenance, Results, TableResult};
use mlp_parity_framework::Backend;

use super::markdown::{introduction, summary};
use crate::error::{Error, Result};

const BEGIN: &str = "<!-- results: begin -->\n";
const END: &str = "<!-- results: end -->";

/// Replaces the text between the two marker lines of a README with the results, and the commands that reproduce them.
///
/// # Errors
///
/// An error about records if the README lacks a marker; an I/O error if the README cannot be read or written.
pub(crate) fn splice(results: &Results<'_>, folder: &Path, readme: &Path) -> Result<()> {
    let text = read_text(readme)?;
    let parts = text.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let Some((before, after)) = parts else {
        let markers = format!("'{}' and '{END}'", BEGIN.trim_end());
        return Err(Error::records(format!("{}: the marker lines {markers} are missing", readme.display())));
    };
    let text = format!("{before}{BEGIN}{}{END}{after}", block(results, folder, readme)?);
    Ok(write_atomically(readme, text.as_bytes())?)
}

/// Returns the text between the markers: commands, summary, findings and a figure.
fn block(results: &Results<'_>, folder: &Path, readme: &Path) -> Result<String> {
    // Links in the README are relative to its own folder.
    let path = folder.strip_prefix(readme.parent().unwrap_or(Path::new(""))).unwrap_or(folder);
    let path = path.display().to_string().replace('\\', "/");
    let name = readme.file_name().unwrap_or_default().display();
    let mut block = format!(
        "```sh\n{}\ncompare report {path} --readme {name}\n```\n\n{}\n\n{}\n",
        command(results, &path)?,
        introduction(results),
        summary(results)
    );
    for finding in &results.findings() {
        block += &format!("- **{}.** {}\n", finding.title, finding.text);
    }
    let figures = results.tables.iter().filter_map(|table| table.table.figure.as_ref());
    if let Some(figure) = figures.min_by_key(|figure| &figure.name) {
        block += &format!("\n![{}]({path}/figures/{}.svg)\n", figure.title, figure.name);
    }
    Ok(block + &format!("\nFull report: [`{path}/report.md`]({path}/report.md).\n"))
}

/// Returns the `compare reproduce` command that creates the records behind these results.
fn command(results: &Results<'_>, path: &str) -> Result<String> {
    let [_, seeds] = results.seed_counts().unwrap_or_default();
    let mut command = format!("compare reproduce --seeds {seeds} --output {path}");
    if results.grid.text != Grid::report()?.text {
        command += &format!(" --grid {path}/{GRID_FILE}");
    }
    let is_complete = |table: &&TableResult<'_>| table.rows.len() == table.table.rows.len();
    let complete: Vec<&str> =
        results.tables.iter().filter(is_complete).map(|table| table.table.name.as_str()).collect();
    if complete.len() < results.grid.tables.len() {
        command += &format!(" --only {}", complete.join(","));
    }
    let candidates = results.provenance.iter().flat_map(|provenance| &provenance.candidates);
    let backends: BTreeSet<&str> = candidates.filter_map(|identity| identity.backend.as_deref()).collect();
    if backends != BTreeSet::from([Backend::Flex.name()]) {
        command.extend(backends.iter().map(|backend| format!(" --backend {backend}")));
    }
    if let [Provenance { dataset: DatasetRecord { source, train, test, .. }, .. }, ..] = results.provenance.as_slice() {
        if source != "embedded" {
            command += &format!(" --data {source}");
        }
        if (*train, *test) != ORIGINAL_SIZES {
            command += &format!(" --train-size {train} --test-size {test}");
        }
    }
    Ok(command)
}
