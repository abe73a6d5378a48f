//! Strict reader for IDX, the file format of MNIST.
//!
//! An IDX file consists of a magic number (`00 00 08 dd` for unsigned bytes in `dd` dimensions), the length of each
//! dimension as a big-endian 32-bit integer, and the bytes in row-major order. The reader rejects files that are
//! shorter or longer than their header declares.

use std::io::Read;

use flate2::bufread::GzDecoder;

use crate::storage::MAX_IDX_LENGTH;
use crate::{Error, Result};

/// Decompressed length in bytes up to which a file may be compressed by any factor. It is more than five times that of
/// MNIST's training images, and takes up no more memory than an ordinary computer can spare.
const UNCONDITIONAL_LENGTH: u64 = 256 << 20;

/// Largest factor by which a longer file may be compressed. Photographs and drawings reach 3 to 10 (EMNIST's by-class
/// set 3: 547 MB); gzip compresses constant bytes, with which a small file can fill the memory, by a factor of 1,000.
const MAX_COMPRESSION: u64 = 20;

/// Largest factor by which gzip can compress any file: a match of 258 bytes takes at least two bits.
const GZIP_COMPRESSION: u64 = 1032;

/// Kind of data in an IDX file, which determines its number of dimensions.
#[derive(Clone, Copy)]
enum Kind {
    Images,
    Labels,
}

impl Kind {
    /// Returns the number of dimensions: three for images (count, rows, columns), one for labels (count).
    const fn dimensions(self) -> usize {
        match self {
            Self::Images => 3,
            Self::Labels => 1,
        }
    }

    /// Returns the length of the header in bytes: the magic number and four bytes per dimension.
    const fn header_length(self) -> usize {
        4 + 4 * self.dimensions()
    }

    /// Returns the contents as a plural noun, for messages.
    const fn name(self) -> &'static str {
        match self {
            Self::Images => "images",
            Self::Labels => "labels",
        }
    }

    /// Parses the header at the start of `bytes`. Returns the length of each dimension, and the length in bytes of the
    /// whole file, header included, that follows from them.
    fn read_header(self, bytes: &[u8], origin: &str) -> Result<(Vec<usize>, usize)> {
        let invalid = |reason: String| Err(Error::data(origin, reason));
        let magic = 0x0800 + self.dimensions() as u32;
        if let Some((&found, _)) = bytes.split_first_chunk()
            && u32::from_be_bytes(found) != magic
        {
            let (found, name) = (u32::from_be_bytes(found), self.name());
            let reason = format!("magic number is {found:#010x}, but an IDX file of {name} starts with {magic:#010x}");
            return invalid(reason);
        }
        let Some(header) = bytes.get(..self.header_length()) else {
            return invalid(format!(
                "truncated file: {} bytes, but the header of an IDX file of {} has {} bytes",
                bytes.len(),
                self.name(),
                self.header_length()
            ));
        };
        let (words, _) = header.as_chunks::<4>();
        let lengths: Vec<usize> = words[1..].iter().map(|&length| u32::from_be_bytes(length) as usize).collect();
        let total = lengths
            .iter()
            .try_fold(1_usize, |product, &length| product.checked_mul(length))
            .and_then(|product| product.checked_add(self.header_length()));
        match total {
            Some(_) if lengths.contains(&0) => invalid(format!("dimensions are {lengths:?}; each must be at least 1")),
            Some(total) => Ok((lengths, total)),
            None => invalid(format!("dimensions {lengths:?} exceed the address space of this machine")),
        }
    }

    /// Parses a whole file. Returns the length of each dimension and the bytes after the header.
    fn read(self, mut bytes: Vec<u8>, origin: &str) -> Result<(Vec<usize>, Vec<u8>)> {
        let (lengths, total) = self.read_header(&bytes, origin)?;
        let found = bytes.len();
        if found < total {
            let reason = format!("truncated file: {found} bytes, but its header declares {total}");
            return Err(Error::data(origin, reason));
        }
        if found > total {
            let reason = format!("trailing data after the {total} bytes that its header declares");
            return Err(Error::data(origin, reason));
        }
        bytes.drain(..self.header_length());
        Ok((lengths, bytes))
    }
}

/// Parses an IDX file of images. Returns the pixels, row-major, and the shape `[images, rows, columns]`.
///
/// # Errors
///
/// [`Error::Data`], with `origin` as the name of the file, if `bytes` are not exactly one IDX file of images.
pub fn parse_images(bytes: Vec<u8>, origin: &str) -> Result<(Vec<u8>, [usize; 3])> {
    let (lengths, pixels) = Kind::Images.read(bytes, origin)?;
    let [count, rows, columns] = lengths[..] else {
        return Err(Error::data(origin, "an IDX file of images has three dimensions"));
    };
    Ok((pixels, [count, rows, columns]))
}

/// Parses an IDX file of labels and returns them.
///
/// # Errors
///
/// [`Error::Data`], with `origin` as the name of the file, if `bytes` are not exactly one IDX file of labels.
pub fn parse_labels(bytes: Vec<u8>, origin: &str) -> Result<Vec<u8>> {
    Ok(Kind::Labels.read(bytes, origin)?.1)
}

/// Decompresses an IDX file if it is compressed with gzip; returns other bytes unchanged. `is_images` selects the kind
/// of file, images or labels.
///
/// The decompressor stops one byte after the length that the IDX header declares, and that length is limited: to 256 MiB,
/// or 20 times the compressed length if that is more, and always to [`MAX_IDX_LENGTH`]. So a malicious file cannot
/// expand to an arbitrary size. Bytes that are not gzip are not inspected.
///
/// # Errors
///
/// [`Error::Data`], with `origin` as the name of the file, if the gzip stream is invalid or followed by other data, if
/// its contents do not start with the header of an IDX file of this kind, or if the length that the header declares
/// exceeds the limit or does not fit into memory.
pub fn decompress(bytes: Vec<u8>, is_images: bool, origin: &str) -> Result<Vec<u8>> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(bytes);
    }
    let kind = if is_images { Kind::Images } else { Kind::Labels };
    let invalid = |error| Error::data(origin, format!("invalid gzip stream ({error}); the file may be truncated"));
    let mut rest = bytes.as_slice();
    let mut decoder = GzDecoder::new(&mut rest);
    let mut decompressed = Vec::new();
    let header_length = kind.header_length();
    decoder.by_ref().take(header_length as u64).read_to_end(&mut decompressed).map_err(invalid)?;
    let (_, total) = kind.read_header(&decompressed, origin)?;
    reserve(&mut decompressed, total, bytes.len(), origin)?;
    // Asking for one byte more than declared makes the decoder reach the end of the stream and verify its checksum, or
    // reveals that there is trailing data.
    decoder.by_ref().take((total - header_length) as u64 + 1).read_to_end(&mut decompressed).map_err(invalid)?;
    if decompressed.len() <= total && !rest.is_empty() {
        let reason = format!("trailing data after the gzip stream ({} bytes)", rest.len());
        return Err(Error::data(origin, reason));
    }
    Ok(decompressed)
}

/// Reserves memory for the decompressed file, of which `header` is the beginning and `total` the declared length, and
/// for one byte more.
///
/// # Errors
///
/// [`Error::Data`] if the length is more than a file of `compressed` bytes can or may decompress to, or does not fit into
/// memory.
fn reserve(header: &mut Vec<u8>, total: usize, compressed: usize, origin: &str) -> Result<()> {
    let limit = MAX_COMPRESSION.saturating_mul(compressed as u64).clamp(UNCONDITIONAL_LENGTH, MAX_IDX_LENGTH);
    if total as u64 > limit {
        let reason = format!(
            "its header declares {total} bytes, but {compressed} bytes of gzip may decompress to at most {limit}; \
             decompress the file if it is genuine"
        );
        return Err(Error::data(origin, reason));
    }
    // Before memory is reserved for bytes that cannot follow.
    let possible = GZIP_COMPRESSION.saturating_mul(compressed as u64);
    if total as u64 > possible {
        let reason = format!(
            "truncated file: its header declares {total} bytes, but {compressed} bytes of gzip contain at most {possible}"
        );
        return Err(Error::data(origin, reason));
    }
    let does_not_fit = |_| Error::data(origin, format!("its {total} bytes do not fit into the available memory"));
    header.try_reserve_exact(total + 1 - header.len()).map_err(does_not_fit)
}
