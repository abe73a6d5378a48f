//! Drawing basics that all plots share: the font, the palette, labels, and SVG and PNG output.

use std::path::Path;

use mlp_parity::storage::write_atomically;
use plotters::backend::{BitMapBackend, SVGBackend};
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea};
use plotters::element::Text;
use plotters::prelude::DrawingBackend;
use plotters::style::{FontStyle, IntoFont, RGBColor, TextStyle, WHITE, register_font};

use crate::error::{Error, Result};
use crate::output::escape;

/// The font of all plots, embedded so that plots look the same on every machine.
const FONT: &[u8] = include_bytes!("DejaVuSans-subset.ttf");

/// Colors that remain distinguishable with all kinds of color blindness (Okabe and Ito 2008).
pub(super) const PALETTE: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
];

/// The color of reference lines in the background.
pub(super) const GREY: RGBColor = RGBColor(120, 120, 120);

/// A plot of a fixed size, for any drawing backend.
pub(super) trait Plot {
    /// Returns the width and height, in pixels.
    fn size(&self) -> (u32, u32);

    /// Draws the plot on an area of that size.
    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> Drawn<B>;
}

/// Layout of a figure, which determines its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// In a file of its own, with the explanation below the plot.
    File,
    /// In a page on a wide screen.
    Wide,
    /// In a page on a telephone.
    Narrow,
}

/// The result of drawing on backend `B`.
pub(super) type Drawn<B> = Result<(), DrawingAreaErrorKind<<B as DrawingBackend>::ErrorType>>;

/// A label at the end of a line.
pub(super) struct Label {
    /// Vertical position of the end of the line, in pixels from the top.
    pub(super) y: i32,
    pub(super) text: String,
    pub(super) color: RGBColor,
}

/// Style sheet of SVG files and of the pages that contain them: lighter colors on dark pages, which show through the plots.
const DARK_COLORS: &str = r##"<style>
:root { color-scheme: light dark; }
@media (prefers-color-scheme: dark) {
svg [fill="#FFFFFF"] { fill: #14171b; } svg [fill="#000000"] { fill: #e6e8eb; } svg [stroke="#000000"] { stroke: #e6e8eb; }
svg [fill="#0072B2"] { fill: #3d9be9; } svg [stroke="#0072B2"] { stroke: #3d9be9; }
svg [fill="#D55E00"] { fill: #ff8a3d; } svg [stroke="#D55E00"] { stroke: #ff8a3d; }
svg [fill="#009E73"] { fill: #2fd0a2; } svg [stroke="#009E73"] { stroke: #2fd0a2; }
svg [fill="#CC79A7"] { fill: #e59ac5; } svg [stroke="#CC79A7"] { stroke: #e59ac5; }
svg [fill="#E69F00"] { fill: #ffc04d; } svg [stroke="#E69F00"] { stroke: #ffc04d; }
svg [fill="#56B4E9"] { fill: #9bd5f7; } svg [stroke="#56B4E9"] { stroke: #9bd5f7; }
svg [fill="#787878"] { fill: #9aa0a8; } svg [stroke="#787878"] { stroke: #9aa0a8; }
}
</style>"##;

/// Minimum distance between two labels, in pixels.
const LINE_HEIGHT: i32 = 17;

/// Draws labels beside the ends of their lines, to the right of `left`. Labels that would overlap are moved down, and
/// then up again where they would lie below `bottom`.
pub(super) fn draw_labels<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    left: i32,
    bottom: i32,
    mut labels: Vec<Label>,
) -> Drawn<B> {
    labels.sort_by_key(|label| label.y);
    let mut min_y = i32::MIN;
    for label in &mut labels {
        label.y = label.y.max(min_y);
        min_y = label.y + LINE_HEIGHT;
    }
    let mut max_y = bottom;
    for label in labels.iter_mut().rev() {
        label.y = label.y.min(max_y);
        max_y = label.y - LINE_HEIGHT;
    }
    // The positions refer to the whole plot, but an area draws relative to its own corner.
    let base = area.get_base_pixel();
    for Label { y, text, color } in labels {
        let style = TextStyle::from(("sans-serif", 13).into_font()).color(&color);
        area.draw(&Text::new(text, (left + 10 - base.0, y - 8 - base.1), style))?;
    }
    Ok(())
}

/// Writes a plot into a folder as `name.svg` and `name.png`.
pub(super) fn write(plot: &impl Plot, folder: &Path, name: &str) -> Result<()> {
    let path = |extension: &str| folder.join(format!("{name}.{extension}"));
    write_atomically(&path("svg"), svg(plot)?.as_bytes())?;
    Ok(write_atomically(&path("png"), &png(plot)?)?)
}

/// Returns a plot without a background, as SVG text.
pub(super) fn svg(plot: &impl Plot) -> Result<String> {
    let mut svg = String::new();
    draw(plot, &SVGBackend::with_string(&mut svg, plot.size()).into_drawing_area())?;
    let svg = escape::text(&svg);
    let (start, rest) = svg.split_once(">\n").unwrap_or(("", &svg));
    Ok(format!("{start}>\n{DARK_COLORS}\n{rest}"))
}

/// Returns a plot on a white background, as the bytes of a PNG file.
pub(super) fn png(plot: &impl Plot) -> Result<Vec<u8>> {
    let size = plot.size();
    let mut pixels = vec![0; 3 * size.0 as usize * size.1 as usize];
    let area = BitMapBackend::with_buffer(&mut pixels, size).into_drawing_area();
    area.fill(&WHITE).map_err(|error| failed(error.to_string()))?;
    draw(plot, &area)?;
    drop(area);
    encode(&pixels, size).map_err(|error| failed(error.to_string()))
}

pub(super) fn failed(reason: String) -> Error {
    mlp_parity::Error::io("draw", Path::new("a plot"))(std::io::Error::other(reason)).into()
}

fn draw<B: DrawingBackend>(plot: &impl Plot, area: &DrawingArea<B, Shift>) -> Result<()> {
    register_font("sans-serif", FontStyle::Normal, FONT)
        .map_err(|_| failed("the embedded font is damaged".to_owned()))?;
    plot.draw(area).and_then(|()| area.present()).map_err(|error| failed(error.to_string()))
}

fn encode(pixels: &[u8], (width, height): (u32, u32)) -> Result<Vec<u8>, png::EncodingError> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.write_header()?.write_image_data(pixels)?;
    Ok(bytes)
}
