//! Tables and paragraphs of the terminal as HTML.

use maud::{Markup, html};

use super::document::{tone_class, wide};
use super::verdict;
use crate::output::terminal::{Block, Column, Page, Table, Tone};

/// Returns the blocks that a function adds to a page for the terminal.
pub(super) fn blocks(fill: impl FnOnce(&mut Page)) -> Markup {
    let mut page = Page::new();
    fill(&mut page);
    page_blocks(&page)
}

/// Returns the blocks of a page for the terminal.
pub(super) fn page_blocks(page: &Page) -> Markup {
    html! {
        @for block in page.blocks() {
            @match block {
                Block::Lines(lines) => { @for line in lines { p { (line) } } }
                Block::Table { title, table } => (table_with_title(title, table)),
                Block::Verdict { verdict, reasons } => (verdict::card(*verdict, reasons)),
            }
        }
    }
}

/// Returns a table with all columns that have any content, the most important ones first.
fn table_with_title(title: &str, table: &Table) -> Markup {
    let columns = table.columns_by_rank();
    let rows = html! {
        table aria-label=(title) {
            thead {
                tr { @for (_, column) in &columns { th scope="col" class=[text_class(column)] { (column.header()) } } }
            }
            tbody { @for cells in table.rows() { tr { (row(&columns, cells)) } } }
        }
    };
    html! {
        h3 { (title) }
        (wide(title, &rows))
    }
}

/// Returns the cells of a row in the order of the columns.
fn row(columns: &[(usize, &Column)], cells: &[String]) -> Markup {
    html! {
        @for (place, (index, column)) in columns.iter().enumerate() {
            @let text = cells.get(*index).map_or("", String::as_str);
            @if place == 0 { th scope="row" class=[text_class(column)] { (word(text)) } }
            @else { td class=[text_class(column)] { (word(text)) } }
        }
    }
}

/// Returns the CSS class of a column of text, which is aligned on the left.
fn text_class(column: &Column) -> Option<&'static str> {
    (!column.is_number()).then_some("name")
}

/// Returns a text, in the colour of its meaning if it is a word that states a result.
fn word(text: &str) -> Markup {
    match Tone::of(text).map(tone_class) {
        Some(class) => html! { span class={ "result " (class) } { (text) } },
        None => html! { (text) },
    }
}
