//! Bounded decompression of IDX files.

use std::io::Read;

use flate2::bufread::{GzDecoder, MultiGzDecoder};

use super::element::Kind;
use super::foreign::{GZIP, START};
use super::header::Header;
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

/// Returns the largest number of bytes to which a file of `compressed` bytes can and may decompress: at most 1,032 times its
/// length; 256 MiB, or 20 times its length if that is more; and never more than [`MAX_IDX_LENGTH`].
pub fn decompressed_limit(compressed: u64) -> u64 {
    allowed_length(compressed).min(possible_length(compressed))
}

/// Returns the length to which a file may decompress, so that a small file cannot fill the memory.
fn allowed_length(compressed: u64) -> u64 {
    MAX_COMPRESSION.saturating_mul(compressed).clamp(UNCONDITIONAL_LENGTH, MAX_IDX_LENGTH)
}

/// Returns the greatest length that a file can decompress to.
fn possible_length(compressed: u64) -> u64 {
    GZIP_COMPRESSION.saturating_mul(compressed)
}

/// Decompresses an IDX file if it is compressed with gzip, in one or several members; returns other bytes unchanged.
/// `is_images` says whether a message asks for images or for labels.
///
/// The decompressor stops one byte after the length that the IDX header declares, and that length is at most
/// [`decompressed_limit`]. So a malicious file cannot expand to an arbitrary size. Bytes that are not gzip are not inspected.
///
/// # Errors
///
/// [`Error::Data`], with `origin` as the name of the file, if the gzip stream is invalid or followed by other data, if
/// its contents do not start with the header of an IDX file, or if the length that the header declares exceeds the limit or
/// does not fit into memory.
pub fn decompress(bytes: Vec<u8>, is_images: bool, origin: &str) -> Result<Vec<u8>> {
    if !bytes.starts_with(&GZIP) {
        return Ok(bytes);
    }
    let kind = if is_images { Kind::Images } else { Kind::Labels };
    let invalid = |error| {
        Error::data(
            origin,
            format!("invalid gzip stream ({error}); the file may be truncated: download or copy it again"),
        )
    };
    let mut start = Vec::new();
    let read = MultiGzDecoder::new(bytes.as_slice()).take(START).read_to_end(&mut start);
    let total = match (Header::parse(&start, kind, origin), read) {
        (Err(_), Err(error)) => return Err(invalid(error)),
        (header, _) => header?.total,
    };
    let mut decompressed = reserve(total, bytes.len(), origin)?;
    let mut rest = bytes.as_slice();
    while rest.starts_with(&GZIP) && decompressed.len() <= total {
        // Asking for one byte more than declared makes the decoder reach the end of the member and verify its checksum, or
        // reveals that there is trailing data.
        let remaining = (total + 1 - decompressed.len()) as u64;
        GzDecoder::new(&mut rest).take(remaining).read_to_end(&mut decompressed).map_err(invalid)?;
    }
    if decompressed.len() <= total && !rest.is_empty() {
        let reason = format!("trailing data after the gzip stream ({} bytes)", rest.len());
        return Err(Error::data(origin, reason));
    }
    Ok(decompressed)
}

/// Reserves memory for a decompressed file of the declared length `total`, and for one byte more.
///
/// # Errors
///
/// [`Error::Data`] if the length is more than a file of `compressed` bytes can or may decompress to, or does not fit into
/// memory.
fn reserve(total: usize, compressed: usize, origin: &str) -> Result<Vec<u8>> {
    let limit = allowed_length(compressed as u64);
    if total as u64 > limit {
        let reason = format!(
            "its header declares {total} bytes, but {compressed} bytes of gzip may decompress to at most {limit}; \
             decompress the file if it is genuine"
        );
        return Err(Error::data(origin, reason));
    }
    // Before memory is reserved for bytes that cannot follow.
    let possible = possible_length(compressed as u64);
    if total as u64 > possible {
        let reason = format!(
            "truncated file: its header declares {total} bytes, but {compressed} bytes of gzip contain at most {possible}"
        );
        return Err(Error::data(origin, reason));
    }
    let mut decompressed = Vec::new();
    let does_not_fit = |_| Error::data(origin, format!("its {total} bytes do not fit into the available memory"));
    decompressed.try_reserve_exact(total + 1).map_err(does_not_fit)?;
    Ok(decompressed)
}
