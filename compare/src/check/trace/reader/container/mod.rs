//! The containers of a trace: safetensors, `.npz` and JSON files.

mod json;
mod npz;
mod safetensors;

use std::collections::BTreeMap;

use ndarray::ArrayD;

use super::metadata::ParseResult;
use crate::check::trace::model::Precision;

/// First bytes of a ZIP archive, the container of `.npz` files.
const ZIP_SIGNATURE: &[u8] = b"PK\x03\x04";

/// Number of bytes of a text that a message shows.
const SHOWN: usize = 40;

/// The contents of a trace file: tensors and metadata by name.
#[derive(Default)]
pub(super) struct Contents {
    pub(super) tensors: BTreeMap<String, StoredArray>,
    pub(super) metadata: BTreeMap<String, String>,
}

/// A tensor of a file, converted to double precision, which is exact.
pub(super) struct StoredArray {
    pub(super) values: ArrayD<f64>,
    /// The precision of floating-point numbers; `None` for integers, and for the numbers of JSON, which have none.
    pub(super) precision: Option<Precision>,
}

/// Parses a file whose format is recognised by its first bytes.
///
/// # Errors
///
/// A message if the file is in none of the formats, or damaged.
pub(super) fn parse(bytes: &[u8]) -> ParseResult<Contents> {
    if bytes.starts_with(ZIP_SIGNATURE) {
        npz::parse(bytes)
    } else if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{') {
        json::parse(bytes)
    } else if let Some(found) = other_format(bytes) {
        Err(format!("{found}; expected a safetensors file, an npz file from numpy.savez, or a JSON object"))
    } else {
        safetensors::parse(bytes)
    }
}

/// Returns a description of a file that is none of a trace, as its first bytes show; `None` if it may be safetensors.
fn other_format(bytes: &[u8]) -> Option<String> {
    const KNOWN: [(&[u8], &str); 4] = [
        (b"\x93NUMPY", "a single NumPy array"),
        (b"\x89HDF", "an HDF5 file"),
        (b"\x1f\x8b", "a gzip file"),
        (b"\x80", "a Python pickle"),
    ];
    if bytes.is_empty() {
        return Some("the file is empty".to_owned());
    }
    // A safetensors file starts with the length of its header in eight bytes, the last of which are zero.
    let is_safetensors = bytes.get(5..8).is_none_or(|length| length == [0; 3]);
    if let Some((_, name)) = KNOWN.iter().find(|(start, _)| !is_safetensors && bytes.starts_with(start)) {
        return Some(format!("the file is {name}"));
    }
    let start = &bytes[..bytes.len().min(SHOWN)];
    let is_text = start.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace());
    is_text.then(|| format!("the file starts with '{}'", String::from_utf8_lossy(start).trim().replace('\n', " ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_names_files_of_other_formats() {
        let message = |bytes: &[u8]| parse(bytes).err().unwrap();
        assert!(message(b"epoch 0\nloss 2.3\n{\"format\"").starts_with("the file starts with 'epoch 0 loss 2.3"));
        assert!(message(b"").starts_with("the file is empty; expected a safetensors file, an npz file"));
        assert!(message(b"\x93NUMPY\x01\x00v\x00{'descr'").starts_with("the file is a single NumPy array;"));
        assert!(message(b"\x80\x00\x00\x00\x00\x00\x00\x00{}").starts_with("not a complete safetensors file"));
    }
}
