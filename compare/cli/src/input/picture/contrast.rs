//! The contrast of each pixel with the paper.
//!
//! Light is seldom even: it comes from one side, or fades towards the corners. The paper is therefore modelled as a
//! quadratic surface, fitted to the pixels close to it; ink, frames and the table around the paper are not.

use image::imageops::{self, FilterType};
use image::{GrayImage, ImageBuffer, Luma};

/// Longest side of a picture that is processed at full size, in pixels. Larger pictures are shrunk to it first, which
/// also averages out noise.
pub(super) const MAX_SIDE: u32 = 280;

/// Smallest contrast that counts as ink, in grey levels.
pub(super) const MIN_CONTRAST: u8 = 32;

/// Number of times that the surface is fitted. Each fit reaches pixels that were too far from the one before.
const FITS: usize = 8;

/// Number of terms of a quadratic surface.
const TERMS: usize = 6;

/// Longest side of a picture whose contrast is not smoothed, in pixels: its strokes are only a few pixels wide.
const MAX_UNSMOOTHED: u32 = 100;

type Plane = ImageBuffer<Luma<f32>, Vec<f32>>;

/// The contrast of each pixel with the paper in grey levels, positive for ink.
pub(super) struct Contrast {
    sharp: Plane,
    /// The same without noise.
    smooth: Plane,
}

impl Contrast {
    /// Computes the contrast of a picture, which is shrunk to [`MAX_SIDE`]. Ink is either darker or lighter than the paper,
    /// whichever has the greater contrast.
    pub(super) fn of(picture: &GrayImage) -> Self {
        let picture = shrink(picture);
        let paper = paper(&picture);
        let darker = Plane::from_fn(picture.width(), picture.height(), |x, y| {
            Luma([value(&paper, terms(&picture, x, y)) as f32 - f32::from(picture.get_pixel(x, y).0[0])])
        });
        let smooth = smooth(&darker);
        let [darkest, lightest] =
            smooth.pixels().fold([0.0_f32; 2], |[dark, light], pixel| [dark.max(pixel.0[0]), light.max(-pixel.0[0])]);
        let sign = if darkest >= lightest { 1.0 } else { -1.0 };
        let [sharp, smooth] = [darker, smooth].map(|mut plane| {
            plane.iter_mut().for_each(|level| *level = (*level * sign).max(0.0));
            plane
        });
        Self { sharp, smooth }
    }

    /// Returns width and height in pixels.
    pub(super) fn dimensions(&self) -> (u32, u32) {
        self.smooth.dimensions()
    }

    /// Returns the smoothed contrast of a pixel.
    pub(super) fn at(&self, x: u32, y: u32) -> f32 {
        self.smooth.get_pixel(x, y).0[0]
    }

    /// Returns the greatest smoothed contrast.
    pub(super) fn greatest(&self) -> f32 {
        self.smooth.pixels().map(|level| level.0[0]).fold(0.0, f32::max)
    }

    /// Removes pixels, and those up to `margin` pixels from them.
    pub(super) fn erase(&mut self, pixels: &[(u32, u32)], margin: u32) {
        let (width, height) = self.dimensions();
        for &(x, y) in pixels {
            for y in y.saturating_sub(margin)..(y + margin + 1).min(height) {
                for x in x.saturating_sub(margin)..(x + margin + 1).min(width) {
                    self.sharp.put_pixel(x, y, Luma([0.0]));
                    self.smooth.put_pixel(x, y, Luma([0.0]));
                }
            }
        }
    }

    /// Converts the contrast to an amount of ink from 0 to 255. Contrasts up to a quarter of the greatest one count as no
    /// ink, contrasts from three quarters on as full ink, and the amount is linear in between.
    pub(super) fn ink(&self) -> GrayImage {
        let greatest = self.greatest();
        GrayImage::from_fn(self.sharp.width(), self.sharp.height(), |x, y| {
            let contrast = self.sharp.get_pixel(x, y).0[0];
            Luma([((contrast / greatest * 2.0 - 0.5).clamp(0.0, 1.0) * 255.0) as u8])
        })
    }
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

/// Averages the noise of a picture, unless it is so small that strokes would vanish.
fn smooth(plane: &Plane) -> Plane {
    let longest = plane.width().max(plane.height());
    if longest <= MAX_UNSMOOTHED { plane.clone() } else { imageops::blur(plane, longest as f32 / MAX_SIDE as f32) }
}

/// Returns the terms of a quadratic surface at a pixel, whose coordinates are scaled to the range from -1 to 1.
fn terms(picture: &GrayImage, x: u32, y: u32) -> [f64; TERMS] {
    let [x, y] = [(x, picture.width()), (y, picture.height())]
        .map(|(position, side)| (2.0 * f64::from(position) + 1.0) / f64::from(side) - 1.0);
    [1.0, x, y, x * x, x * y, y * y]
}

/// Returns the value of a surface.
fn value(coefficients: &[f64; TERMS], terms: [f64; TERMS]) -> f64 {
    coefficients.iter().zip(terms).map(|(coefficient, term)| coefficient * term).sum::<f64>().clamp(0.0, 255.0)
}

/// Returns the coefficients of the surface that models the paper's grey levels.
///
/// The first surface is the most frequent level, because most pixels are paper. Each following one is fitted to the pixels
/// whose difference from the one before is at most a quarter of the greatest contrast.
fn paper(picture: &GrayImage) -> [f64; TERMS] {
    let mut levels: Vec<u8> = picture.pixels().map(|level| level.0[0]).collect();
    levels.sort_unstable();
    let [lowest, highest] = [levels.first(), levels.last()].map(|level| level.copied().map_or(0.0, f64::from));
    // The middle of the narrowest range of levels that has a third of the pixels. The median would lie between the levels of
    // a sheet and of the table under it, if both cover half of the picture.
    let third = levels.len() / 3;
    let ranges = levels.iter().zip(levels.iter().skip(third));
    let narrowest = ranges.min_by_key(|(first, last)| **last - **first);
    let frequent = narrowest.map_or(0.0, |(first, last)| f64::from(*first).midpoint(f64::from(*last)));
    // Rounding must not exclude the pixels of a picture of one level.
    let tolerance = ((highest - frequent).max(frequent - lowest) / 4.0).max(1.0);
    let mut surface = [frequent, 0.0, 0.0, 0.0, 0.0, 0.0];
    for _ in 0..FITS {
        // Normal equations: a symmetric matrix, with the right-hand side in its last column.
        let mut equations = [[0.0; TERMS + 1]; TERMS];
        for (x, y, level) in picture.enumerate_pixels() {
            let terms = terms(picture, x, y);
            let level = f64::from(level.0[0]);
            if (level - value(&surface, terms)).abs() <= tolerance {
                for (row, factor) in equations.iter_mut().zip(terms) {
                    row.iter_mut().zip(terms.into_iter().chain([level])).for_each(|(sum, term)| *sum += factor * term);
                }
            }
        }
        surface = solve(equations);
    }
    surface
}

/// Solves normal equations by Gaussian elimination. A ridge prefers the flatter of two surfaces that fit about equally well,
/// and makes all pivots positive.
fn solve(mut equations: [[f64; TERMS + 1]; TERMS]) -> [f64; TERMS] {
    let ridge = equations[0][0].max(1.0) * 1e-4;
    for column in 0..TERMS {
        equations[column][column] += if column == 0 { f64::MIN_POSITIVE } else { ridge };
        let pivot = equations[column];
        for (_, row) in equations.iter_mut().enumerate().filter(|(index, _)| *index != column) {
            let factor = row[column] / pivot[column];
            row.iter_mut().zip(pivot).for_each(|(value, other)| *value -= factor * other);
        }
    }
    std::array::from_fn(|index| equations[index][TERMS] / equations[index][index])
}
