//! Plots of the predicted classes: confusion matrices, and a sheet of misclassified test images.

use std::path::Path;

use mlp_parity::Dataset;
use mlp_parity::storage::write_atomically;
use mlp_parity_compare::Run;
use plotters::coord::Shift;
use plotters::drawing::DrawingArea;
use plotters::element::{Rectangle, Text};
use plotters::prelude::DrawingBackend;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{BLACK, Color, FontStyle, IntoFont, RGBColor, TextStyle, WHITE};

use super::canvas::{Drawn, PALETTE, Plot, png, write};
use crate::error::Result;

/// Writes the confusion matrix of each run, `TRAINING.CANDIDATE.confusion.svg` and `.png`, and
/// `PREFIX.misclassified.png`: the test images that at least one of the networks misclassifies, with the predictions of
/// all.
pub(super) fn write_classes(test: &Dataset, training: &str, prefix: &str, runs: &[&Run], folder: &Path) -> Result<()> {
    for run in runs {
        let name = run.record.identity.to_string();
        let confusion = Confusion { title: &name, counts: &run.record.confusion };
        write(&confusion, folder, &format!("{training}.{}.confusion", name.replace('/', "-")))?;
    }
    let predictions =
        |run: &&Run| Some((run.record.identity.to_string(), run.evaluation.as_ref()?.predictions.clone()));
    let predictions: Vec<(String, Vec<usize>)> = runs.iter().filter_map(predictions).collect();
    let is_misclassified = |&index: &usize| {
        let label = test.labels()[index];
        let is_wrong = |predictions: &Vec<usize>| predictions.get(index).is_some_and(|&prediction| prediction != label);
        predictions.iter().any(|(_, predictions)| is_wrong(predictions))
    };
    let total = (0..test.len()).filter(is_misclassified).count();
    let images = (0..test.len()).filter(is_misclassified).take(Sheet::MAX_IMAGES).collect();
    let sheet = Sheet { test, predictions, images, total };
    Ok(write_atomically(&folder.join(format!("{prefix}.misclassified.png")), &png(&sheet)?)?)
}

/// Returns the style of centred text.
fn text(size: u32, color: &RGBColor) -> TextStyle<'_> {
    let font = ("sans-serif", size).into_font().style(FontStyle::Normal);
    TextStyle::from(font).color(color).pos(Pos::new(HPos::Center, VPos::Center))
}

/// A confusion matrix: the number of test images by label (rows) and predicted class (columns).
struct Confusion<'a> {
    title: &'a str,
    counts: &'a [Vec<usize>],
}

impl Confusion<'_> {
    /// Width and height of a cell, in pixels.
    const CELL: i32 = 44;
    /// Space for the title and the labels, above and on the left, in pixels.
    const MARGIN: i32 = 64;
}

impl Plot for Confusion<'_> {
    fn size(&self) -> (u32, u32) {
        let side = Self::MARGIN + Self::CELL * self.counts.len() as i32 + 16;
        (side as u32, side as u32)
    }

    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> Drawn<B> {
        let place = |index: usize| Self::MARGIN + Self::CELL * index as i32;
        let middle = place(0) + Self::CELL * self.counts.len() as i32 / 2;
        area.draw(&Text::new(
            format!("{}: rows are labels, columns predictions", self.title),
            (middle, 20),
            text(15, &BLACK),
        ))?;
        for (label, row) in self.counts.iter().enumerate() {
            let [column_title, row_title] =
                [(place(label) + Self::CELL / 2, place(0) - 14), (place(0) - 14, place(label) + Self::CELL / 2)];
            for at in [column_title, row_title] {
                area.draw(&Text::new(label.to_string(), at, text(15, &BLACK)))?;
            }
            let images: usize = row.iter().sum();
            for (class, &count) in row.iter().enumerate() {
                let (left, top) = (place(class), place(label));
                // The intensity is logarithmic, so that even a single misclassified image is visible.
                let intensity = f64::from(count as u32).ln_1p() / f64::from(images.max(1) as u32).ln_1p();
                let color = if class == label { PALETTE[0] } else { PALETTE[1] };
                let cell = [(left + 1, top + 1), (left + Self::CELL - 1, top + Self::CELL - 1)];
                area.draw(&Rectangle::new(cell, color.mix(intensity).filled()))?;
                if count > 0 {
                    let ink = if intensity > 0.6 { &WHITE } else { &BLACK };
                    let at = (left + Self::CELL / 2, top + Self::CELL / 2);
                    area.draw(&Text::new(count.to_string(), at, text(13, ink)))?;
                }
            }
        }
        Ok(())
    }
}

/// A sheet of test images, each with its label and the predictions of all candidates.
struct Sheet<'a> {
    test: &'a Dataset,
    /// Name and predictions of each candidate.
    predictions: Vec<(String, Vec<usize>)>,
    /// Indices of the images on the sheet.
    images: Vec<usize>,
    /// Number of all misclassified images; the sheet shows the first [`MAX_IMAGES`](Self::MAX_IMAGES) of them.
    total: usize,
}

impl Sheet<'_> {
    const MAX_IMAGES: usize = 60;
    const COLUMNS: usize = 12;
    /// Width and height at which each pixel of an image is drawn, in pixels of the sheet.
    const ZOOM: i32 = 2;
    /// Distance between images, in pixels.
    const GAP: i32 = 12;
    /// Height of the text below each image, in pixels.
    const LINE: i32 = 18;
    /// Height of the title, in pixels.
    const TITLE: i32 = 40;

    /// Returns the width and height of an image with its text and gap, in pixels.
    fn cell(&self) -> (i32, i32) {
        let [rows, columns] = self.test.image_shape();
        (columns as i32 * Self::ZOOM + Self::GAP, rows as i32 * Self::ZOOM + Self::LINE + Self::GAP)
    }
}

impl Plot for Sheet<'_> {
    fn size(&self) -> (u32, u32) {
        let (width, height) = self.cell();
        let rows = self.images.len().div_ceil(Self::COLUMNS).max(1) as i32;
        ((width * Self::COLUMNS as i32 + Self::GAP) as u32, (height * rows + Self::TITLE + Self::GAP) as u32)
    }

    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> Drawn<B> {
        let names: Vec<&str> = self.predictions.iter().map(|(name, _)| name.as_str()).collect();
        let (shown, names) = (self.images.len(), names.join(" "));
        let title = format!("first {shown} of {} misclassified test images: label → {names}", self.total);
        area.draw(&Text::new(title, (self.size().0 as i32 / 2, Self::TITLE / 2), text(15, &BLACK)))?;
        let (width, height) = self.cell();
        let [_, columns] = self.test.image_shape();
        for (place, &index) in self.images.iter().enumerate() {
            let left = Self::GAP + width * (place % Self::COLUMNS) as i32;
            let top = Self::TITLE + height * (place / Self::COLUMNS) as i32;
            for (pixel, &level) in self.test.image(index).iter().enumerate() {
                let [x, y] =
                    [left + (pixel % columns) as i32 * Self::ZOOM, top + (pixel / columns) as i32 * Self::ZOOM];
                // MNIST stores ink as 255; the sheet shows it black on white.
                let level = 255 - level;
                let square = [(x, y), (x + Self::ZOOM, y + Self::ZOOM)];
                area.draw(&Rectangle::new(square, RGBColor(level, level, level).filled()))?;
            }
            let predictions = self.predictions.iter().filter_map(|(_, predictions)| predictions.get(index));
            let predictions: Vec<String> = predictions.map(usize::to_string).collect();
            let below = format!("{} → {}", self.test.labels()[index], predictions.join(" "));
            let at = (left + (width - Self::GAP) / 2, top + height - Self::GAP - Self::LINE / 2);
            area.draw(&Text::new(below, at, text(13, &BLACK)))?;
        }
        Ok(())
    }
}
