//! NumPy arrays, as `.npz` archives contain them.

use std::io::{self, BufRead, BufReader, Cursor, Read};

use npyz::NpyFile;

/// Largest length of the header of an array in bytes. NumPy writes 128.
const MAX_HEADER: u32 = 1 << 16;

/// Number of bytes before the length of a header: a signature and two bytes of the version.
const VERSION_END: u64 = 8;

/// Reads the header of a NumPy array. The library allocates the length that the header claims, and multiplies its dimensions;
/// both are checked first.
///
/// # Errors
///
/// If the bytes are no NumPy array, if its header is longer than 64 KiB, or if it claims more than 2⁶⁴ elements.
pub fn open_npy(array: impl Read) -> io::Result<NpyFile<impl BufRead>> {
    let mut array = BufReader::new(array);
    let mut header = Vec::new();
    let mut read = |length: u64| {
        array.by_ref().take(length).read_to_end(&mut header)?;
        Ok::<_, io::Error>(header.clone())
    };
    let version = read(VERSION_END)?.get(6).copied().unwrap_or(0);
    let start = read(if version > 1 { 4 } else { 2 })?;
    let length = start.iter().skip(VERSION_END as usize).rev().fold(0, |length, byte| length << 8 | u32::from(*byte));
    if length > MAX_HEADER {
        return Err(io::Error::other(format!(
            "its header (version {version}) claims {length} bytes; at most {MAX_HEADER} are allowed"
        )));
    }
    let text = String::from_utf8_lossy(&read(length.into())?).into_owned();
    let shape = text.split_once("shape").and_then(|(_, rest)| rest.split_once(')')).map_or("", |(shape, _)| shape);
    let dimensions = shape.split(|character: char| !character.is_ascii_digit()).filter(|digits| !digits.is_empty());
    let elements =
        dimensions.map(|digits| digits.parse().ok()).try_fold(1_u64, |product, length| product.checked_mul(length?));
    if elements.is_none() {
        return Err(io::Error::other("its header claims more elements than any file contains"));
    }
    NpyFile::new(Cursor::new(header).chain(array))
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
