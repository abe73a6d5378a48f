//! Plots, as SVG and PNG, with the values in a CSV file beside them.

mod growth;

use std::path::Path;

use mlp_parity::file::write_atomically;
use mlp_parity_compare::Result;
use plotters::backend::{BitMapBackend, SVGBackend};
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea};
use plotters::prelude::DrawingBackend;
use plotters::style::{FontStyle, RGBColor, WHITE, register_font};

pub(crate) use growth::growth;

/// The one font, so that a plot looks the same on every machine.
const FONT: &[u8] = include_bytes!("plot/DejaVuSans-subset.ttf");

/// Colours that are told apart with every kind of colour vision (Okabe and Ito 2008).
const PALETTE: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
];

/// What stays in the background.
const GREY: RGBColor = RGBColor(120, 120, 120);

/// A plot of some size that can be drawn anywhere.
trait Plot {
    /// Width and height, in pixels.
    fn size(&self) -> (u32, u32);

    /// Draws it.
    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> Drawn<B>;
}

type Drawn<B> = Result<(), DrawingAreaErrorKind<<B as DrawingBackend>::ErrorType>>;

/// Writes a plot as `name.svg` and `name.png`.
fn write(plot: &impl Plot, folder: &Path, name: &str) -> Result<()> {
    let path = |extension: &str| folder.join(format!("{name}.{extension}"));
    let failed = |error: String| mlp_parity::Error::io("draw", &path("svg"))(std::io::Error::other(error));
    register_font("sans-serif", FontStyle::Normal, FONT).map_err(|_| failed("the font is damaged".to_owned()))?;
    let size = plot.size();

    let mut svg = String::new();
    draw(plot, SVGBackend::with_string(&mut svg, size)).map_err(&failed)?;
    write_atomically(&path("svg"), svg.as_bytes())?;

    let mut pixels = vec![0; 3 * size.0 as usize * size.1 as usize];
    draw(plot, BitMapBackend::with_buffer(&mut pixels, size)).map_err(&failed)?;
    let png = encode(&pixels, size).map_err(|error| failed(error.to_string()))?;
    Ok(write_atomically(&path("png"), &png)?)
}

fn draw<B: DrawingBackend>(plot: &impl Plot, backend: B) -> Result<(), String> {
    let area = backend.into_drawing_area();
    let drawn = area.fill(&WHITE).and_then(|()| plot.draw(&area)).and_then(|()| area.present());
    drawn.map_err(|error| error.to_string())
}

fn encode(pixels: &[u8], (width, height): (u32, u32)) -> Result<Vec<u8>, png::EncodingError> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.write_header()?.write_image_data(pixels)?;
    Ok(bytes)
}
