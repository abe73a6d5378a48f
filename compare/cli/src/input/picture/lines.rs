//! Straight lines that cross the whole picture: those of ruled and squared paper, and frames along the edge.

use std::ops::Range;

use super::contrast::Contrast;
use super::marks::median;

/// Fraction of the greatest contrast from which on a pixel may belong to a line. Lines are often paler than ink.
const LINE_CONTRAST: f32 = 0.25;

/// Fraction of the greatest contrast from which on a line is as dark as ink.
const DARK: f32 = 0.6;

/// Fraction of the picture's width that a horizontal line covers at least; of its height, for a vertical line.
const COVERAGE: f64 = 0.85;

/// Largest thickness of a line, as a fraction of the picture's height or width.
const MAX_THICKNESS: f64 = 0.05;

/// Pixels of a line, except where something darker or thicker crosses it.
pub(super) struct Line {
    pub(super) pixels: Vec<(u32, u32)>,
    /// Thickness in pixels.
    pub(super) thickness: u32,
    /// True if the line is as dark as ink.
    pub(super) is_dark: bool,
}

/// A picture, with the direction in which lines are searched.
struct Direction<'a> {
    contrast: &'a Contrast,
    /// The greatest contrast of the picture.
    greatest: f32,
    /// Sides of the picture along and across the lines, in pixels.
    along: u32,
    across: u32,
    is_vertical: bool,
}

/// Returns the lines of a picture.
pub(super) fn find(contrast: &Contrast) -> Vec<Line> {
    let (width, height) = contrast.dimensions();
    let greatest = contrast.greatest();
    let horizontal = Direction { contrast, greatest, along: width, across: height, is_vertical: false };
    let vertical = Direction { contrast, greatest, along: height, across: width, is_vertical: true };
    [horizontal, vertical].iter().flat_map(Direction::lines).collect()
}

impl Direction<'_> {
    /// Returns the lines in this direction.
    fn lines(&self) -> Vec<Line> {
        // A line may be off by one pixel, because no photograph is perfectly straight.
        let is_covered = |across: &u32| {
            let near = across.saturating_sub(1)..(across + 2).min(self.across);
            let covered =
                (0..self.along).filter(|&along| near.clone().any(|across| self.is_ink(along, across))).count();
            covered as f64 >= COVERAGE * f64::from(self.along)
        };
        let covered: Vec<u32> = (0..self.across).filter(is_covered).collect();
        covered.chunk_by(|one, next| one + 1 == *next).filter_map(|band| self.line(band)).collect()
    }

    /// Returns the line within a band of rows or columns, or `None` if it is too thick for a line.
    fn line(&self, band: &[u32]) -> Option<Line> {
        let runs: Vec<(u32, Range<u32>)> =
            (0..self.along).filter_map(|along| Some((along, self.run(along, band)?))).collect();
        let peak = |along: u32, run: Range<u32>| run.map(|across| self.level(along, across)).fold(0.0, f32::max);
        let thickness = median(runs.iter().map(|(_, run)| run.len() as u32).collect());
        let level = median(runs.iter().map(|(along, run)| peak(*along, run.clone()) as u32).collect()) as f32;
        if f64::from(thickness) > MAX_THICKNESS * f64::from(self.across) {
            return None;
        }
        let is_line = |&(along, run): &&(u32, Range<u32>)| {
            run.len() as u32 <= thickness + thickness / 2 + 1 && peak(*along, run.clone()) <= 1.3 * level + 1.0
        };
        let pixels = runs.iter().filter(|run| is_line(run));
        let pixels = pixels.flat_map(|(along, run)| run.clone().map(|across| self.pixel(*along, across))).collect();
        Some(Line { pixels, thickness, is_dark: level >= DARK * self.greatest })
    }

    /// Returns the ink across a band at one position along it, with what continues it on both sides.
    fn run(&self, along: u32, band: &[u32]) -> Option<Range<u32>> {
        let start = *band.iter().find(|across| self.is_ink(along, **across))?;
        let is_paper = |across: &u32| !self.is_ink(along, *across);
        let before = (0..start).rev().find(is_paper).map_or(0, |across| across + 1);
        let behind = (start..self.across).find(is_paper).unwrap_or(self.across);
        Some(before..behind)
    }

    /// Returns x and y of a pixel.
    fn pixel(&self, along: u32, across: u32) -> (u32, u32) {
        if self.is_vertical { (across, along) } else { (along, across) }
    }

    fn level(&self, along: u32, across: u32) -> f32 {
        let (x, y) = self.pixel(along, across);
        self.contrast.at(x, y)
    }

    fn is_ink(&self, along: u32, across: u32) -> bool {
        self.level(along, across) >= LINE_CONTRAST * self.greatest
    }
}
