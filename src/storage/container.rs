//! Safetensors files: named tensors and metadata, the same bytes for the same content, whole or absent.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use ndarray::ArrayViewD;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::file::write_atomically;
use crate::{Error, Result, Scalar};

/// The key under which this crate keeps its metadata, as JSON.
const METADATA_KEY: &str = "mlp_parity";

/// What is kept in a safetensors file.
pub trait SafetensorsFile: Sized {
    /// The file's bytes: the same for the same content.
    ///
    /// # Errors
    ///
    /// [`Error::Parameters`] if the container refuses them (more than 100 MB of names).
    fn to_bytes(&self) -> Result<Vec<u8>>;

    /// Reads a file's bytes.
    ///
    /// # Errors
    ///
    /// Why they are no file of this kind.
    fn read(bytes: &[u8]) -> Result<Self, String>;

    /// Reads a file's bytes; `origin` names them in errors.
    ///
    /// # Errors
    ///
    /// [`Error::Parameters`] if they are no file of this kind.
    fn from_bytes(bytes: &[u8], origin: &str) -> Result<Self> {
        Self::read(bytes).map_err(|reason| Error::parameters(origin, reason))
    }

    /// Writes the file, whole or not at all.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if it cannot be written, [`Error::Parameters`] as [`to_bytes`](Self::to_bytes).
    fn save(&self, path: &Path) -> Result<()> {
        write_atomically(path, &self.to_bytes()?)
    }

    /// Reads a file.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if it cannot be read, [`Error::Parameters`] if it is no file of this kind.
    fn load(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
        Self::from_bytes(&bytes, &path.display().to_string())
    }
}

/// A tensor as it stands in a file.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredTensor {
    /// Its name.
    pub name: String,
    /// The type of its numbers.
    pub dtype: Dtype,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its numbers, row by row, little-endian.
    pub bytes: Vec<u8>,
}

impl StoredTensor {
    /// These numbers, in this shape.
    pub fn new<F: Scalar>(name: impl Into<String>, values: ArrayViewD<'_, F>) -> Self {
        let mut bytes = Vec::with_capacity(values.len() * size_of::<F>());
        values.iter().for_each(|value| value.extend_le_bytes(&mut bytes));
        Self { name: name.into(), dtype: F::DTYPE, shape: values.shape().to_vec(), bytes }
    }
}

/// The bytes of a file with these tensors and metadata.
///
/// # Errors
///
/// [`Error::Parameters`] if the container refuses them.
pub fn serialize(tensors: &[StoredTensor], metadata: HashMap<String, String>) -> Result<Vec<u8>> {
    let refused = |error: &dyn std::fmt::Display| Error::parameters("safetensors", error.to_string());
    let mut views = Vec::with_capacity(tensors.len());
    for StoredTensor { name, dtype, shape, bytes } in tensors {
        let view = TensorView::new(*dtype, shape.clone(), bytes).map_err(|error| refused(&error))?;
        views.push((name.as_str(), view));
    }
    let metadata = (!metadata.is_empty()).then_some(metadata);
    let has_metadata = metadata.is_some();
    let bytes = safetensors::serialize(views, metadata).map_err(|error| refused(&error))?;
    if has_metadata { sorted_metadata(bytes).map_err(|error| refused(&error)) } else { Ok(bytes) }
}

/// The container keeps its metadata in a hash map, whose order changes; the header is as long in any order.
fn sorted_metadata(mut bytes: Vec<u8>) -> serde_json::Result<Vec<u8>> {
    const START: usize = size_of::<u64>() + br#"{"__metadata__":"#.len();
    let mut metadata = serde_json::Deserializer::from_slice(&bytes[START..]).into_iter::<BTreeMap<String, String>>();
    let sorted = serde_json::to_vec(&metadata.next().transpose()?)?;
    let end = START + metadata.byte_offset();
    bytes.splice(START..end, sorted);
    Ok(bytes)
}

/// The tensors and metadata of a file.
///
/// # Errors
///
/// Why the bytes are not a whole file.
pub fn deserialize(bytes: &[u8]) -> Result<(SafeTensors<'_>, HashMap<String, String>), String> {
    let broken = |error| format!("not a whole safetensors file ({error}); is it of another format, or truncated?");
    let tensors = SafeTensors::deserialize(bytes).map_err(broken)?;
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(broken)?;
    Ok((tensors, header.metadata().clone().unwrap_or_default()))
}

/// The metadata of a file with this JSON under this crate's key.
pub(crate) fn own_metadata(value: &impl Serialize) -> Result<HashMap<String, String>> {
    let json = serde_json::to_string(value).map_err(|error| Error::parameters("metadata", error.to_string()))?;
    Ok(HashMap::from([(METADATA_KEY.to_owned(), json)]))
}

/// What stands there in a file; in one from elsewhere, nothing.
pub(crate) fn read_own_metadata<T: DeserializeOwned>(metadata: &HashMap<String, String>) -> Result<Option<T>, String> {
    let read = |json: &String| {
        serde_json::from_str(json).map_err(|error| format!("metadata '{METADATA_KEY}' cannot be read: {error}"))
    };
    metadata.get(METADATA_KEY).map(read).transpose()
}
