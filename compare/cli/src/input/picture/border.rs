//! Borders: marks that surround a digit.

use super::marks::Mark;

/// Fraction of an edge of the picture that a border along it covers at least.
const EDGE_COVERAGE: f64 = 0.8;

/// Distance from an edge within which a mark touches it, as a fraction of the picture's height or width.
const EDGE_DEPTH: f64 = 0.01;

/// Fraction of a side of its own bounding box that a frame covers at least.
const SIDE_COVERAGE: f64 = 0.9;

/// Depth within which a frame covers the sides of its bounding box, as a fraction of its height or width.
const SIDE_DEPTH: f64 = 0.1;

/// Fraction of the picture's height and width that a frame spans at least if it encloses no other mark.
const FRAME_SPAN: f64 = 0.8;

/// Fraction of its bounding box that the edge or the corner of a table fills at least.
const FILLED: f64 = 0.5;

/// Largest breadth of a line that crosses the picture, as a fraction of its length. It includes what a slope adds.
const LINE_BREADTH: f64 = 0.2;

/// Largest thickness of the lines of a cell, as a fraction of their length. The strokes of a 7 that fills the picture are
/// thicker.
const CELL_LINE: f64 = 0.07;

/// A side of a rectangle, and the one opposite to it.
const SIDES: [(usize, usize); 4] = [(0, 1), (1, 0), (2, 3), (3, 2)];

/// Returns true if a mark is a frame, a line, or the edge or the corner of something else.
pub(super) fn is_border(mark: &Mark, marks: &[Mark], (width, height): (u32, u32)) -> bool {
    let edges = coverage(mark, ((0, width - 1), (0, height - 1)), EDGE_DEPTH);
    let is_edge = edges.map(|share| share >= EDGE_COVERAGE);
    let touches = edges.map(|share| share > 0.0);
    let is_filled = mark.density() >= FILLED;
    // The edge of a table reaches along one edge of the picture, and its corner along two.
    let is_table_edge = is_filled && SIDES.iter().any(|&(side, opposite)| is_edge[side] && !touches[opposite]);
    let is_table_corner = is_filled && touches[0] != touches[1] && touches[2] != touches[3];
    is_corner(is_edge) || is_table_edge || is_table_corner || is_line(mark, marks, (width, height)) || {
        let sides = coverage(mark, (mark.columns, mark.rows), SIDE_DEPTH).map(|share| share >= SIDE_COVERAGE);
        let is_large = f64::from(mark.width()) >= FRAME_SPAN * f64::from(width)
            && f64::from(mark.height()) >= FRAME_SPAN * f64::from(height);
        let encloses_mark = || marks.iter().any(|other| encloses(mark, other) && !other.is_dust(mark.longest()));
        // Two lines of a cell, whose ends reach the edges of the picture.
        let is_thin = || f64::from(mark.thickness()) <= CELL_LINE * f64::from(mark.longest());
        let is_cell = is_corner(sides) && is_corner(touches) && is_large && is_thin();
        is_cell || sides.iter().filter(|side| **side).count() >= 3 && (is_large || encloses_mark())
    }
}

/// Returns true if a mark covers an edge of the picture but does not reach the opposite one, as the edge of a table does if
/// the digit touches it.
pub(super) fn is_attached(mark: &Mark, (width, height): (u32, u32)) -> bool {
    let edges = coverage(mark, ((0, width - 1), (0, height - 1)), EDGE_DEPTH);
    SIDES.iter().any(|&(side, opposite)| edges[side] >= EDGE_COVERAGE && edges[opposite] == 0.0)
}

/// Returns the number of corners of the picture that a mark touches.
pub(super) fn corners(mark: &Mark, (width, height): (u32, u32)) -> usize {
    let corners = [(0, 0), (width - 1, 0), (0, height - 1), (width - 1, height - 1)];
    corners.iter().filter(|corner| mark.pixels.contains(corner)).count()
}

/// Returns true if two adjacent sides are marked.
fn is_corner([top, bottom, left, right]: [bool; 4]) -> bool {
    (top || bottom) && (left || right)
}

/// Returns true if a mark is a line across the picture, or below everything else. A vertical line in the middle may be a 1 if
/// there is nothing else.
fn is_line(mark: &Mark, marks: &[Mark], (width, height): (u32, u32)) -> bool {
    let [is_horizontal, is_vertical] = [(mark.width(), mark.height()), (mark.height(), mark.width())]
        .map(|(length, breadth)| f64::from(breadth) <= LINE_BREADTH * f64::from(length));
    let mut others =
        marks.iter().filter(|other| !other.is_dust(mark.longest()) && !std::ptr::eq(*other, mark)).peekable();
    let is_in_middle = (width / 3..=width - width / 3).contains(&mark.columns.0.midpoint(mark.columns.1));
    let is_one = others.peek().is_none() && is_in_middle;
    let is_below = others.peek().is_some() && others.all(|other| other.rows.1 < mark.rows.0);
    is_horizontal && (mark.width() == width || is_below) || is_vertical && mark.height() == height && !is_one
}

fn encloses(outer: &Mark, inner: &Mark) -> bool {
    outer.columns.0 < inner.columns.0
        && inner.columns.1 < outer.columns.1
        && outer.rows.0 < inner.rows.0
        && inner.rows.1 < outer.rows.1
}

/// Returns the coordinates of a pixel along and across a side.
type Position = fn(&(u32, u32)) -> (u32, u32);

/// Returns the fractions of the top, bottom, left and right side of a rectangle near which a mark has pixels. `depth` is the
/// largest distance from a side, as a fraction of the rectangle's height or width.
fn coverage(mark: &Mark, (columns, rows): ((u32, u32), (u32, u32)), depth: f64) -> [f64; 4] {
    let share = |range: (u32, u32), across: (u32, u32), position: Position, is_end: bool| {
        let reach = (depth * f64::from(across.1 - across.0 + 1)) as u32;
        let mut covered = vec![false; (range.1 - range.0 + 1) as usize];
        for (along, across_position) in mark.pixels.iter().map(position) {
            let distance = if is_end { across.1 - across_position } else { across_position - across.0 };
            if distance <= reach {
                covered[(along - range.0) as usize] = true;
            }
        }
        covered.iter().filter(|is_covered| **is_covered).count() as f64 / covered.len() as f64
    };
    let [by_column, by_row]: [Position; 2] = [|&(x, y)| (x, y), |&(x, y)| (y, x)];
    [
        share(columns, rows, by_column, false),
        share(columns, rows, by_column, true),
        share(rows, columns, by_row, false),
        share(rows, columns, by_row, true),
    ]
}
