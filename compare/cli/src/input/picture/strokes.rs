//! The strokes of a digit.
//!
//! The marks of a picture that are not borders are divided into
//!
//! - *dust*, which is much smaller than the largest mark;
//! - *other digits*, which stand beside or below the highest mark, and are about as high;
//! - *strokes* of the digit, which are close to it: pens break off, and the top of a 5 is often detached.
//!
//! Two digits that touch are one mark. It is wide, and in one place nothing but a short bridge connects its two parts, both of
//! which are as high as the whole.

use super::border::{corners, is_attached};
use super::marks::{Mark, gap, overlap};

/// Largest distance of a stroke from the digit, as a fraction of the digit's longer side.
const STROKE_DISTANCE: f64 = 0.2;

/// Smallest height of one of several digits, as a fraction of the height of all marks together: for digits side by side, and
/// for those one above the other.
const DIGIT_HEIGHTS: [f64; 2] = [0.55, 0.3];

/// Smallest distance of a digit above or below another one, as a fraction of the height of all marks together. The loops of an
/// 8 are closer.
const LINE_GAP: f64 = 0.08;

/// Fraction of its width by which a digit overlaps the one beside it at most, in the horizontal direction.
const SIDE_OVERLAP: f64 = 0.25;

/// Largest width of a digit, as a multiple of its height.
const MAX_WIDTH: f64 = 1.85;

/// Smallest width of two digits that touch, as a multiple of their height.
const TOUCHING_WIDTH: f64 = 0.8;

/// Smallest height of a digit that touches another one, as a fraction of the height of both.
const TOUCHING_HEIGHT: f64 = 0.75;

/// Width from which on two digits may touch anywhere, as a multiple of their height.
const WIDE: f64 = 1.35;

/// Smallest height by which digits that touch continue above and below the bridge between them, as a fraction of their height.
const CONTINUATION: f64 = 0.2;

/// Largest thickness of the strokes, as a fraction of the digit's longer side.
const MAX_THICKNESS: f64 = 0.45;

/// Joins the strokes of the digit, and checks that they are one digit. `picture` is the picture's width and height.
///
/// # Errors
///
/// A message that says what was found instead.
pub(super) fn join(mut marks: Vec<Mark>, picture: (u32, u32)) -> Result<Mark, String> {
    let largest = marks.iter().map(Mark::longest).max().unwrap_or(0);
    marks.retain(|mark| !mark.is_dust(largest));
    let [top, bottom] = [marks.iter().map(|mark| mark.rows.0).min(), marks.iter().map(|mark| mark.rows.1).max()];
    let total = f64::from(bottom.unwrap_or(0) + 1 - top.unwrap_or(0));
    let highest = marks.iter().enumerate().max_by_key(|(_, mark)| mark.height()).map(|(index, _)| index);
    let Some(highest) = highest else { return Err("no digit found".to_owned()) };
    let mut digit = marks.swap_remove(highest);
    let others = marks.iter().filter(|mark| is_other_digit(mark, &digit, total)).count();
    if others > 0 {
        return Err(format!("the picture seems to contain {} digits; crop it to one", others + 1));
    }
    // Strokes may be close only to other strokes.
    while let Some(index) = marks.iter().position(|mark| is_stroke(mark, &digit)) {
        digit = Mark::new([digit.pixels, marks.swap_remove(index).pixels].concat());
    }
    let problem = if !marks.is_empty() {
        match marks.len() {
            1 => "there is 1 mark beside the digit".to_owned(),
            count => format!("there are {count} marks beside the digit"),
        }
    } else if let Some(problem) = problem(&digit) {
        problem
    } else if is_attached(&digit, picture) {
        "the ink touches a whole edge of the picture".to_owned()
    } else if corners(&digit, picture) > 2 {
        "the ink surrounds the paper".to_owned()
    } else {
        return Ok(digit);
    };
    Err(format!("{problem}; crop the picture to one digit"))
}

/// Returns true if a mark is another digit beside, above or below the highest one. `total` is the height of all marks.
fn is_other_digit(mark: &Mark, highest: &Mark, total: f64) -> bool {
    let height = f64::from(mark.height()) / total;
    let is_beside = f64::from(overlap(mark.columns, highest.columns)) < SIDE_OVERLAP * f64::from(mark.width());
    let is_below = f64::from(gap(mark.rows, highest.rows)) > LINE_GAP * total;
    is_beside && height >= DIGIT_HEIGHTS[0] || is_below && height >= DIGIT_HEIGHTS[1]
}

/// Returns true if a mark is close to the digit.
fn is_stroke(mark: &Mark, digit: &Mark) -> bool {
    let distance = gap(mark.columns, digit.columns).max(gap(mark.rows, digit.rows));
    f64::from(distance) <= STROKE_DISTANCE * f64::from(digit.longest())
}

/// Returns what makes a mark something else than one digit.
fn problem(digit: &Mark) -> Option<String> {
    let [width, height] = [digit.width(), digit.height()].map(f64::from);
    if width > MAX_WIDTH * height {
        Some(format!("the ink is {:.1} times as wide as high, wider than a digit", width / height))
    } else if f64::from(digit.thickness()) > MAX_THICKNESS * f64::from(digit.longest()) {
        Some("the ink is a filled area, without strokes".to_owned())
    } else if width >= TOUCHING_WIDTH * height && has_bridge(digit) {
        Some("the picture seems to contain 2 digits that touch".to_owned())
    } else {
        None
    }
}

/// Returns true if a short bridge connects two parts of a mark that are both about as high as the whole. Unless the mark is
/// wider than a digit, both parts must continue above and below the bridge, which those of an open 0, a 4 or a 6 do not.
fn has_bridge(digit: &Mark) -> bool {
    let [width, height] = [digit.width(), digit.height()].map(f64::from);
    let is_wide = width >= WIDE * height;
    let longest_bridge = digit.thickness() + digit.thickness() / 2 + 1;
    let columns = digit.transposed().extents();
    let mut lengths = vec![0; columns.len()];
    digit.pixels.iter().for_each(|&(x, _)| lengths[(x - digit.columns.0) as usize] += 1);
    let is_digit = |part: &[Option<(u32, u32)>], bridge: Option<(u32, u32)>| {
        let top = part.iter().flatten().map(|column| column.0).min().unwrap_or(0);
        let bottom = part.iter().flatten().map(|column| column.1).max().unwrap_or(0);
        let continues = bridge.is_some_and(|(bridge_top, bridge_bottom)| {
            let shorter = bridge_top.saturating_sub(top).min(bottom.saturating_sub(bridge_bottom));
            f64::from(shorter) >= CONTINUATION * height
        });
        f64::from(bottom - top + 1) >= TOUCHING_HEIGHT * height && (is_wide || continues)
    };
    (1..columns.len()).any(|column| {
        let bridge = columns[column];
        let is_bridge =
            bridge.is_none_or(|(top, bottom)| lengths[column] <= longest_bridge && lengths[column] == bottom - top + 1);
        is_bridge && is_digit(&columns[..column], bridge) && is_digit(&columns[column..], bridge)
    })
}
