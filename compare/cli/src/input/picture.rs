//! Drawings and photographs of digits, made into images as MNIST's were: "size normalized to fit in a 20x20 pixel box while
//! preserving their aspect ratio", grey where scaling makes them so, "and centered in a 28x28 image by computing the center of
//! mass of the pixels" (LeCun, Cortes, Burges: The MNIST database of handwritten digits).

use std::io::Cursor;
use std::path::Path;

use image::imageops::{self, FilterType};
use image::{DynamicImage, GrayImage, ImageDecoder, ImageReader, ImageResult, Luma};
use mlp_parity::mnist::idx;

use crate::error::Result;

/// Height and width of an image, in pixels.
const SIDE: u32 = 28;

/// Height and width of the box that a digit fills, in pixels.
const BOX: u32 = 20;

/// What is larger is first made as small as this, which takes the noise away too.
const LARGEST: u32 = 10 * SIDE;

/// Grey levels by which something must differ from the background to be seen.
const LEAST_CONTRAST: u8 = 32;

/// An image for a network.
pub(crate) struct Picture {
    /// Where it comes from.
    pub(crate) name: String,
    /// As MNIST's: row by row, 0 the background.
    pub(crate) pixels: Vec<u8>,
}

/// The image of a PNG or JPEG file, or every image of an IDX file, gzipped or not.
///
/// # Errors
///
/// If the file cannot be read, is neither, or shows nothing.
pub(crate) fn read(path: &Path) -> Result<Vec<Picture>> {
    let name = path.display().to_string();
    let bytes = std::fs::read(path).map_err(mlp_parity::Error::io("read", path))?;
    if bytes.starts_with(&[0, 0, 8]) || bytes.starts_with(&[0x1f, 0x8b]) {
        let (pixels, [_, rows, columns]) = idx::images(idx::unpack(bytes, true, &name)?, &name)?;
        let images = pixels.chunks(rows * columns).enumerate();
        return Ok(images
            .map(|(index, pixels)| Picture { name: format!("{name}[{index}]"), pixels: pixels.to_vec() })
            .collect());
    }
    let refused = |reason: String| mlp_parity::Error::data(&name, reason);
    if is_cut(&bytes) {
        return Err(refused("is cut off: a JPEG without its end".to_owned()).into());
    }
    let picture =
        decode(bytes).map_err(|error| refused(format!("can't be read as a whole PNG, JPEG or IDX file ({error})")))?;
    // What is transparent shows what lies behind it: paper, or for light ink a blackboard.
    let mut seen = [255, 0].into_iter().filter_map(|behind| normalize(&flatten(&picture, behind)));
    let image =
        seen.next().ok_or_else(|| refused("shows no digit: it is the same grey nearly everywhere".to_owned()))?;
    Ok(vec![Picture { name, pixels: image.into_raw() }])
}

/// Whether a JPEG ends before its picture does: then no end (0xFFD9) stands behind the last start of a scan (0xFFDA). The
/// decoder makes up the rest.
fn is_cut(bytes: &[u8]) -> bool {
    let last = |marker: u8| bytes.windows(2).rposition(|window| window == [0xff, marker]);
    bytes.starts_with(&[0xff, 0xd8]) && last(0xd9) < last(0xda)
}

/// The right way up, where the camera has noted how it was held.
fn decode(bytes: Vec<u8>) -> ImageResult<DynamicImage> {
    let mut decoder = ImageReader::new(Cursor::new(bytes)).with_guessed_format()?.into_decoder()?;
    let orientation = decoder.orientation()?;
    let mut picture = DynamicImage::from_decoder(decoder)?;
    picture.apply_orientation(orientation);
    Ok(picture)
}

/// Grey levels, on a background of this one.
fn flatten(picture: &DynamicImage, behind: u8) -> GrayImage {
    let picture = picture.to_luma_alpha8();
    GrayImage::from_fn(picture.width(), picture.height(), |x, y| {
        let [level, alpha] = picture.get_pixel(x, y).0.map(u32::from);
        Luma([((level * alpha + u32::from(behind) * (255 - alpha)) / 255) as u8])
    })
}

/// As an image of MNIST; `None` if nothing can be seen.
fn normalize(picture: &GrayImage) -> Option<GrayImage> {
    let small = shrunk(picture);
    let background = background(&small);
    let digit = cropped(&ink(&small, background)?)?;
    let scale = f64::from(BOX) / f64::from(digit.width().max(digit.height()));
    let [width, height] = [digit.width(), digit.height()].map(|side| ((f64::from(side) * scale).round() as u32).max(1));
    let digit = full_range(&imageops::resize(&digit, width, height, FilterType::Triangle));
    let mut image = GrayImage::new(SIDE, SIDE);
    let [left, top] = [(width, mass(&digit, |x, _| x)), (height, mass(&digit, |_, y| y))].map(|(side, mass)| {
        let start = (f64::from(SIDE) / 2.0 - mass).round() as i64;
        start.clamp(0, i64::from(SIDE - side))
    });
    imageops::replace(&mut image, &digit, left, top);
    Some(image)
}

fn shrunk(picture: &GrayImage) -> GrayImage {
    let longest = picture.width().max(picture.height());
    if longest <= LARGEST {
        return picture.clone();
    }
    let side = |side: u32| (u64::from(side) * u64::from(LARGEST) / u64::from(longest)).max(1) as u32;
    imageops::resize(picture, side(picture.width()), side(picture.height()), FilterType::Triangle)
}

/// The grey level in the middle of those along the edge.
fn background(picture: &GrayImage) -> u8 {
    let (width, height) = picture.dimensions();
    let is_edge = |x, y| x == 0 || y == 0 || x + 1 == width || y + 1 == height;
    let pixels = picture.enumerate_pixels().filter(|&(x, y, _)| is_edge(x, y));
    let mut levels: Vec<u8> = pixels.map(|(_, _, Luma([level]))| *level).collect();
    levels.sort_unstable();
    levels.get(levels.len() / 2).copied().unwrap_or(0)
}

/// How much ink there is, on the side of the background, light or dark, that differs more from it: nothing below a quarter of
/// the greatest contrast, everything above three quarters.
fn ink(picture: &GrayImage, background: u8) -> Option<GrayImage> {
    let [darkest, lightest] =
        picture.pixels().fold([255, 0], |[low, high], Luma([level])| [low.min(*level), high.max(*level)]);
    let [below, above] = [background - darkest.min(background), lightest.max(background) - background];
    let greatest = below.max(above);
    let is_dark = below > above;
    let amount = |level: u8| {
        let contrast = if is_dark { background.saturating_sub(level) } else { level.saturating_sub(background) };
        ((f32::from(contrast) / f32::from(greatest) * 2.0 - 0.5).clamp(0.0, 1.0) * 255.0) as u8
    };
    (greatest >= LEAST_CONTRAST).then(|| {
        GrayImage::from_fn(picture.width(), picture.height(), |x, y| Luma([amount(picture.get_pixel(x, y).0[0])]))
    })
}

/// The part with ink.
fn cropped(picture: &GrayImage) -> Option<GrayImage> {
    let inked = || picture.enumerate_pixels().filter(|(_, _, Luma([level]))| *level >= 128);
    let [left, right] = [inked().map(|(x, ..)| x).min()?, inked().map(|(x, ..)| x).max()?];
    let [top, bottom] = [inked().map(|(_, y, _)| y).min()?, inked().map(|(_, y, _)| y).max()?];
    Some(imageops::crop_imm(picture, left, top, right - left + 1, bottom - top + 1).to_image())
}

/// So bright that the brightest is white: thin lines are pale once they are made smaller.
fn full_range(picture: &GrayImage) -> GrayImage {
    let brightest = picture.pixels().map(|Luma([level])| u32::from(*level)).max().unwrap_or(0).max(1);
    GrayImage::from_fn(picture.width(), picture.height(), |x, y| {
        Luma([(u32::from(picture.get_pixel(x, y).0[0]) * 255 / brightest) as u8])
    })
}

/// The centre of mass along one direction.
fn mass(picture: &GrayImage, along: fn(u32, u32) -> u32) -> f64 {
    let weights =
        || picture.enumerate_pixels().map(|(x, y, Luma([level]))| (f64::from(along(x, y)) + 0.5, f64::from(*level)));
    let total: f64 = weights().map(|(_, weight)| weight).sum();
    weights().map(|(place, weight)| place * weight).sum::<f64>() / total.max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ring of this radius and thickness, off the middle of a picture of this size.
    fn ring(size: u32, ink: u8, paper: u8) -> GrayImage {
        let (middle, radius) = (f64::from(size) * 0.35, f64::from(size) * 0.2);
        GrayImage::from_fn(size, size, |x, y| {
            let distance = (f64::from(x) - middle).hypot(f64::from(y) - middle);
            Luma([if (distance - radius).abs() < f64::from(size) / 25.0 { ink } else { paper }])
        })
    }

    #[test]
    fn ink_and_paper_and_size_make_no_difference() {
        let expected = normalize(&ring(400, 255, 0)).unwrap();
        assert_eq!(expected.dimensions(), (SIDE, SIDE));
        let [across, down] = [mass(&expected, |x, _| x), mass(&expected, |_, y| y)];
        assert!((across - 14.0).abs() <= 0.5 && (down - 14.0).abs() <= 0.5, "{across} {down}");
        let inked: Vec<u32> =
            expected.enumerate_pixels().filter(|(.., level)| level.0[0] > 0).map(|(x, ..)| x).collect();
        let [first, last] = [inked.iter().min().unwrap(), inked.iter().max().unwrap()];
        assert_eq!(last - first + 1, BOX);
        for (size, ink, paper) in [(400, 0, 255), (400, 60, 180), (400, 200, 90), (120, 255, 0), (1500, 20, 250)] {
            let image = normalize(&ring(size, ink, paper)).unwrap();
            let apart = image.pixels().zip(expected.pixels()).map(|(one, other)| one.0[0].abs_diff(other.0[0]));
            let mean = apart.map(f64::from).sum::<f64>() / f64::from(SIDE * SIDE);
            assert!(mean < 12.0, "{size} {ink} {paper}: {mean}");
        }
    }

    #[test]
    fn nothing_is_seen_on_an_empty_page() {
        assert_eq!(normalize(&GrayImage::from_pixel(300, 200, Luma([240]))), None);
        assert_eq!(normalize(&GrayImage::new(SIDE, SIDE)), None);
        assert_eq!(normalize(&GrayImage::from_pixel(1, 1, Luma([7]))), None);
    }
}
