//! Tables that fit the terminal: columns are left out by their rank, and long names are shortened.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::iter;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::style::styled;
use crate::output::escape;

/// Block characters of increasing height, from ⅛ of a line to a full line.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Space between two columns.
const GAP: &str = "  ";

/// Number of characters that a name keeps if leaving out further columns makes room for it.
const COMFORTABLE: usize = 24;

/// Number of characters that a name keeps on the narrowest terminal.
const LEAST: usize = 8;

/// Returns the block character for a height from 0 (shown as the lowest block) to 1.
pub(super) fn bar(height: f64) -> char {
    BARS[((height * 8.0).ceil().clamp(1.0, 8.0)) as usize - 1]
}

/// The content of a column, which determines its alignment.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Content {
    /// Left-aligned.
    Text,
    /// Left-aligned, and shortened in the middle if there is not enough space.
    Name,
    /// Right-aligned.
    Number,
}

/// A column of a [`Table`].
#[derive(Clone)]
pub(crate) struct Column {
    header: String,
    content: Content,
    rank: u8,
}

impl Column {
    fn new(header: impl Into<String>, content: Content) -> Self {
        Self { header: escape::line(&header.into()).into_owned(), content, rank: 0 }
    }

    /// Creates a column of short texts.
    pub(crate) fn text(header: impl Into<String>) -> Self {
        Self::new(header, Content::Text)
    }

    /// Creates a column of names, which are shortened in the middle on a narrow terminal.
    pub(crate) fn name(header: impl Into<String>) -> Self {
        Self::new(header, Content::Name)
    }

    /// Creates a column of numbers.
    pub(crate) fn number(header: impl Into<String>) -> Self {
        Self::new(header, Content::Number)
    }

    /// Returns the title of the column.
    pub(crate) fn header(&self) -> &str {
        &self.header
    }

    /// Returns true if the column contains numbers, which are aligned on the right.
    pub(crate) fn is_number(&self) -> bool {
        self.content == Content::Number
    }

    /// Lets a terminal that is too narrow leave the column out, unless there is room for all columns of its rank after those
    /// of lower ranks.
    pub(crate) fn optional(self, rank: u8) -> Self {
        Self { rank, ..self }
    }
}

/// A table for the terminal. Its cells are escaped, so that each takes a single line.
pub(crate) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Creates an empty table with these columns.
    pub(crate) fn new(columns: impl IntoIterator<Item = Column>) -> Self {
        Self { columns: columns.into_iter().collect(), rows: Vec::new() }
    }

    /// Adds a row, which has one cell for each column.
    pub(crate) fn add_row(&mut self, cells: impl IntoIterator<Item: AsRef<str>>) {
        self.rows.push(cells.into_iter().map(|cell| escape::line(cell.as_ref()).into_owned()).collect());
    }

    /// Adds rows.
    pub(super) fn add_rows(&mut self, rows: impl IntoIterator<Item: IntoIterator<Item: AsRef<str>>>) {
        rows.into_iter().for_each(|row| self.add_row(row));
    }

    /// Returns the columns with any content, and their indices: those first that a terminal leaves out last.
    pub(crate) fn columns_by_rank(&self) -> Vec<(usize, &Column)> {
        let mut columns: Vec<(usize, &Column)> = self.filled_columns().collect();
        // Columns of rank 1 stay where they are, beside those that they belong to.
        columns.sort_by_key(|(_, column)| column.rank.max(1));
        columns
    }

    /// Returns the columns with any content, and their indices.
    fn filled_columns(&self) -> impl Iterator<Item = (usize, &Column)> {
        let is_filled = |index: usize| {
            self.rows.is_empty() || self.rows.iter().filter_map(|row| row.get(index)).any(|cell| !cell.is_empty())
        };
        self.columns.iter().enumerate().filter(move |(index, _)| is_filled(*index))
    }

    /// Returns the rows; each has one cell for each column.
    pub(crate) fn rows(&self) -> &[Vec<String>] {
        &self.rows
    }

    /// Returns true if the table has only a header.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Returns the lines of the table: the header, a rule and the rows, at most `width` characters wide if the columns that
    /// cannot be left out allow it. Columns without any content are left out.
    pub(super) fn lines(&self, width: usize) -> Vec<String> {
        let columns = self.widths(width);
        let header = self.columns.iter().map(|column| column.header.as_str());
        let total = columns.iter().map(|(_, width)| width).sum::<usize>() + GAP.len() * columns.len().saturating_sub(1);
        let rows = self.rows.iter().map(|row| self.line(&columns, row.iter().map(String::as_str)));
        iter::once(self.line(&columns, header)).chain(iter::once("─".repeat(total))).chain(rows).collect()
    }

    fn line<'a>(&self, columns: &[(usize, usize)], cells: impl Iterator<Item = &'a str>) -> String {
        let cells: Vec<&str> = cells.collect();
        let padded = columns.iter().map(|&(index, width)| {
            let cell = shortened(cells.get(index).copied().unwrap_or_default(), width);
            let padding = " ".repeat(width.saturating_sub(cell.width()));
            let is_number = self.columns.get(index).is_some_and(Column::is_number);
            let cell = styled(&cell);
            if is_number { format!("{padding}{cell}") } else { format!("{cell}{padding}") }
        });
        padded.collect::<Vec<_>>().join(GAP).trim_end().to_owned()
    }

    /// Returns the indices of the columns that are shown, and their widths.
    fn widths(&self, width: usize) -> Vec<(usize, usize)> {
        let natural = |(index, column): (usize, &Column)| {
            let cells = || self.rows.iter().filter_map(move |row| row.get(index));
            (index, cells().map(|cell| cell.width()).chain([column.header.width()]).max().unwrap_or(0))
        };
        let all: Vec<(usize, usize)> = self.filled_columns().map(natural).collect();
        let is_name = |index: usize| self.columns[index].content == Content::Name;
        let total = |columns: &[(usize, usize)], name: usize| {
            let widths = columns.iter().map(|&(index, width)| if is_name(index) { width.min(name) } else { width });
            widths.sum::<usize>() + GAP.len() * columns.len().saturating_sub(1)
        };
        let mut shown = BTreeSet::from([0]);
        let of_ranks = |ranks: &BTreeSet<u8>| -> Vec<(usize, usize)> {
            all.iter().copied().filter(|(index, _)| ranks.contains(&self.columns[*index].rank)).collect()
        };
        for rank in self.columns.iter().map(|column| column.rank).collect::<BTreeSet<u8>>() {
            shown.insert(rank);
            if rank > 0 && total(&of_ranks(&shown), COMFORTABLE) > width {
                shown.remove(&rank);
            }
        }
        let columns = of_ranks(&shown);
        // The longest names are shortened first, since all get the same limit.
        let longest = columns.iter().map(|(_, width)| *width).max().unwrap_or(0);
        let limit = (LEAST..=longest).rev().find(|&limit| total(&columns, limit) <= width).unwrap_or(LEAST);
        columns
            .into_iter()
            .map(|(index, width)| (index, if is_name(index) { width.min(limit) } else { width }))
            .collect()
    }
}

/// Returns the text with its middle replaced by `…` if it is wider than `width` characters.
fn shortened(text: &str, width: usize) -> Cow<'_, str> {
    if text.width() <= width {
        return Cow::Borrowed(text);
    }
    let room = width.saturating_sub(1);
    let beginning = fitting(text.chars(), room - room / 2);
    let end: Vec<char> = fitting(text.chars().rev(), room / 2).chars().rev().collect();
    Cow::Owned(format!("{beginning}…{}", end.into_iter().collect::<String>()))
}

/// Returns the first of the characters that fit into `width`.
fn fitting(characters: impl Iterator<Item = char>, width: usize) -> String {
    let mut used = 0;
    let is_within = |character: &char| {
        used += character.width().unwrap_or(0);
        used <= width
    };
    characters.take_while(is_within).collect()
}

#[cfg(test)]
mod tests {
    use anstream::adapter::strip_str;

    use super::{Column, Table, bar, shortened};

    fn example() -> Table {
        let columns = [
            Column::name("tensor"),
            Column::number("error").optional(1),
            Column::number("ulps").optional(2),
            Column::number("relative").optional(2),
            Column::text("empty"),
            Column::text("status"),
        ];
        let mut table = Table::new(columns);
        table.add_row(["layer1.weight", "1.5e-7", "12.25", "0.1", "", "pass"]);
        table.add_row(["the output layer of 日本語", "0", "0.00", "0.2", "", "pass"]);
        table
    }

    #[test]
    fn table_leaves_out_columns_by_rank_then_shortens_names() {
        let at =
            |width| example().lines(width).into_iter().map(|line| strip_str(&line).to_string()).collect::<Vec<_>>();
        assert_eq!(at(59)[3], "the output layer of 日本語       0   0.00       0.2  pass");
        assert_eq!(at(59), at(1000));
        for (width, header) in [
            (1000, "tensor  error ulps relative status"),
            (56, "tensor error status"),
            (37, "tensor status"),
            (20, "tensor status"),
        ] {
            let lines = at(width);
            let words: Vec<&str> = lines[0].split_whitespace().collect();
            assert_eq!(words, header.split_whitespace().collect::<Vec<_>>(), "{width}");
            assert_eq!(lines.len(), 4);
        }
        assert_eq!(at(20)[3], "the ou…本語   pass");
        assert_eq!(at(1), at(16));
    }

    #[test]
    fn names_are_shortened_in_the_middle() {
        assert_eq!(shortened("layer1.weight", 13), "layer1.weight");
        assert_eq!(shortened("layer1.weight", 8), "laye…ght");
        assert_eq!(shortened("日本語日本語", 7), "日…語");
        assert_eq!(shortened("weight", 1), "…");
    }

    #[test]
    fn bars_grow_with_height() {
        assert_eq!([0.0, 0.5, 1.0].map(bar), ['▁', '▄', '█']);
    }
}
