//! Insertion of the results into a README or another Markdown page.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use mlp_parity::mnist::ORIGINAL_SIZES;
use mlp_parity::storage::{read_text, write_atomically};
use mlp_parity_compare::record::DatasetRecord;
use mlp_parity_compare::reproduction::{GRID_FILE, Grid, Provenance, Results, TableResult};
use mlp_parity_compare::statistics::SequentialPlan;
use mlp_parity_framework::Backend;

use super::markdown::{code, introduction, plain, summary};
use crate::error::{Error, Result};
use crate::output::escape::shell_argument;

const BEGIN: &str = "<!-- results: begin -->";
const END: &str = "<!-- results: end -->";

/// Replaces the text between the two marker lines of a README with the results, and the commands that reproduce them.
/// The line breaks are those of the README.
///
/// # Errors
///
/// An error about records if the README does not have each marker once, in this order; an I/O error if the README cannot be read or written.
pub(crate) fn splice(results: &Results<'_>, folder: &Path, readme: &Path) -> Result<()> {
    let text = read_text(readme)?;
    let Some((before, after)) = around_results(&text) else {
        let reason = format!("expected the marker lines '{BEGIN}' and '{END}' once each, in this order");
        return Err(Error::records(format!("{}: {reason}", readme.display())));
    };
    let line_break = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let results = format!("{BEGIN}\n{}{END}", block(results, folder, readme)?).replace('\n', line_break);
    let text = format!("{before}{results}{after}");
    Ok(write_atomically(readme, text.as_bytes())?)
}

/// Returns the text before the first marker and the text after the second one; `None` if the markers do not occur once
/// each, in this order. Otherwise it would not be clear which text to replace.
fn around_results(text: &str) -> Option<(&str, &str)> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (results, after) = rest.split_once(END)?;
    let is_unique = [before, results, after].iter().all(|part| !part.contains(BEGIN) && !part.contains(END));
    is_unique.then_some((before, after))
}

/// Returns the text between the markers: commands, summary, findings and a figure.
fn block(results: &Results<'_>, folder: &Path, readme: &Path) -> Result<String> {
    let (path, readme) = without_common_parent(folder, readme);
    // Links are relative to the page's own folder.
    let up = "../".repeat(readme.matches('/').count());
    let mut block = format!(
        "```sh\n{}\ncompare report {} --readme {}\n```\n\n{}\n\n{}\n",
        command(results, &path)?,
        shell_argument(&path),
        shell_argument(&readme),
        introduction(results),
        summary(results)
    );
    for finding in &results.findings() {
        block += &format!("- **{}.** {}\n", plain(&finding.title), plain(&finding.text));
    }
    let figures = results.tables.iter().filter_map(|table| table.table.figure.as_ref());
    if let Some(figure) = figures.min_by_key(|figure| &figure.name) {
        block += &format!("\n![{}]({up}{}/figures/{}.svg)\n", plain(&figure.title), link(&path), figure.name);
    }
    let page = format!("{path}/report.md");
    Ok(block + &format!("\nFull report: [{}]({up}{}).\n", code(&page), link(&page)))
}

/// Returns two paths, relative to the innermost folder that contains both, with slashes.
fn without_common_parent(folder: &Path, file: &Path) -> (String, String) {
    let components = |path| Path::components(path).filter(|component| *component != Component::CurDir);
    let common = components(folder).zip(components(file)).take_while(|(left, right)| left == right).count();
    let rest = |path| {
        let rest: PathBuf = components(path).skip(common).collect();
        rest.display().to_string().replace('\\', "/")
    };
    (rest(folder), rest(file))
}

/// Returns a relative path as the target of a link, with all characters percent-encoded that could end the target.
fn link(path: &str) -> String {
    let encode = |byte: u8| match byte {
        b'-' | b'.' | b'_' | b'~' | b'/' => char::from(byte).to_string(),
        _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    path.bytes().map(encode).collect()
}

/// Returns the `compare reproduce` command that creates the records behind these results.
fn command(results: &Results<'_>, path: &str) -> Result<String> {
    let seeds = match results.plan.map(SequentialPlan::max_seeds) {
        None => results.seed_counts().unwrap_or_default()[1].to_string(),
        Some(SequentialPlan::USUAL) => "auto".to_owned(),
        Some(max_seeds) => format!("auto --max-seeds {max_seeds}"),
    };
    let mut command = format!("compare reproduce --seeds {seeds} --output {}", shell_argument(path));
    if results.grid.text != Grid::report()?.text {
        command += &format!(" --grid {}", shell_argument(&format!("{path}/{GRID_FILE}")));
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
        command.extend(backends.iter().map(|backend| format!(" --backend {}", shell_argument(backend))));
    }
    if let [Provenance { dataset: DatasetRecord { source, train, test, .. }, .. }, ..] = results.provenance.as_slice() {
        if source != "embedded" {
            command += &format!(" --data {}", shell_argument(source));
        }
        if (*train, *test) != ORIGINAL_SIZES {
            command += &format!(" --train-size {train} --test-size {test}");
        }
    }
    Ok(command)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{BEGIN, END, around_results, link, without_common_parent};

    #[test]
    fn markers_occur_once_in_order() {
        let text = |parts: &[&str]| parts.concat();
        assert_eq!(around_results(&text(&["a", BEGIN, "\r\nold\r\n", END, "z"])), Some(("a", "z")));
        for parts in [
            &[][..],
            &[BEGIN],
            &[END, BEGIN],
            &[BEGIN, "kept", BEGIN, END],
            &[BEGIN, END, "kept", END],
            &[END, BEGIN, END],
            &[BEGIN, END, BEGIN, END],
        ] {
            assert_eq!(around_results(&text(parts)), None, "{parts:?}");
        }
    }

    #[test]
    fn paths_begin_below_their_common_parent() {
        let relative = |folder: &str, file: &str| without_common_parent(Path::new(folder), Path::new(file));
        let expected = |folder: &str, file: &str| (folder.to_owned(), file.to_owned());
        assert_eq!(relative("/root/out", "/root/README.md"), expected("out", "README.md"));
        assert_eq!(relative("a/out", "docs/page.md"), expected("a/out", "docs/page.md"));
        assert_eq!(relative("out", "./page.md"), expected("out", "page.md"));
    }

    #[test]
    fn links_are_percent_encoded() {
        assert_eq!(link("out/a b).md"), "out/a%20b%29.md");
        assert_eq!(link("é"), "%C3%A9");
    }
}
