//! Strict reader for IDX, the file format of MNIST.
//!
//! An IDX file consists of a magic number (`00 00 tt dd` for elements of type `tt` in `dd` dimensions), the length of each
//! dimension as a big-endian 32-bit integer, and the elements in row-major order, also big-endian. The reader rejects files
//! that are shorter or longer than their header declares.
//!
//! Images are unsigned bytes, `[images, rows, columns]`. Images that are stored as rows of pixels, `[images, pixels]`, are
//! read if they are square, and images with one colour channel are read without it. Labels are integers of any type, and
//! those of QMNIST the first of eight columns.

mod element;
mod foreign;
mod gzip;
mod header;
#[cfg(test)]
mod tests;

pub(super) use foreign::{START, identify_format};
pub use foreign::{identify, is_torch_archive};
pub use gzip::{decompress, decompressed_limit};

use self::element::{Element, Kind};
use self::header::Header;
use crate::{Error, Result};

/// Number of columns of QMNIST's labels, of which the first is the class.
const QMNIST_COLUMNS: usize = 8;

/// Images from an IDX file or an array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageArray {
    /// Grey levels in row-major order.
    pub pixels: Vec<u8>,
    /// Numbers of images, rows and columns.
    pub shape: [usize; 3],
    /// The assumption about the shape; `None` if it is that of grey images.
    pub note: Option<String>,
}

/// Length of the last axis, as a multiple of two equal ones before it, from which on it counts images, not columns.
const IMAGES_PER_ROW: usize = 10;

impl ImageArray {
    /// Interprets an array with these dimensions as grey images: `[images, rows, columns]`, `[images, pixels]` if the images
    /// are square, or three dimensions with a channel of length 1 before or after the rows and columns.
    ///
    /// # Errors
    ///
    /// A description of the dimensions that are found and the ones that are expected, if the array has others.
    pub fn new(pixels: Vec<u8>, dimensions: &[usize]) -> Result<Self, String> {
        let side = |pixels: usize| pixels.isqrt();
        let (shape, note) = match *dimensions {
            [rows, columns, count] if rows == columns && count > IMAGES_PER_ROW * rows => {
                return Err(format!(
                    "dimensions are {dimensions:?}; expected [images, rows, columns]: move the axis of the images to the front \
                     with numpy.moveaxis(images, -1, 0)"
                ));
            }
            [count, rows, columns] => ([count, rows, columns], None),
            [count, pixels] if pixels > 1 && side(pixels).pow(2) == pixels => {
                let side = side(pixels);
                let note = format!("images are stored as rows of {pixels} pixels: read as {side} × {side} pixels");
                ([count, side, side], Some(note))
            }
            [count, rows, columns, 1] | [count, 1, rows, columns] => ([count, rows, columns], None),
            [_, _, _, _] => {
                return Err(format!(
                    "images have colour channels (dimensions {dimensions:?}); expected grey images \
                     [images, rows, columns]: average the channels and write them as unsigned bytes"
                ));
            }
            [_, pixels] => {
                return Err(format!(
                    "images are rows of {pixels} pixels, which are not square; expected [images, rows, columns]: reshape \
                     them, or transpose the array if each column is an image"
                ));
            }
            _ => return Err(format!("dimensions are {dimensions:?}; expected images [images, rows, columns]")),
        };
        Ok(Self { pixels, shape, note })
    }
}

/// Parses a whole file of this kind. Returns its header and the bytes after it.
fn read(kind: Kind, mut bytes: Vec<u8>, origin: &str) -> Result<(Header, Vec<u8>)> {
    let header = Header::parse(&bytes, kind, origin)?;
    let (found, total) = (bytes.len(), header.total);
    if found < total {
        let reason =
            format!("truncated file: {found} bytes, but its header declares {total}; download or copy the file again");
        return Err(Error::data(origin, reason));
    }
    if found > total {
        let reason = format!("trailing data after the {total} bytes that its header declares");
        return Err(Error::data(origin, reason));
    }
    bytes.drain(..header.length());
    Ok((header, bytes))
}

/// Parses an IDX file of images. Returns the pixels, row-major, and the shape `[images, rows, columns]`.
///
/// # Errors
///
/// [`Error::Data`], with `origin` as the name of the file, if `bytes` are not exactly one IDX file of images.
pub fn parse_images(bytes: Vec<u8>, origin: &str) -> Result<(Vec<u8>, [usize; 3])> {
    let ImageArray { pixels, shape, .. } = read_images(bytes, origin)?;
    Ok((pixels, shape))
}

/// Parses an IDX file of images, and keeps what was assumed about their shape.
pub(super) fn read_images(bytes: Vec<u8>, origin: &str) -> Result<ImageArray> {
    let (Header { element, dimensions, .. }, bytes) = read(Kind::Images, bytes, origin)?;
    let invalid = |reason: String| Error::data(origin, reason);
    match (element, &dimensions[..]) {
        (Element::UnsignedByte, [_]) | (Element::Int, [_] | [_, QMNIST_COLUMNS]) => {
            Err(invalid(Kind::Images.other(Kind::Labels, element.magic(dimensions.len()))))
        }
        (Element::UnsignedByte, _) => ImageArray::new(bytes, &dimensions).map_err(invalid),
        _ => Err(invalid(format!(
            "its pixels are {} (magic number {:#010x}); expected unsigned bytes ({:#010x}): write the pixels from 0 to 255 as \
             numpy.uint8",
            element.name(),
            element.magic(dimensions.len()),
            Element::UnsignedByte.magic(dimensions.len())
        ))),
    }
}

/// Parses an IDX file of labels and returns them. Of QMNIST's eight columns, the first is returned.
///
/// # Errors
///
/// [`Error::Data`], with `origin` as the name of the file, if `bytes` are not exactly one IDX file of labels, or a label is
/// not between 0 and 255.
pub fn parse_labels(bytes: Vec<u8>, origin: &str) -> Result<Vec<u8>> {
    let (Header { element, dimensions, .. }, bytes) = read(Kind::Labels, bytes, origin)?;
    let invalid = |reason: String| Error::data(origin, reason);
    let columns = match (element, &dimensions[..]) {
        (Element::Float | Element::Double, _) => {
            return Err(invalid(format!(
                "its labels are {}; expected unsigned bytes: write them as numpy.uint8",
                element.name()
            )));
        }
        (_, [_] | [_, 1]) => 1,
        (Element::Int, [_, QMNIST_COLUMNS]) => QMNIST_COLUMNS,
        (_, [_, columns]) => {
            return Err(invalid(format!(
                "its labels have {columns} columns; expected one class index per image: if the columns are one-hot vectors, \
                 write numpy.argmax(labels, 1) as numpy.uint8"
            )));
        }
        _ => return Err(invalid(Kind::Labels.other(Kind::Images, element.magic(dimensions.len())))),
    };
    let label = |(index, label): (usize, &[u8])| {
        let label = element.integer(label);
        u8::try_from(label)
            .map_err(|_| invalid(format!("label {label} of image {index} is out of range: expected 0 to 255")))
    };
    bytes.chunks_exact(element.size() * columns).enumerate().map(label).collect()
}

/// Returns the header of an IDX file of unsigned bytes in these dimensions.
pub(super) fn header(dimensions: &[usize]) -> Vec<u8> {
    let magic = Element::UnsignedByte.magic(dimensions.len()).to_be_bytes();
    let lengths = dimensions.iter().flat_map(|&length| (length as u32).to_be_bytes());
    magic.into_iter().chain(lengths).collect()
}
