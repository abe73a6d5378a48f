//! The one digit of a picture, apart from what else is in it.
//!
//! A network gives an answer to every image, also to a frame, or to two digits. What is not one digit must therefore be found
//! before. The ink of a picture is divided into marks (connected areas), and each of them is
//!
//! - a *line* of ruled or squared paper, if it is thin, straight, and crosses the whole picture ([`lines`]). Lines are removed
//!   before the marks are formed, because they connect what they cross. If a line is as dark as the ink, touches what remains,
//!   and is not much thinner than its strokes, it may have been a stroke, and the picture is refused;
//! - a *border*: a frame, the edge of a table, or a corner of something else ([`border`](super::border)). Borders are removed,
//!   and the contrast of what remains is measured again;
//! - a *sheet* of paper on a table that covers most of the picture, if it is a filled rectangle, also a turned one ([`sheet`]).
//!   The digit is then searched on the sheet;
//! - *dust*, *strokes* of the digit, or *other digits* ([`strokes`]).
//!
//! A picture with more than one digit, or without any, is refused.

use std::collections::HashSet;

use image::GrayImage;

use super::border::is_border;
use super::contrast::{Contrast, MIN_CONTRAST};
use super::lines::{self, Line};
use super::marks::Mark;
use super::sheet::{self, is_sheet};
use super::strokes;

/// Fraction of the greatest contrast from which on a pixel is ink.
const INK_CONTRAST: f32 = 0.5;

/// Fraction of the greatest contrast from which on a pixel connects ink. Thin strokes fade in places.
const CONNECTING_CONTRAST: f32 = 0.3;

/// Distance within which a border leaves traces, in pixels.
const BORDER_MARGIN: u32 = 2;

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
        let marks = marks(&contrast);
        // A sheet that is not written on may be a stroke itself.
        if let Some(sheet) = marks.iter().find(|mark| is_sheet(mark, contrast.dimensions()))
            && let Some(digit) = find(&sheet::part(sheet, picture, contrast.dimensions()))?
        {
            return Ok(Some(digit));
        }
        let borders = marks.iter().filter(|mark| is_border(mark, &marks, contrast.dimensions()));
        let borders: Vec<(u32, u32)> = borders.flat_map(|mark| mark.pixels.iter().copied()).collect();
        if borders.is_empty() {
            if let Some(close_up) = sheet::close_up(&marks, picture, contrast.dimensions()) {
                return find(&close_up);
            }
            let digit = strokes::join(marks, contrast.dimensions())?;
            check_lines(&digit, &lines)?;
            return Ok(Some(near(&contrast.ink(), &digit)));
        }
        contrast.erase(&borders, BORDER_MARGIN);
    }
    Err("no digit found, only lines, a frame or an edge; crop the picture to one digit".to_owned())
}

/// Returns the marks of a picture: the ink of each connected area. What only connects it is not part of a mark, because it
/// may also be a pale line.
fn marks(contrast: &Contrast) -> Vec<Mark> {
    let greatest = contrast.greatest();
    let areas = Mark::all(contrast.dimensions(), |x, y| contrast.at(x, y) >= CONNECTING_CONTRAST * greatest);
    let is_ink = |&(x, y): &(u32, u32)| contrast.at(x, y) >= INK_CONTRAST * greatest;
    let ink = areas.into_iter().map(|area| area.pixels.into_iter().filter(is_ink).collect::<Vec<_>>());
    ink.filter(|pixels| !pixels.is_empty()).map(Mark::new).collect()
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
        draw_on(160, rectangles)
    }

    /// Draws rectangles on a square picture whose sides have this number of pixels, in this order.
    fn draw_on(side: u32, rectangles: &[Rectangle]) -> GrayImage {
        let mut picture = GrayImage::from_pixel(side, side, Luma([PAPER]));
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

    /// Returns a sheet that covers a third of the picture, turned by an eighth of a right angle, on a table.
    fn turned_sheet() -> Vec<Rectangle> {
        let (sine, cosine) = (std::f64::consts::FRAC_PI_2 / 8.0).sin_cos();
        let is_sheet = |&(x, y): &(u32, u32)| {
            let (x, y) = (f64::from(x) - 80.0, f64::from(y) - 80.0);
            (x * cosine + y * sine).abs() < 46.0 && (y * cosine - x * sine).abs() < 46.0
        };
        let pixels = (0..160).flat_map(|y| (0..160).map(move |x| (x, y))).filter(is_sheet);
        [(0, 0, 160, 160, 60)].into_iter().chain(pixels.map(|(x, y)| (x, y, 1, 1, PAPER))).collect()
    }

    /// Returns a thick 0 that fills the picture, so that only its middle and the four corners are paper.
    fn paper_around_a_zero() -> Vec<Rectangle> {
        let corner = |is_right: bool, is_bottom: bool| {
            [(0, 0, 40, 5), (0, 5, 20, 5), (0, 10, 10, 10), (0, 20, 5, 20)].map(|(left, top, width, height)| {
                let left = if is_right { 160 - left - width } else { left };
                let top = if is_bottom { 160 - top - height } else { top };
                (left, top, width, height, PAPER)
            })
        };
        let corners = [corner(false, false), corner(true, false), corner(false, true), corner(true, true)].concat();
        [vec![(0, 0, 160, 160, INK), (50, 40, 60, 80, PAPER), (60, 50, 40, 60, INK)], corners].concat()
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
            ("underline", vec![(40, 125, 90, 6, INK)]),
            ("sheet on a table", vec![(0, 0, 160, 160, 60), (30, 30, 100, 100, PAPER)]),
            ("turned sheet", turned_sheet()),
            ("table around the sheet", vec![(0, 0, 160, 160, 60), (10, 10, 140, 140, PAPER)]),
            ("dust", vec![(20, 20, 3, 3, INK), (140, 100, 4, 2, INK)]),
        ] {
            assert_seven(&draw(&[&clutter[..], &SEVEN].concat()), what);
            let refusal = find(&draw(&clutter));
            assert!(refusal.is_err() || refusal == Ok(None) || what == "dust", "{what}");
        }
    }

    #[test]
    fn find_returns_none_for_pictures_of_one_level() {
        for level in [0, 35, 128, 255] {
            assert_eq!(find(&GrayImage::from_pixel(50, 50, Luma([level]))), Ok(None));
        }
    }

    /// A 7 of 50 × 70 pixels, and dust, in a photograph that is shrunk to a tenth.
    #[test]
    fn find_looks_closer_at_small_digits() {
        let digit = SEVEN.map(|(left, top, width, height, level)| (400 + left, 900 + top, width, height, level));
        let picture = draw_on(2800, &[&digit[..], &[(2500, 2600, 4, 4, INK)]].concat());
        assert_seven(&picture, "small");
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
        // The two sides of a 0, and what connects them: two fifths as dark as the ink, or a fifth.
        let zero = |connection: u8| {
            [(50, 45, 15, 70, INK), (95, 45, 15, 70, INK), (65, 45, 30, 10, connection), (65, 105, 30, 10, connection)]
        };
        assert!(find(&draw(&zero(155))).is_ok());
        assert!(refusal(&zero(195)).contains("2 digits"));
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
            (vec![(0, 8, 152, 9, INK), (143, 8, 9, 152, INK)], "only lines"),
            (vec![beside(40), beside(100), (53, 75, 47, 8, INK)], "2 digits that touch"),
            (paper_around_a_zero(), "surrounds the paper"),
            (vec![(10, 75, 30, 8, INK), SEVEN[0], SEVEN[1]], "there is 1 mark beside the digit"),
            (vec![(0, 100, 160, 7, INK), SEVEN[0], SEVEN[1]], "lines as dark and nearly as thick"),
            (vec![(0, 100, 160, 12, INK), SEVEN[0], SEVEN[1]], "2.3 times as wide as high"),
        ] {
            let message = refusal(&marks);
            assert!(message.contains(expected), "{expected}: {message}");
        }
    }
}
