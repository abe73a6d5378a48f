//! Conversion of drawings and photographs of digits to MNIST's image format.
//!
//! A file is decoded ([`decode`]), the paper is separated from the ink ([`contrast`]), and the ink of one digit from
//! everything else ([`digit`]). The digit is then scaled and centred as MNIST's digits were ([`normalize`]).

mod border;
mod contrast;
mod decode;
mod digit;
mod formats;
mod jpeg;
mod lines;
mod marks;
mod normalize;
mod sheet;
mod strokes;

use std::path::Path;

use image::{GrayImage, Luma, RgbaImage};
use mlp_parity::mnist::idx;
use mlp_parity::storage::read_file;

use crate::error::Result;
pub(crate) use decode::PixelLimit;
use normalize::SIDE;

/// Weights of red, green and blue for one grey level. A picture is first read by its brightness. If ink and paper are
/// equally bright, they differ in one of the colours.
const WEIGHTS: [[u32; 3]; 4] = [[2126, 7152, 722], [10_000, 0, 0], [0, 10_000, 0], [0, 0, 10_000]];

/// An image in the format that networks classify, with a name to show with the result.
pub(crate) struct Picture {
    /// Path of the file; for an IDX file, with the index of the image, as in `images[3]`.
    pub(crate) name: String,
    /// Grey levels, 0 for the background and 255 for ink, as in MNIST.
    pub(crate) image: GrayImage,
    /// A defect of the file that did not prevent reading it.
    pub(crate) warning: Option<&'static str>,
}

/// Reads a picture and converts it to one MNIST-like image, or reads all images of an IDX file (gzipped or not) unchanged.
/// `inputs` is the number of pixels that the network expects.
///
/// # Errors
///
/// If the file cannot be read, is incomplete or has another format, exceeds `limit`, the images do not have `inputs`
/// pixels, or the picture does not contain exactly one digit.
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
        let image = |pixels: &[u8]| GrayImage::from_raw(columns as u32, rows as u32, pixels.to_vec());
        let images = pixels.chunks(rows * columns).filter_map(image).enumerate();
        return Ok(images
            .map(|(index, image)| Picture { name: format!("{name}[{index}]"), image, warning: None })
            .collect());
    }
    check_inputs((SIDE * SIDE) as usize)?;
    let decoded = decode::decode(bytes, limit).map_err(invalid)?;
    let image = convert(&decoded.pixels).map_err(invalid)?;
    Ok(vec![Picture { name, image, warning: decoded.warning }])
}

/// Converts a picture of one digit to an MNIST-like image.
fn convert(picture: &RgbaImage) -> Result<GrayImage, String> {
    // Transparent pixels take the colour behind them: white for dark ink, and black if the ink is invisible on white.
    let is_opaque = picture.pixels().all(|pixel| pixel.0[3] == 255);
    let backdrops: &[u32] = if is_opaque { &[255] } else { &[255, 0] };
    for weights in WEIGHTS {
        for &backdrop in backdrops {
            let digit = digit::find(&flatten(picture, backdrop, weights))?;
            if let Some(image) = digit.as_ref().and_then(normalize::normalize) {
                return Ok(image);
            }
        }
    }
    Err("no digit found: the picture seems to be empty, or the digit is too small or too pale; crop the picture to one digit"
        .to_owned())
}

/// Blends the transparent pixels of a picture with the grey level `backdrop`, and converts its colours to grey levels.
fn flatten(picture: &RgbaImage, backdrop: u32, weights: [u32; 3]) -> GrayImage {
    GrayImage::from_fn(picture.width(), picture.height(), |x, y| {
        let [red, green, blue, alpha] = picture.get_pixel(x, y).0.map(u32::from);
        let level = (red * weights[0] + green * weights[1] + blue * weights[2]) / 10_000;
        Luma([((level * alpha + backdrop * (255 - alpha)) / 255) as u8])
    })
}
