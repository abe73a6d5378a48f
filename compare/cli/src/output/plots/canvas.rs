//! The drawing surface of all plots: one font, a palette, SVG and PNG files.

use std::path::Path;

use mlp_parity::storage::write_atomically;
use plotters::backend::{BitMapBackend, SVGBackend};
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea};
use plotters::element::Text;
use plotters::prelude::DrawingBackend;
use plotters::style::{FontStyle, IntoFont, RGBColor, TextStyle, WHITE, register_font};

use crate::error::{Error, Result};

/// The one font, so that a plot looks the same on every machine.
const FONT: &[u8] = include_bytes!("DejaVuSans-subset.ttf");

/// Colours that are told apart with every kind of colour vision (Okabe and Ito 2008).
pub(super) const PALETTE: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
];

/// What stays in the background.
pub(super) const GREY: RGBColor = RGBColor(120, 120, 120);

/// A plot of some size that can be drawn anywhere.
pub(super) trait Plot {
    /// Width and height, in pixels.
    fn size(&self) -> (u32, u32);

    /// Draws it.
    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> Drawn<B>;
}

pub(super) type Drawn<B> = Result<(), DrawingAreaErrorKind<<B as DrawingBackend>::ErrorType>>;

/// A label at the end of a line.
pub(super) struct Label {
    /// Of the end of the line, in pixels from above.
    pub(super) height: i32,
    pub(super) text: String,
    pub(super) color: RGBColor,
}

/// Between two labels, in pixels.
const LINE_HEIGHT: i32 = 17;

/// Writes each label at the end of its line, or as near as the ones above it allow, and all above `bottom`.
pub(super) fn draw_labels<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    left: i32,
    bottom: i32,
    mut labels: Vec<Label>,
) -> Drawn<B> {
    labels.sort_by_key(|label| label.height);
    let mut free = i32::MIN;
    for label in &mut labels {
        label.height = label.height.max(free);
        free = label.height + LINE_HEIGHT;
    }
    let mut lowest = bottom;
    for label in labels.iter_mut().rev() {
        label.height = label.height.min(lowest);
        lowest = label.height - LINE_HEIGHT;
    }
    let base = area.get_base_pixel();
    for Label { height, text, color } in labels {
        let style = TextStyle::from(("sans-serif", 13).into_font()).color(&color);
        area.draw(&Text::new(text, (left + 10 - base.0, height - 8 - base.1), style))?;
    }
    Ok(())
}

/// Writes a plot as `name.svg` and `name.png`.
pub(super) fn write(plot: &impl Plot, folder: &Path, name: &str) -> Result<()> {
    let path = |extension: &str| folder.join(format!("{name}.{extension}"));
    write_atomically(&path("svg"), svg(plot)?.as_bytes())?;
    Ok(write_atomically(&path("png"), &png(plot)?)?)
}

pub(super) fn svg(plot: &impl Plot) -> Result<String> {
    let mut svg = String::new();
    draw(plot, SVGBackend::with_string(&mut svg, plot.size()))?;
    Ok(svg)
}

pub(super) fn png(plot: &impl Plot) -> Result<Vec<u8>> {
    let size = plot.size();
    let mut pixels = vec![0; 3 * size.0 as usize * size.1 as usize];
    draw(plot, BitMapBackend::with_buffer(&mut pixels, size))?;
    encode(&pixels, size).map_err(|error| failed(error.to_string()))
}

fn failed(reason: String) -> Error {
    mlp_parity::Error::io("draw", Path::new("a plot"))(std::io::Error::other(reason)).into()
}

fn draw<B: DrawingBackend>(plot: &impl Plot, backend: B) -> Result<()> {
    register_font("sans-serif", FontStyle::Normal, FONT).map_err(|_| failed("the font is damaged".to_owned()))?;
    let area = backend.into_drawing_area();
    let drawn = area.fill(&WHITE).and_then(|()| plot.draw(&area)).and_then(|()| area.present());
    drawn.map_err(|error| failed(error.to_string()))
}

fn encode(pixels: &[u8], (width, height): (u32, u32)) -> Result<Vec<u8>, png::EncodingError> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.write_header()?.write_image_data(pixels)?;
    Ok(bytes)
}
