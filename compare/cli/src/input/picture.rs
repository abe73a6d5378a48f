//! Conversion of drawings and photographs of digits to MNIST's image format.
//!
//! MNIST's images were "size normalized to fit in a 20x20 pixel box while preserving their aspect ratio", which
//! introduces grey levels, "and centered in a 28x28 image by computing the center of mass of the pixels" (LeCun,
//! Cortes, Burges: The MNIST database of handwritten digits). Pictures of any size are processed in the same way, after
//! the ink has been separated from the background.

use std::path::Path;

use image::imageops::{self, FilterType};
use image::{GrayAlphaImage, GrayImage, Luma};
use mlp_parity::mnist::idx;
use mlp_parity::storage::read_file;

use super::decode::{PixelLimit, decode};
use crate::error::Result;

/// Height and width of an MNIST image, in pixels.
const SIDE: u32 = 28;

/// Height and width of the box into which a digit is scaled, in pixels.
const BOX: u32 = 20;

/// Longest side of a picture that is processed at full size, in pixels. Larger pictures are shrunk to it first, which
/// also averages out noise.
const MAX_SIDE: u32 = 10 * SIDE;

/// Smallest difference from the background, in grey levels, that counts as ink.
const MIN_CONTRAST: u8 = 32;

/// An image in the format that networks classify: grey levels as in MNIST, and a name to show with the result.
pub(crate) struct Picture {
    /// Path of the file; for an IDX file, with the index of the image, as in `images[3]`.
    pub(crate) name: String,
    /// Grey levels in row-major order, 0 for the background and 255 for ink, as in MNIST.
    pub(crate) pixels: Vec<u8>,
}

/// Reads a PNG or JPEG file and converts it to one MNIST-like image, or reads all images of an IDX file (gzipped or
/// not) unchanged. `inputs` is the number of pixels that the network expects.
///
/// # Errors
///
/// If the file cannot be read, is incomplete or has another format, exceeds `limit`, the images do not have `inputs`
/// pixels, or the picture has too little contrast to contain a digit.
pub(crate) fn read(path: &Path, inputs: usize, limit: PixelLimit) -> Result<Vec<Picture>> {
    let name = path.display().to_string();
    let bytes = read_file(path, limit.file_length())?;
    let invalid = |reason: String| mlp_parity::Error::data(&name, reason);
    let check_inputs = |pixels: usize| {
        let reason = || format!("an image has {pixels} pixels, but the network has {inputs} inputs");
        if pixels == inputs { Ok(()) } else { Err(invalid(reason())) }
    };
    // The magic numbers of IDX (unsigned bytes) and gzip.
    if bytes.starts_with(&[0, 0, 8]) || bytes.starts_with(&[0x1f, 0x8b]) {
        let (pixels, [count, rows, columns]) = idx::parse_images(idx::decompress(bytes, true, &name)?, &name)?;
        let claim = format!("{count} images of {rows} × {columns} pixels");
        limit.check(&claim, pixels.len() as u64).map_err(invalid)?;
        check_inputs(rows * columns)?;
        let images = pixels.chunks(rows * columns).enumerate();
        return Ok(images
            .map(|(index, pixels)| Picture { name: format!("{name}[{index}]"), pixels: pixels.to_vec() })
            .collect());
    }
    check_inputs((SIDE * SIDE) as usize)?;
    if is_truncated_jpeg(&bytes) {
        return Err(invalid("truncated JPEG: the end-of-image marker is missing".to_owned()).into());
    }
    let picture = decode(bytes, limit).map_err(invalid)?;
    // Transparent pixels take the colour behind them: white for dark ink, and black if the ink is invisible on white.
    let mut images = [255, 0].into_iter().filter_map(|backdrop| normalize(&flatten(&picture, backdrop)));
    let image = images.next().ok_or_else(|| {
        invalid(format!("no digit found: no pixel differs from the background by at least {MIN_CONTRAST} grey levels"))
    })?;
    Ok(vec![Picture { name, pixels: image.into_raw() }])
}

/// Returns true if the bytes are a JPEG without an end-of-image marker (0xFFD9) after the last start of a scan
/// (0xFFDA). The decoder does not report such a truncated file but fills the missing part with grey.
fn is_truncated_jpeg(bytes: &[u8]) -> bool {
    let last_position = |marker: u8| bytes.windows(2).rposition(|window| window == [0xff, marker]);
    bytes.starts_with(&[0xff, 0xd8]) && last_position(0xd9) < last_position(0xda)
}

/// Blends the transparent pixels of a picture with the grey level `backdrop`.
fn flatten(picture: &GrayAlphaImage, backdrop: u8) -> GrayImage {
    GrayImage::from_fn(picture.width(), picture.height(), |x, y| {
        let [level, alpha] = picture.get_pixel(x, y).0.map(u32::from);
        Luma([((level * alpha + u32::from(backdrop) * (255 - alpha)) / 255) as u8])
    })
}

/// Converts a grey picture to an MNIST-like image; `None` if no ink can be separated from the background.
fn normalize(picture: &GrayImage) -> Option<GrayImage> {
    let small = shrink(picture);
    let background = background(&small);
    let digit = crop(&ink(&small, background)?)?;
    let scale = f64::from(BOX) / f64::from(digit.width().max(digit.height()));
    let [width, height] = [digit.width(), digit.height()].map(|side| ((f64::from(side) * scale).round() as u32).max(1));
    let digit = stretch_contrast(&imageops::resize(&digit, width, height, FilterType::Triangle));
    let mut image = GrayImage::new(SIDE, SIDE);
    let centers = [(width, center_of_mass(&digit, |x, _| x)), (height, center_of_mass(&digit, |_, y| y))];
    let [left, top] = centers.map(|(side, center)| {
        // Centre the mass, but keep the whole digit inside the image.
        let start = (f64::from(SIDE) / 2.0 - center).round() as i64;
        start.clamp(0, i64::from(SIDE - side))
    });
    imageops::replace(&mut image, &digit, left, top);
    Some(image)
}

/// Shrinks a picture so that its longer side is at most [`MAX_SIDE`] pixels.
fn shrink(picture: &GrayImage) -> GrayImage {
    let longest = picture.width().max(picture.height());
    if longest <= MAX_SIDE {
        return picture.clone();
    }
    let side = |side: u32| (u64::from(side) * u64::from(MAX_SIDE) / u64::from(longest)).max(1) as u32;
    imageops::resize(picture, side(picture.width()), side(picture.height()), FilterType::Triangle)
}

/// Returns the grey level of the background: the median of the pixels along the edge.
fn background(picture: &GrayImage) -> u8 {
    let (width, height) = picture.dimensions();
    let is_edge = |x, y| x == 0 || y == 0 || x + 1 == width || y + 1 == height;
    let pixels = picture.enumerate_pixels().filter(|&(x, y, _)| is_edge(x, y));
    let mut levels: Vec<u8> = pixels.map(|(_, _, Luma([level]))| *level).collect();
    levels.sort_unstable();
    levels.get(levels.len() / 2).copied().unwrap_or(0)
}

/// Converts grey levels to an amount of ink, from 0 to 255; `None` if the contrast is below [`MIN_CONTRAST`].
///
/// Ink is either darker or lighter than the background, whichever has the greater contrast. Contrasts up to a quarter
/// of the greatest one count as no ink, contrasts from three quarters on as full ink, and the amount is linear in
/// between.
fn ink(picture: &GrayImage, background: u8) -> Option<GrayImage> {
    let [darkest, lightest] =
        picture.pixels().fold([255, 0], |[low, high], Luma([level])| [low.min(*level), high.max(*level)]);
    let [dark_contrast, light_contrast] = [background - darkest.min(background), lightest.max(background) - background];
    let greatest = dark_contrast.max(light_contrast);
    let is_dark = dark_contrast > light_contrast;
    let amount = |level: u8| {
        let contrast = if is_dark { background.saturating_sub(level) } else { level.saturating_sub(background) };
        ((f32::from(contrast) / f32::from(greatest) * 2.0 - 0.5).clamp(0.0, 1.0) * 255.0) as u8
    };
    (greatest >= MIN_CONTRAST).then(|| {
        GrayImage::from_fn(picture.width(), picture.height(), |x, y| Luma([amount(picture.get_pixel(x, y).0[0])]))
    })
}

/// Returns the part of a picture within the bounding box of all pixels with at least half the full amount of ink;
/// `None` if there are none.
fn crop(picture: &GrayImage) -> Option<GrayImage> {
    let inked = || picture.enumerate_pixels().filter(|(_, _, Luma([level]))| *level >= 128);
    let [left, right] = [inked().map(|(x, ..)| x).min()?, inked().map(|(x, ..)| x).max()?];
    let [top, bottom] = [inked().map(|(_, y, _)| y).min()?, inked().map(|(_, y, _)| y).max()?];
    Some(imageops::crop_imm(picture, left, top, right - left + 1, bottom - top + 1).to_image())
}

/// Scales the amounts of ink so that the greatest becomes 255. This restores thin lines, which become pale when a
/// picture is scaled down.
fn stretch_contrast(picture: &GrayImage) -> GrayImage {
    let highest = picture.pixels().map(|Luma([level])| u32::from(*level)).max().unwrap_or(0).max(1);
    GrayImage::from_fn(picture.width(), picture.height(), |x, y| {
        Luma([(u32::from(picture.get_pixel(x, y).0[0]) * 255 / highest) as u8])
    })
}

/// Returns one coordinate of the centre of mass of the ink, in pixels. `axis` selects the coordinate of a pixel from
/// its x and y.
fn center_of_mass(picture: &GrayImage, axis: fn(u32, u32) -> u32) -> f64 {
    let weights =
        || picture.enumerate_pixels().map(|(x, y, Luma([level]))| (f64::from(axis(x, y)) + 0.5, f64::from(*level)));
    let total: f64 = weights().map(|(_, weight)| weight).sum();
    weights().map(|(position, weight)| position * weight).sum::<f64>() / total.max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Draws a ring off the centre of a square picture; `size` is the picture's side in pixels.
    fn ring(size: u32, ink: u8, paper: u8) -> GrayImage {
        let (middle, radius) = (f64::from(size) * 0.35, f64::from(size) * 0.2);
        GrayImage::from_fn(size, size, |x, y| {
            let distance = (f64::from(x) - middle).hypot(f64::from(y) - middle);
            Luma([if (distance - radius).abs() < f64::from(size) / 25.0 { ink } else { paper }])
        })
    }

    #[test]
    fn normalize_is_independent_of_colors_and_size() {
        let expected = normalize(&ring(400, 255, 0)).unwrap();
        assert_eq!(expected.dimensions(), (SIDE, SIDE));
        let [x, y] = [center_of_mass(&expected, |x, _| x), center_of_mass(&expected, |_, y| y)];
        assert!((x - 14.0).abs() <= 0.5 && (y - 14.0).abs() <= 0.5, "{x} {y}");
        let inked: Vec<u32> =
            expected.enumerate_pixels().filter(|(.., level)| level.0[0] > 0).map(|(x, ..)| x).collect();
        let [first, last] = [inked.iter().min().unwrap(), inked.iter().max().unwrap()];
        assert_eq!(last - first + 1, BOX);
        for (size, ink, paper) in [(400, 0, 255), (400, 60, 180), (400, 200, 90), (120, 255, 0), (1500, 20, 250)] {
            let image = normalize(&ring(size, ink, paper)).unwrap();
            let differences = image.pixels().zip(expected.pixels()).map(|(one, other)| one.0[0].abs_diff(other.0[0]));
            let mean = differences.map(f64::from).sum::<f64>() / f64::from(SIDE * SIDE);
            assert!(mean < 12.0, "{size} {ink} {paper}: {mean}");
        }
    }

    #[test]
    fn normalize_finds_no_digit_on_blank_page() {
        assert_eq!(normalize(&GrayImage::from_pixel(300, 200, Luma([240]))), None);
        assert_eq!(normalize(&GrayImage::new(SIDE, SIDE)), None);
        assert_eq!(normalize(&GrayImage::from_pixel(1, 1, Luma([7]))), None);
    }
}
