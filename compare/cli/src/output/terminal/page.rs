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

/// Blocks of text and tables, with an empty line between them. All text is escaped, because it may come from outside the
/// program.
pub(crate) struct Page {
    blocks: Vec<Block>,
}

/// A part of a [`Page`].
pub(crate) enum Block {
    /// Paragraphs without empty lines between them.
    Lines(Vec<String>),
    /// A table below its title, which may be empty.
    Table { title: String, table: Table },
    /// The verdict, with its reason in paragraphs.
    Verdict { verdict: Verdict, reasons: Vec<String> },
}

impl Page {
    /// Creates an empty page.
    pub(crate) fn new() -> Self {
        Self { blocks: Vec::new() }
    }

    /// Returns the blocks in their order.
    pub(crate) fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// Adds a paragraph, wrapped between words.
    pub(crate) fn paragraph(&mut self, text: &str) {
        self.lines([text]);
    }

    /// Adds a paragraph for every line of the text, without empty lines between them.
    pub(crate) fn lines(&mut self, lines: impl IntoIterator<Item: AsRef<str>>) {
        self.blocks.push(Block::Lines(escaped(lines)));
    }

    /// Adds a table below its title; without a title if that is empty.
    pub(crate) fn table(&mut self, title: &str, table: Table) {
        self.blocks.push(Block::Table { title: escape::line(title).into_owned(), table });
    }

    /// Adds the verdict, with its reason in paragraphs.
    pub(super) fn verdict(&mut self, verdict: Verdict, reasons: impl IntoIterator<Item: AsRef<str>>) {
        self.blocks.push(Block::Verdict { verdict, reasons: escaped(reasons) });
    }

    /// Returns the page for a terminal with this number of columns, with the codes of colours.
    pub(super) fn text(&self, width: usize) -> String {
        let blocks: Vec<String> = self.blocks.iter().map(|block| block.text(width)).collect();
        blocks.join("\n\n")
    }

    /// Prints the page on standard output, with colours only if that is a terminal that shows them. The page is as wide as the
    /// environment variable `COLUMNS` says, or the terminal, or 80 characters.
    pub(crate) fn print(&self) -> Result<()> {
        let columns = std::env::var(WIDTH_VARIABLE).ok().and_then(|columns| columns.trim().parse().ok());
        let terminal = || terminal_size::terminal_size_of(std::io::stdout()).map(|(width, _)| width.0.into());
        let width = columns.filter(|&width| width > 0).or_else(terminal).filter(|&width| width > 0);
        on_standard_output(|| {
            let mut output = anstream::AutoStream::auto(std::io::stdout()).lock();
            writeln!(output, "{}", self.text(width.unwrap_or(DEFAULT_WIDTH)))
        })
    }
}

impl Block {
    fn text(&self, width: usize) -> String {
        match self {
            Self::Lines(lines) => filled(lines, width, "\n"),
            Self::Table { title, table } => {
                let title = (!title.is_empty()).then(|| filled(std::slice::from_ref(title), width, "\n"));
                title.into_iter().chain(table.lines(width)).collect::<Vec<_>>().join("\n")
            }
            Self::Verdict { verdict, reasons } => {
                format!("verdict: {}\n{}", styled(&verdict.to_string()), filled(reasons, width, "\n\n"))
            }
        }
    }
}

fn escaped(lines: impl IntoIterator<Item: AsRef<str>>) -> Vec<String> {
    lines.into_iter().map(|line| escape::line(line.as_ref()).into_owned()).collect()
}

/// Wraps paragraphs between words, and joins them.
fn filled(paragraphs: &[String], width: usize, separator: &str) -> String {
    let options = Options::new(width).word_splitter(WordSplitter::NoHyphenation).break_words(false);
    let paragraphs: Vec<String> = paragraphs.iter().map(|paragraph| textwrap::fill(paragraph, &options)).collect();
    paragraphs.join(separator)
}
