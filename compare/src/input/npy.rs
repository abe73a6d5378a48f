//! NumPy arrays, as `.npz` archives contain them.

use std::io::{self, BufRead, BufReader, Cursor, Read};

use npyz::NpyFile;

/// Largest length of the header of an array in bytes. NumPy writes 128.
const MAX_HEADER: u32 = 1 << 16;

/// Position of the version in a header.
const VERSION: usize = 6;

/// Number of bytes before the length of a header: a signature and two bytes of the version.
const VERSION_END: u64 = 8;

/// Reads the header of a NumPy array. The library allocates the length that the header claims, and multiplies its dimensions;
/// both are checked first.
///
/// # Errors
///
/// If the bytes are no NumPy array, if its header is longer than 64 KiB, or if it claims 2⁶⁴ elements or more.
pub fn open_npy(array: impl Read) -> io::Result<NpyFile<impl BufRead>> {
    let mut array = BufReader::new(array);
    let mut header = Vec::new();
    array.by_ref().take(VERSION_END).read_to_end(&mut header)?;
    let version = header.get(VERSION).copied().unwrap_or(0);
    let length_size = if version > 1 { 4 } else { 2 };
    array.by_ref().take(length_size).read_to_end(&mut header)?;
    let little_endian = header.iter().skip(VERSION_END as usize).rev();
    let length = little_endian.fold(0, |length, byte| length << 8 | u32::from(*byte));
    if length > MAX_HEADER {
        return Err(io::Error::other(format!(
            "its header (version {version}) claims {length} bytes; at most {MAX_HEADER} are allowed"
        )));
    }
    array.by_ref().take(length.into()).read_to_end(&mut header)?;
    if number_of_elements(&String::from_utf8_lossy(&header)).is_none() {
        return Err(io::Error::other("its header claims more elements than any file contains"));
    }
    NpyFile::new(Cursor::new(header).chain(array))
}

/// Returns the product of the dimensions in a header (`… 'shape': (60000, 28, 28), …`); `None` if it exceeds 64 bits. A header
/// without a shape is left to the library.
fn number_of_elements(header: &str) -> Option<u64> {
    let shape = header.split_once("'shape'").and_then(|(_, rest)| rest.split_once(')')).map_or("", |(shape, _)| shape);
    let dimensions = shape.split(|character: char| !character.is_ascii_digit()).filter(|digits| !digits.is_empty());
    dimensions.map(|digits| digits.parse().ok()).try_fold(1_u64, |product, length| product.checked_mul(length?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the error for an array with this shape, or this length of its header.
    fn error(shape: &str, length: Option<u32>) -> String {
        let text = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}\n");
        let length = length.unwrap_or(text.len() as u32).to_le_bytes();
        let bytes = [b"\x93NUMPY\x02\x00", &length[..], text.as_bytes()].concat();
        open_npy(&bytes[..]).map(|file| file.len()).unwrap_err().to_string()
    }

    #[test]
    fn open_npy_checks_length_and_shape() {
        assert!(error("(2,)", Some(1 << 30)).contains("claims 1073741824 bytes; at most 65536 are allowed"));
        for shape in ["(4294967296, 4294967296)", "(3, 99999999999999999999)", "(18446744073709551615, 2, 0)"] {
            assert!(error(shape, None).contains("more elements than any file"), "{shape}");
        }
    }
}
