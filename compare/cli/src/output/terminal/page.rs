//! A page of output, which fits the width of the terminal.

use std::io::Write;

use mlp_parity_compare::Verdict;
use textwrap::{Options, WordSplitter};

use super::style::styled;
use super::table::Table;
use crate::error::Result;
use crate::output::escape;
use crate::output::print::on_standard_output;

/// The width if standard output is not a terminal.
const DEFAULT_WIDTH: usize = 80;

/// The environment variable that sets the width.
const WIDTH_VARIABLE: &str = "COLUMNS";

/// Blocks of text, with an empty line between them: paragraphs and tables. All text is escaped, because it may come from
/// outside the program.
pub(crate) struct Page {
    width: usize,
    blocks: Vec<String>,
}

impl Page {
    /// Creates an empty page as wide as the environment variable `COLUMNS` says, or the terminal, or 80 characters.
    pub(crate) fn new() -> Self {
        let columns = std::env::var(WIDTH_VARIABLE).ok().and_then(|columns| columns.trim().parse().ok());
        let terminal = || terminal_size::terminal_size_of(std::io::stdout()).map(|(width, _)| width.0.into());
        let width = columns.filter(|&width| width > 0).or_else(terminal).filter(|&width| width > 0);
        Self::with_width(width.unwrap_or(DEFAULT_WIDTH))
    }

    /// Creates an empty page with this width.
    pub(super) fn with_width(width: usize) -> Self {
        Self { width, blocks: Vec::new() }
    }

    /// Adds a paragraph, wrapped between words.
    pub(crate) fn paragraph(&mut self, text: &str) {
        self.blocks.push(self.filled(text));
    }

    /// Adds a paragraph for every line of the text, without empty lines between them.
    pub(crate) fn lines(&mut self, lines: impl IntoIterator<Item: AsRef<str>>) {
        let lines: Vec<String> = lines.into_iter().map(|line| self.filled(line.as_ref())).collect();
        self.blocks.push(lines.join("\n"));
    }

    /// Adds a table below its title; without a title if that is empty.
    pub(crate) fn table(&mut self, title: &str, table: &Table) {
        let title = (!title.is_empty()).then(|| self.filled(title));
        self.blocks.push(title.into_iter().chain(table.lines(self.width)).collect::<Vec<_>>().join("\n"));
    }

    /// Adds the verdict, with its reason in paragraphs.
    pub(super) fn verdict(&mut self, verdict: Verdict, reasons: impl IntoIterator<Item: AsRef<str>>) {
        let reasons: Vec<String> = reasons.into_iter().map(|reason| self.filled(reason.as_ref())).collect();
        self.blocks.push(format!("verdict: {}\n{}", styled(&verdict.to_string()), reasons.join("\n\n")));
    }

    /// Returns the page, with the codes of colours.
    pub(super) fn text(&self) -> String {
        self.blocks.join("\n\n")
    }

    /// Prints the page on standard output, with colours only if that is a terminal that shows them.
    pub(crate) fn print(&self) -> Result<()> {
        on_standard_output(|| {
            let mut output = anstream::AutoStream::auto(std::io::stdout()).lock();
            writeln!(output, "{}", self.text())
        })
    }

    fn filled(&self, text: &str) -> String {
        let options = Options::new(self.width).word_splitter(WordSplitter::NoHyphenation).break_words(false);
        textwrap::fill(&escape::line(text), options)
    }
}
