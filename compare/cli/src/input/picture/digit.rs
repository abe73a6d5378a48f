//! The one digit of a picture, apart from what else is in it.
//!
//! A network gives an answer to every image, also to a frame, or to two digits. What is not one digit must therefore be found
//! before. The ink of a picture is divided into marks (connected areas), and each of them is
//!
//! - a *line* of ruled or squared paper, if it is thin, straight, and crosses the whole picture ([`lines`]). Lines are removed
//!   before the marks are formed, because they connect what they cross. If a line is as dark as the ink, touches what remains,
//!   and is not much thinner than its strokes, it may have been a stroke, and the picture is refused;
//! - a *border*: a frame, the edge of a table, or a corner of something else, if it runs along the edges of the picture or
//!   encloses the other marks. Borders are removed, and the contrast of what remains is measured again;
//! - *dust*, if it is much smaller than the largest mark and not close to it;
//! - a *stroke* of the digit, if it is the largest mark or close to it: pens break off, and the top of a 5 is often detached;
//! - *another digit*, if it stands beside or below the largest mark and is of about the same height.
//!
//! A picture with more than one digit, or without any, is refused, and so is one whose digit is wider than any digit, or is a
//! filled area.

use std::collections::HashSet;

use image::GrayImage;

use super::border::{is_attached, is_border};
use super::contrast::{Contrast, MIN_CONTRAST};
use super::lines::{self, Line};
use super::marks::{Mark, gap, overlap};

/// Fraction of the greatest contrast from which on a pixel is ink.
const INK_CONTRAST: f32 = 0.5;

/// Largest distance of a stroke from the digit, as a fraction of the digit's longer side.
const STROKE_DISTANCE: f64 = 0.2;

/// Smallest height of another digit, as a fraction of the first one's height.
const DIGIT_HEIGHT: f64 = 0.5;

/// Smallest distance of a digit above or below another one, as a fraction of the first one's height. The loops of an 8 are
/// closer.
const LINE_GAP: f64 = 0.08;

/// Fraction of its width by which a digit overlaps the one beside it at most, in the horizontal direction.
const SIDE_OVERLAP: f64 = 0.25;

/// Distance within which a border leaves traces, in pixels.
const BORDER_MARGIN: u32 = 2;

/// Largest width of a digit, as a multiple of its height.
const MAX_WIDTH: f64 = 1.6;

/// Largest thickness of the strokes, as a fraction of the digit's longer side.
const MAX_THICKNESS: f64 = 0.45;

/// Largest height of a line below or above a digit, as a fraction of its width.
const RULE: f64 = 0.2;

/// Number of times that borders are removed: a frame may stand within another one, or on a table.
const ROUNDS: usize = 3;

/// Returns the ink of the digit in a picture, with the amount of each pixel from 0 to 255; `None` if there is too little
/// contrast for any ink.
///
/// # Errors
///
/// A message if there is no digit or more than one, which says what was found and what to do.
pub(super) fn find(picture: &GrayImage) -> Result<Option<GrayImage>, String> {
    let mut contrast = Contrast::of(picture);
    let greatest = contrast.greatest();
    if greatest < MIN_CONTRAST.into() {
        return Ok(None);
    }
    let lines = lines::find(&contrast);
    lines.iter().for_each(|line| contrast.erase(&line.pixels, 0));
    for _ in 0..ROUNDS {
        // Ink is at least a quarter as dark as the border around it; what is fainter are traces of the border.
        if contrast.greatest() < f32::from(MIN_CONTRAST).max(greatest / 4.0) {
            break;
        }
        let threshold = INK_CONTRAST * contrast.greatest();
        let marks = Mark::all(contrast.dimensions(), |x, y| contrast.at(x, y) >= threshold);
        let borders = marks.iter().filter(|mark| is_border(mark, &marks, contrast.dimensions()));
        let borders: Vec<(u32, u32)> = borders.flat_map(|mark| mark.pixels.iter().copied()).collect();
        if borders.is_empty() {
            let digit = digit(marks, contrast.dimensions())?;
            check_lines(&digit, &lines)?;
            return Ok(Some(near(&contrast.ink(), &digit)));
        }
        contrast.erase(&borders, BORDER_MARGIN);
    }
    Err("no digit found, only lines, a frame or an edge; crop the picture to one digit".to_owned())
}

/// Joins the strokes of the digit, and checks that they are one digit.
fn digit(mut marks: Vec<Mark>, picture: (u32, u32)) -> Result<Mark, String> {
    let largest = marks.iter().map(Mark::longest).max().unwrap_or(0);
    marks.retain(|mark| !mark.is_dust(largest));
    let main = marks.iter().enumerate().max_by_key(|(_, mark)| mark.longest()).map_or(0, |(index, _)| index);
    let mut digit = Mark::new(marks.swap_remove(main).pixels);
    let others = marks.iter().filter(|mark| is_digit_beside(mark, &digit)).count();
    if others > 0 {
        return Err(format!("the picture seems to contain {} digits; crop it to one", others + 1));
    }
    // Strokes may be close only to other strokes.
    while let Some(index) = marks.iter().position(|mark| is_stroke(mark, &digit)) {
        digit = Mark::new([digit.pixels, marks.swap_remove(index).pixels].concat());
    }
    let [width, height] = [digit.width(), digit.height()].map(f64::from);
    let problem = if !marks.is_empty() {
        format!("there are {} marks beside the digit", marks.len())
    } else if width > MAX_WIDTH * height {
        format!("the ink is {:.1} times as wide as high, as two digits that touch", width / height)
    } else if f64::from(digit.thickness()) > MAX_THICKNESS * f64::from(digit.longest()) {
        "the ink is a filled area, without strokes".to_owned()
    } else if is_attached(&digit, picture) {
        "the ink touches a whole edge of the picture".to_owned()
    } else {
        return Ok(digit);
    };
    Err(format!("{problem}; crop the picture to one digit"))
}

/// Returns true if a mark is another digit beside, above or below this one.
fn is_digit_beside(mark: &Mark, digit: &Mark) -> bool {
    let height = f64::from(digit.height());
    let is_beside = f64::from(overlap(mark.columns, digit.columns)) < SIDE_OVERLAP * f64::from(mark.width());
    let is_below = f64::from(gap(mark.rows, digit.rows)) > LINE_GAP * height;
    f64::from(mark.height()) >= DIGIT_HEIGHT * height && (is_beside || is_below)
}

/// Returns true if a mark is a stroke of the digit: close to it, and no line below it.
fn is_stroke(mark: &Mark, digit: &Mark) -> bool {
    let distance = gap(mark.columns, digit.columns).max(gap(mark.rows, digit.rows));
    let is_rule = f64::from(mark.height()) <= RULE * f64::from(mark.width()) && mark.rows.0 > digit.rows.1;
    f64::from(distance) <= STROKE_DISTANCE * f64::from(digit.longest()) && !is_rule
}

/// Checks that no removed line was a stroke of the digit: one as dark as ink, and not much thinner than the strokes, that
/// touches the digit.
fn check_lines(digit: &Mark, lines: &[Line]) -> Result<(), String> {
    let dark: HashSet<(u32, u32)> =
        lines.iter().filter(|line| line.is_dark).flat_map(|line| line.pixels.iter().copied()).collect();
    let touches = |&(x, y): &(u32, u32)| {
        (x.saturating_sub(1)..=x + 1).any(|x| (y.saturating_sub(1)..=y + 1).any(|y| dark.contains(&(x, y))))
    };
    let thickest = lines.iter().filter(|line| line.is_dark).map(|line| line.thickness).max().unwrap_or(0);
    if digit.thickness() < 2 * thickest && digit.pixels.iter().any(touches) {
        let reason = "lines as dark and nearly as thick as the ink cross it; write on plain paper, or crop the picture to the \
                      space between the lines";
        return Err(reason.to_owned());
    }
    Ok(())
}

/// Removes the ink that is not near the digit.
fn near(ink: &GrayImage, digit: &Mark) -> GrayImage {
    let (width, height) = ink.dimensions();
    let margin = (digit.longest() / 25).max(2);
    let mut near = GrayImage::new(width, height);
    for &(x, y) in &digit.pixels {
        for y in y.saturating_sub(margin)..(y + margin + 1).min(height) {
            for x in x.saturating_sub(margin)..(x + margin + 1).min(width) {
                near.put_pixel(x, y, *ink.get_pixel(x, y));
            }
        }
    }
    near
}

#[cfg(test)]
mod tests {
    use image::Luma;

    use super::super::normalize::normalize;
    use super::*;

    /// Grey levels of paper and ink.
    const PAPER: u8 = 235;
    const INK: u8 = 35;

    /// A filled rectangle: left, top, width, height and grey level.
    type Rectangle = (u32, u32, u32, u32, u8);

    /// The strokes of a 7 in the middle of a picture.
    const SEVEN: [Rectangle; 2] = [(55, 45, 50, 10, INK), (92, 45, 13, 70, INK)];

    /// Draws rectangles on a picture of 160 × 160 pixels, in this order.
    fn draw(rectangles: &[Rectangle]) -> GrayImage {
        let mut picture = GrayImage::from_pixel(160, 160, Luma([PAPER]));
        for &(left, top, width, height, level) in rectangles {
            for (x, y) in (left..left + width).flat_map(|x| (top..top + height).map(move |y| (x, y))) {
                picture.put_pixel(x, y, Luma([level]));
            }
        }
        picture
    }

    /// Returns the MNIST-like image of the digit in a picture.
    fn image(picture: &GrayImage) -> GrayImage {
        normalize(&find(picture).unwrap().unwrap()).unwrap()
    }

    /// Asserts that a 7 is found in a picture, as if there were nothing else.
    fn assert_seven(picture: &GrayImage, what: &str) {
        let expected = image(&draw(&SEVEN));
        let image = image(picture);
        let differences = image.pixels().zip(expected.pixels()).map(|(one, other)| one.0[0].abs_diff(other.0[0]));
        let mean = differences.map(f64::from).sum::<f64>() / f64::from(image.width() * image.height());
        assert!(mean < 5.0, "{what}: {mean}");
    }

    /// Returns the message with which a picture is refused.
    fn refusal(rectangles: &[Rectangle]) -> String {
        find(&draw(rectangles)).map(|_| ()).unwrap_err()
    }

    /// Returns horizontal lines, or with vertical ones, squares.
    fn lines(thickness: u32, level: u8, are_squares: bool) -> Vec<Rectangle> {
        let positions = (0..8).map(|index| 5 + 20 * index);
        let vertical = positions.clone().filter(|_| are_squares).map(|x| (x, 0, thickness, 160, level));
        positions.map(|y| (0, y, 160, thickness, level)).chain(vertical).collect()
    }

    #[test]
    fn find_removes_frames_lines_edges_and_dust() {
        for (what, clutter) in [
            ("thin frame", vec![(0, 0, 160, 160, 0), (1, 1, 158, 158, PAPER)]),
            ("thick frame", vec![(0, 0, 160, 160, 20), (15, 15, 130, 130, PAPER)]),
            ("inset frame", vec![(10, 10, 140, 140, 20), (14, 14, 132, 132, PAPER)]),
            ("corner of a frame", vec![(0, 12, 160, 4, 20), (140, 0, 4, 160, 20)]),
            ("ruled paper", lines(1, 140, false)),
            ("squared paper", lines(1, 150, true)),
            ("dark lines", lines(2, INK, false)),
            ("table", vec![(0, 130, 160, 30, 60)]),
            ("dust", vec![(20, 20, 3, 3, INK), (140, 100, 4, 2, INK)]),
        ] {
            assert_seven(&draw(&[&clutter[..], &SEVEN].concat()), what);
            let refusal = find(&draw(&clutter));
            assert!(refusal.is_err() || refusal == Ok(None) || what == "dust", "{what}");
        }
    }

    #[test]
    fn find_models_uneven_light() {
        for (what, light) in [
            ("from the left", (|x, _| 1.0 - x / 270.0) as fn(f64, f64) -> f64),
            ("vignette", |x, y| 1.0 - ((x - 80.0).powi(2) + (y - 80.0).powi(2)) / 25_000.0),
        ] {
            let mut picture = draw(&SEVEN);
            for (x, y, level) in picture.enumerate_pixels_mut() {
                level.0[0] = (f64::from(level.0[0]) * light(x.into(), y.into())) as u8;
            }
            assert_seven(&picture, what);
        }
    }

    #[test]
    fn find_joins_strokes_and_reaches_edges() {
        // A gap between the strokes.
        let broken = draw(&[SEVEN[0], (92, 58, 13, 57, INK)]);
        assert_seven(&broken, "broken");
        let large = draw(&[(40, 0, 120, 20, INK), (130, 0, 30, 120, INK)]);
        assert!(image(&large).pixels().filter(|level| level.0[0] > 128).count() > 80);
    }

    #[test]
    fn find_refuses_other_than_one_digit() {
        let beside = |left: u32| (left, 45, 13, 70, INK);
        for (marks, expected) in [
            (vec![beside(40), beside(100)], "the picture seems to contain 2 digits"),
            (vec![beside(20), beside(70), beside(120)], "the picture seems to contain 3 digits"),
            (vec![(70, 10, 13, 60, INK), (70, 90, 13, 60, INK)], "the picture seems to contain 2 digits"),
            (vec![(20, 60, 120, 12, INK)], "10.0 times as wide as high"),
            (vec![(50, 50, 60, 60, INK)], "a filled area"),
            (vec![(10, 75, 30, 8, INK), SEVEN[0], SEVEN[1]], "1 marks beside the digit"),
            (vec![(0, 100, 160, 7, INK), SEVEN[0], SEVEN[1]], "lines as dark and nearly as thick"),
            (vec![(0, 100, 160, 12, INK), SEVEN[0], SEVEN[1]], "2.3 times as wide as high"),
        ] {
            let message = refusal(&marks);
            assert!(message.contains(expected), "{message}");
        }
    }
}
