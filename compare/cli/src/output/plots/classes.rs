//! What trained networks take for what.

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

/// What the candidates of a training take for what: `PLAN.PARTICIPANT.confusion.svg` and `.png` for each, and
/// `WHOSE.misclassified.png`, test images that somebody takes for another digit, with everyone's answer.
pub(super) fn classes(test: &Dataset, training: &str, whose: &str, runs: &[&Run], folder: &Path) -> Result<()> {
    for run in runs {
        let name = run.record.identity.to_string();
        let confusion = Confusion { title: &name, counts: &run.record.confusion };
        write(&confusion, folder, &format!("{training}.{}.confusion", name.replace('/', "-")))?;
    }
    let answers = |run: &&Run| Some((run.record.identity.to_string(), run.evaluation.as_ref()?.predictions.clone()));
    let answers: Vec<(String, Vec<usize>)> = runs.iter().filter_map(answers).collect();
    let is_wrong = |&index: &usize| {
        let label = test.labels()[index];
        answers.iter().any(|(_, predictions)| predictions.get(index).is_some_and(|&prediction| prediction != label))
    };
    let all = (0..test.len()).filter(is_wrong).count();
    let images = (0..test.len()).filter(is_wrong).take(Sheet::MOST).collect();
    let sheet = Sheet { test, answers, images, all };
    Ok(write_atomically(&folder.join(format!("{whose}.misclassified.png")), &png(&sheet)?)?)
}

fn text(size: u32, color: &RGBColor) -> TextStyle<'_> {
    let font = ("sans-serif", size).into_font().style(FontStyle::Normal);
    TextStyle::from(font).color(color).pos(Pos::new(HPos::Center, VPos::Center))
}

/// Test images by label (rows) and predicted class.
struct Confusion<'a> {
    title: &'a str,
    counts: &'a [Vec<usize>],
}

impl Confusion<'_> {
    /// Of one cell, in pixels.
    const CELL: i32 = 44;
    /// Room for titles above and on the left.
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
            format!("{}: label (down) taken for (across)", self.title),
            (middle, 20),
            text(15, &BLACK),
        ))?;
        for (label, row) in self.counts.iter().enumerate() {
            let [across, down] =
                [(place(label) + Self::CELL / 2, place(0) - 14), (place(0) - 14, place(label) + Self::CELL / 2)];
            for at in [across, down] {
                area.draw(&Text::new(label.to_string(), at, text(15, &BLACK)))?;
            }
            let images: usize = row.iter().sum();
            for (class, &count) in row.iter().enumerate() {
                let (left, top) = (place(class), place(label));
                // Logarithmic, so that a single mistake can be seen.
                let share = f64::from(count as u32).ln_1p() / f64::from(images.max(1) as u32).ln_1p();
                let color = if class == label { PALETTE[0] } else { PALETTE[1] };
                let cell = [(left + 1, top + 1), (left + Self::CELL - 1, top + Self::CELL - 1)];
                area.draw(&Rectangle::new(cell, color.mix(share).filled()))?;
                if count > 0 {
                    let ink = if share > 0.6 { &WHITE } else { &BLACK };
                    let at = (left + Self::CELL / 2, top + Self::CELL / 2);
                    area.draw(&Text::new(count.to_string(), at, text(13, ink)))?;
                }
            }
        }
        Ok(())
    }
}

/// Images side by side, each with its label and the answers.
struct Sheet<'a> {
    test: &'a Dataset,
    answers: Vec<(String, Vec<usize>)>,
    images: Vec<usize>,
    /// Of which these are the first.
    all: usize,
}

impl Sheet<'_> {
    const MOST: usize = 60;
    const COLUMNS: usize = 12;
    /// Pixels for each pixel.
    const ZOOM: i32 = 2;
    /// Between images, and for the text below each.
    const GAP: i32 = 12;
    const LINE: i32 = 18;
    const TITLE: i32 = 40;

    /// Of one image with what belongs to it.
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
        let names: Vec<&str> = self.answers.iter().map(|(name, _)| name.as_str()).collect();
        let (shown, names) = (self.images.len(), names.join(" "));
        let title = format!("the first {shown} of {} images that somebody gets wrong: label → {names}", self.all);
        area.draw(&Text::new(title, (self.size().0 as i32 / 2, Self::TITLE / 2), text(15, &BLACK)))?;
        let (width, height) = self.cell();
        let [_, columns] = self.test.image_shape();
        for (place, &index) in self.images.iter().enumerate() {
            let left = Self::GAP + width * (place % Self::COLUMNS) as i32;
            let top = Self::TITLE + height * (place / Self::COLUMNS) as i32;
            for (pixel, &level) in self.test.image(index).iter().enumerate() {
                let [x, y] =
                    [left + (pixel % columns) as i32 * Self::ZOOM, top + (pixel / columns) as i32 * Self::ZOOM];
                let level = 255 - level;
                let square = [(x, y), (x + Self::ZOOM, y + Self::ZOOM)];
                area.draw(&Rectangle::new(square, RGBColor(level, level, level).filled()))?;
            }
            let answers = self.answers.iter().filter_map(|(_, predictions)| predictions.get(index));
            let answers: Vec<String> = answers.map(usize::to_string).collect();
            let below = format!("{} → {}", self.test.labels()[index], answers.join(" "));
            let at = (left + (width - Self::GAP) / 2, top + height - Self::GAP - Self::LINE / 2);
            area.draw(&Text::new(below, at, text(13, &BLACK)))?;
        }
        Ok(())
    }
}
