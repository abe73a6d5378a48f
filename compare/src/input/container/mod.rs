//! Containers of named tensors: safetensors, `.npz`, JSON and, with the feature `pytorch`, PyTorch files.

mod json;
mod npz;
#[cfg(feature = "pytorch")]
mod pytorch;
mod safetensors;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use ndarray::ArrayD;

use super::ParseResult;
use super::identify::{PICKLE, ZIP_SIGNATURE, is_json, is_pickle, reject_foreign, unknown};

/// The contents of a file: tensors and metadata by name.
#[derive(Default)]
pub(crate) struct Contents {
    pub(crate) tensors: BTreeMap<String, StoredArray>,
    pub(crate) metadata: BTreeMap<String, String>,
}

/// A tensor of a file, converted to double precision, which is exact.
pub(crate) struct StoredArray {
    pub(crate) values: ArrayD<f64>,
    /// The precision of floating-point numbers; `None` for integers, and for the numbers of JSON, which have none.
    pub(crate) precision: Option<Precision>,
}

/// A floating-point format, from coarse to fine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Precision {
    Bfloat16,
    Half,
    Single,
    Double,
}

impl fmt::Display for Precision {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Bfloat16 => "bfloat16",
            Self::Half => "half precision",
            Self::Single => "single precision",
            Self::Double => "double precision",
        })
    }
}

/// The meaning of an entry in an npz or JSON file, where tensors and metadata are told apart by their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    Tensor,
    /// A tensor with this number of dimensions, or a list of such tensors, one per layer. The tensors of a list `weights` are
    /// called `0.weights`, `1.weights`, …. In an npz file, which has no lists, the entry is a tensor.
    Tensors(usize),
    Metadata,
    /// An entry that is not read, whatever it contains. It counts as metadata without a value.
    Unread,
    /// An entry that is not read, but whose objects may have tensors: `layers.0.weights`. In an npz file it is not read.
    Group,
}

/// Parses a file whose format is recognised by its first bytes. `entry` returns the meaning of an entry with this name.
///
/// # Errors
///
/// A message if the file is in none of the formats, or damaged.
pub(crate) fn parse(bytes: &[u8], entry: fn(&str) -> Entry) -> ParseResult<Contents> {
    reject_foreign(bytes)?;
    match unknown(bytes) {
        _ if bytes.starts_with(ZIP_SIGNATURE) => npz::parse(bytes, entry),
        _ if is_json(bytes) => json::parse(bytes, entry),
        Some(message) => Err(message),
        None if is_pickle(bytes) => Err(format!("the file is a Python pickle; {PICKLE}")),
        None => safetensors::parse(bytes),
    }
}

/// Reads a file as [`parse`] does. `bytes` are the contents of the file at `path`. With the feature `pytorch`, also reads files
/// written by `torch.save`.
///
/// # Errors
///
/// A message if the file is in none of the formats, or damaged.
pub(crate) fn read(path: &Path, bytes: &[u8], entry: fn(&str) -> Entry) -> ParseResult<Contents> {
    #[cfg(feature = "pytorch")]
    if is_pickle(bytes) || npz::has_pickle(bytes) {
        return pytorch::read(path, bytes.len() as u64);
    }
    #[cfg(not(feature = "pytorch"))]
    let _ = path;
    parse(bytes, entry)
}
