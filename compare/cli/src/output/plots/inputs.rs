//! The images that a network sees.

use std::io::Cursor;
use std::path::Path;

use image::imageops;
use image::{GrayImage, ImageFormat};
use mlp_parity::storage::write_atomically;

use super::canvas::failed;
use crate::error::Result;
use crate::input::picture::Picture;

/// Number of images in a row of the sheet.
const COLUMNS: usize = 10;

/// Writes images as a PNG file, from left to right and from top to bottom.
pub(crate) fn write_inputs(path: &Path, pictures: &[Picture]) -> Result<()> {
    let images: Vec<&GrayImage> = pictures.iter().map(|picture| &picture.image).collect();
    let side = |side: fn(&GrayImage) -> u32| images.iter().map(|image| side(image)).max().unwrap_or(0);
    let [width, height] = [side(GrayImage::width), side(GrayImage::height)];
    let [columns, rows] = [images.len().min(COLUMNS), images.len().div_ceil(COLUMNS)].map(|count| count as u32);
    let mut sheet = GrayImage::new(columns * width, rows * height);
    for (index, image) in images.into_iter().enumerate() {
        let [column, row] = [index % COLUMNS, index / COLUMNS].map(|position| position as i64);
        imageops::replace(&mut sheet, image, column * i64::from(width), row * i64::from(height));
    }
    let mut bytes = Cursor::new(Vec::new());
    sheet.write_to(&mut bytes, ImageFormat::Png).map_err(|error| failed(error.to_string()))?;
    Ok(write_atomically(path, bytes.get_ref())?)
}
