//! Conversion of a digit's ink to MNIST's image format.
//!
//! MNIST's images were "size normalized to fit in a 20x20 pixel box while preserving their aspect ratio", which
//! introduces grey levels, "and centered in a 28x28 image by computing the center of mass of the pixels" (LeCun,
//! Cortes, Burges: The MNIST database of handwritten digits). Digits of any size are processed in the same way.

use image::imageops::{self, FilterType};
use image::{GrayImage, Luma};

/// Height and width of an MNIST image, in pixels.
pub(super) const SIDE: u32 = 28;

/// Height and width of the box into which a digit is scaled, in pixels.
const BOX: u32 = 20;

/// Scales the ink of a digit to the box, and moves its centre of mass to the centre of an MNIST-like image; `None` if there is
/// no ink.
pub(super) fn normalize(ink: &GrayImage) -> Option<GrayImage> {
    let digit = crop(ink)?;
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
    use super::super::digit::find;
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
        let expected = normalize(&find(&ring(400, 255, 0)).unwrap().unwrap()).unwrap();
        assert_eq!(expected.dimensions(), (SIDE, SIDE));
        let [x, y] = [center_of_mass(&expected, |x, _| x), center_of_mass(&expected, |_, y| y)];
        assert!((x - 14.0).abs() <= 0.5 && (y - 14.0).abs() <= 0.5, "{x} {y}");
        let inked: Vec<u32> =
            expected.enumerate_pixels().filter(|(.., level)| level.0[0] > 0).map(|(x, ..)| x).collect();
        let [first, last] = [inked.iter().min().unwrap(), inked.iter().max().unwrap()];
        assert_eq!(last - first + 1, BOX);
        for (size, ink, paper) in [(400, 0, 255), (400, 60, 180), (400, 200, 90), (120, 255, 0), (1500, 20, 250)] {
            let image = normalize(&find(&ring(size, ink, paper)).unwrap().unwrap()).unwrap();
            let differences = image.pixels().zip(expected.pixels()).map(|(one, other)| one.0[0].abs_diff(other.0[0]));
            let mean = differences.map(f64::from).sum::<f64>() / f64::from(SIDE * SIDE);
            assert!(mean < 12.0, "{size} {ink} {paper}: {mean}");
        }
    }
}
