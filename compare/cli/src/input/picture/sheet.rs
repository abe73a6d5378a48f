//! Parts of a picture in which the digit is searched again: a sheet of paper, or the place of a small digit.

use std::f64::consts::FRAC_PI_2;

use image::{GrayImage, Luma, imageops};

use super::marks::{Mark, median};

/// Fraction of the rectangle around it that a sheet of paper fills at least, with the digit on it.
const FILLED: f64 = 0.88;

/// Fraction of the rectangle around it that a sheet of paper fills at least, without the digit on it.
const DENSITY: f64 = 0.55;

/// Fraction of the picture's height and width that a sheet spans at least.
const SPAN: f64 = 0.3;

/// Margin of a sheet that is not searched, as a fraction of its longer side.
const MARGIN: f64 = 0.03;

/// Number of angles at which a rectangle around a mark is tried.
const ANGLES: u32 = 45;

/// Longest side of the marks that are looked at closer, as a fraction of the picture's longer side.
const SMALL: f64 = 0.25;

/// Returns true if a mark may be a sheet of paper, which may be turned.
pub(super) fn is_sheet(mark: &Mark, (width, height): (u32, u32)) -> bool {
    f64::from(mark.width()) >= SPAN * f64::from(width) && f64::from(mark.height()) >= SPAN * f64::from(height) && {
        let area = rectangle_area(mark);
        f64::from(mark.filled()) >= FILLED * area && mark.pixels.len() as f64 >= DENSITY * area
    }
}

/// Returns the area of the smallest of the rectangles around a mark, at all angles.
fn rectangle_area(mark: &Mark) -> f64 {
    let outline: Vec<(f64, f64)> = (mark.rows.0..)
        .zip(mark.extents())
        .filter_map(|(y, extent)| extent.map(|(first, last)| (y, first, last)))
        .flat_map(|(y, first, last)| [(first, y), (last + 1, y), (first, y + 1), (last + 1, y + 1)])
        .map(|(x, y)| (f64::from(x), f64::from(y)))
        .collect();
    let side = |(cosine, sine): (f64, f64)| {
        let positions = outline.iter().map(|(x, y)| x * cosine + y * sine);
        let [low, high] =
            positions.fold([f64::MAX, f64::MIN], |[low, high], position| [low.min(position), high.max(position)]);
        high - low
    };
    let angles = (0..ANGLES).map(|index| FRAC_PI_2 * f64::from(index) / f64::from(ANGLES));
    angles.map(|angle| side((angle.cos(), angle.sin())) * side((-angle.sin(), angle.cos()))).fold(f64::MAX, f64::min)
}

/// Returns the part of a picture that a sheet covers. What is outside the sheet, or on its margin, is painted like the sheet.
/// `dimensions` are those of the picture in which the sheet was found.
pub(super) fn part(sheet: &Mark, picture: &GrayImage, dimensions: (u32, u32)) -> GrayImage {
    let margin = (MARGIN * f64::from(sheet.longest())).ceil() as u32;
    let [scale_x, scale_y] = [(picture.width(), dimensions.0), (picture.height(), dimensions.1)]
        .map(|(side, shrunk)| f64::from(side) / f64::from(shrunk));
    let rows = sheet.extents();
    let columns = sheet.transposed().extents();
    let is_within = |extent: Option<&Option<(u32, u32)>>, position: u32| {
        extent
            .copied()
            .flatten()
            .is_some_and(|(first, last)| (first + margin..=last.saturating_sub(margin)).contains(&position))
    };
    let is_inside = |x: u32, y: u32| {
        is_within(rows.get(y.wrapping_sub(sheet.rows.0) as usize), x)
            && is_within(columns.get(x.wrapping_sub(sheet.columns.0) as usize), y)
    };
    let at = |x: u32, y: u32| {
        let [x, y] = [(x, scale_x), (y, scale_y)].map(|(position, scale)| ((f64::from(position) + 0.5) * scale) as u32);
        u32::from(picture.get_pixel(x.min(picture.width() - 1), y.min(picture.height() - 1)).0[0])
    };
    let paper = median(sheet.pixels.iter().map(|&(x, y)| at(x, y)).collect()) as u8;
    let [left, right] = [sheet.columns.0, sheet.columns.1 + 1].map(|position| (f64::from(position) * scale_x) as u32);
    let [top, bottom] = [sheet.rows.0, sheet.rows.1 + 1].map(|position| (f64::from(position) * scale_y) as u32);
    GrayImage::from_fn((right - left).max(1), (bottom - top).max(1), |x, y| {
        let (x, y) = (x + left, y + top);
        let is_inside = is_inside((f64::from(x) / scale_x) as u32, (f64::from(y) / scale_y) as u32);
        if is_inside { *picture.get_pixel(x, y) } else { Luma([paper]) }
    })
}

/// Returns the part of a picture around its marks, if they are small and the picture was shrunk before they were found, so that
/// their strokes may have run together. Dust does not count.
pub(super) fn close_up(marks: &[Mark], picture: &GrayImage, dimensions: (u32, u32)) -> Option<GrayImage> {
    let scale = f64::from(picture.width().max(picture.height())) / f64::from(dimensions.0.max(dimensions.1));
    let largest = marks.iter().map(Mark::longest).max()?;
    let strokes = marks.iter().filter(|mark| !mark.is_dust(largest));
    let all = Mark::new(strokes.flat_map(|mark| mark.pixels.iter().copied()).collect());
    let longest = all.longest();
    if scale < 2.0 || f64::from(longest) > SMALL * f64::from(dimensions.0.max(dimensions.1)) {
        return None;
    }
    let margin = longest.max(4);
    let part = |(first, last): (u32, u32), side: u32| {
        let start = f64::from(first.saturating_sub(margin)) * scale;
        let end = (f64::from(last + 1 + margin) * scale).min(f64::from(side));
        (start as u32, (end - start).max(1.0) as u32)
    };
    let (left, width) = part(all.columns, picture.width());
    let (top, height) = part(all.rows, picture.height());
    Some(imageops::crop_imm(picture, left, top, width, height).to_image())
}
