//! Tables for a terminal.

use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};

/// One line below the titles, and nothing else.
const STYLE: TableStyle = TableStyle::new().header_separator(LineStyle::new('─', '─', '─', '─'));

/// Columns of growing height, in eighths.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The bar of this height, from 0 to 1.
pub(super) fn bar(height: f64) -> char {
    BARS[((height * 8.0).ceil().clamp(1.0, 8.0)) as usize - 1]
}

/// On a terminal with fewer columns than this, words would be broken into pieces: lines run over instead.
const NARROW: u16 = 80;

/// An empty table with these column titles.
pub(crate) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    let is_narrow = table.width().is_some_and(|columns| columns < NARROW);
    let arrangement = if is_narrow { ContentArrangement::Disabled } else { ContentArrangement::Dynamic };
    table.load_style(STYLE).set_content_arrangement(arrangement);
    table.set_header(header);
    table
}

/// The same with numbers from this column on, which stand on the right.
pub(super) fn table_of_numbers(header: &[&str], first: usize) -> Table {
    let mut table = table(header);
    for column in first..header.len() {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}
