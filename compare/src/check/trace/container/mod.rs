//! The containers of a trace: safetensors, `.npz` and JSON files.

mod json;
mod npz;
mod safetensors;

use std::collections::BTreeMap;

use ndarray::ArrayD;

use super::metadata::ParseResult;
use super::model::Precision;

/// First bytes of a ZIP archive, the container of `.npz` files.
const ZIP_SIGNATURE: &[u8] = b"PK\x03\x04";

/// The contents of a trace file: tensors and metadata by name.
#[derive(Default)]
pub(super) struct Contents {
    pub(super) tensors: BTreeMap<String, StoredArray>,
    pub(super) metadata: BTreeMap<String, String>,
}

/// A tensor of a file, converted to double precision, which is exact.
pub(super) struct StoredArray {
    pub(super) values: ArrayD<f64>,
    /// The precision of floating-point numbers; `None` for integers.
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
    } else {
        safetensors::parse(bytes)
    }
}
