//! Table style and bars for the terminal.

use std::fmt;

use comfy_table::{CellAlignment, ContentArrangement, LineStyle, TableStyle};

use crate::output::escape;

/// A horizontal line below the header; no other borders.
const STYLE: TableStyle = TableStyle::new().header_separator(LineStyle::new('─', '─', '─', '─'));

/// Block characters of increasing height, from ⅛ of a line to a full line.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Returns the block character for a height from 0 (shown as the lowest block) to 1.
pub(super) fn bar(height: f64) -> char {
    BARS[((height * 8.0).ceil().clamp(1.0, 8.0)) as usize - 1]
}

/// Terminals with fewer columns than this count as narrow. On a narrow terminal, tables keep their natural width and
/// the terminal wraps their lines; narrower table columns would break words.
const NARROW: u16 = 80;

/// A table for the terminal. Its cells are escaped, so that each takes a single line.
pub(crate) struct Table(comfy_table::Table);

impl Table {
    /// Adds a row.
    pub(crate) fn add_row(&mut self, cells: impl IntoIterator<Item: AsRef<str>>) {
        self.0.add_row(escaped(cells));
    }

    /// Adds rows.
    pub(super) fn add_rows(&mut self, rows: impl IntoIterator<Item: IntoIterator<Item: AsRef<str>>>) {
        rows.into_iter().for_each(|row| self.add_row(row));
    }

    /// Returns true if the table has only a header.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

fn escaped(cells: impl IntoIterator<Item: AsRef<str>>) -> Vec<String> {
    cells.into_iter().map(|cell| escape::line(cell.as_ref()).into_owned()).collect()
}

/// Creates an empty table with these column headers.
pub(crate) fn table(header: &[&str]) -> Table {
    let mut table = comfy_table::Table::new();
    let is_narrow = table.width().is_some_and(|columns| columns < NARROW);
    let arrangement = if is_narrow { ContentArrangement::Disabled } else { ContentArrangement::Dynamic };
    table.load_style(STYLE).set_content_arrangement(arrangement);
    table.set_header(escaped(header));
    Table(table)
}

/// Creates an empty table whose columns from index `first` on contain numbers, which are right-aligned.
pub(super) fn table_of_numbers(header: &[&str], first: usize) -> Table {
    let mut table = table(header);
    for column in first..header.len() {
        if let Some(column) = table.0.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}
