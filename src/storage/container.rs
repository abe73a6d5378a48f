//! Safetensors files: named tensors and text metadata. Equal contents are always written as equal bytes.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use ndarray::ArrayViewD;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::file::write_atomically;
use super::read::{MAX_SAFETENSORS_LENGTH, read_file};
use crate::{Error, Result, Scalar};

/// Key of the metadata entry in which this crate stores its own metadata, as JSON.
const METADATA_KEY: &str = "mlp_parity";

/// Largest length of a header in bytes. A trace of the report's network with 20,000 steps has about 20 MB; parsing takes
/// 16 times the length in memory.
const MAX_HEADER_LENGTH: u64 = 24 << 20;

/// Largest length of the name of a tensor in bytes, so that messages about tensors remain readable.
const MAX_NAME_LENGTH: usize = 256;

/// A type whose values can be saved to, and loaded from, a safetensors file of their own.
pub trait SafetensorsFile: Sized {
    /// Serializes the value to the bytes of a file. Equal values give equal bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Parameters`] if the safetensors format cannot represent the contents (a header of more than 100 MB).
    fn to_bytes(&self) -> Result<Vec<u8>>;

    /// Parses the bytes of a file.
    ///
    /// # Errors
    ///
    /// The reason why the bytes are not a valid file of this type, as a message without the name of the file.
    fn read(bytes: &[u8]) -> Result<Self, String>;

    /// Parses the bytes of a file. Error messages refer to the file as `origin`.
    ///
    /// # Errors
    ///
    /// [`Error::Parameters`] if the bytes are not a valid file of this type.
    fn from_bytes(bytes: &[u8], origin: &str) -> Result<Self> {
        Self::read(bytes).map_err(|reason| Error::parameters(origin, reason))
    }

    /// Writes the file at `path` [atomically](write_atomically), replacing an existing one.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the file cannot be written; any error of [`to_bytes`](Self::to_bytes).
    fn save(&self, path: &Path) -> Result<()> {
        write_atomically(path, &self.to_bytes()?)
    }

    /// Reads and parses the file at `path`.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the file cannot be read, [`Error::Parameters`] if it is not a valid file of this type.
    fn load(path: &Path) -> Result<Self> {
        let bytes = read_file(path, MAX_SAFETENSORS_LENGTH)?;
        Self::from_bytes(&bytes, &path.display().to_string())
    }
}

/// A named tensor in the representation of a safetensors file.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredTensor {
    /// Name of the tensor, such as `layer1.weight`.
    pub name: String,
    /// Type of the elements.
    pub dtype: Dtype,
    /// Length of each dimension.
    pub shape: Vec<usize>,
    /// The elements in row-major order, each little-endian.
    pub bytes: Vec<u8>,
}

impl StoredTensor {
    /// Converts an array to a tensor with the same shape and element type.
    pub fn new<F: Scalar>(name: impl Into<String>, values: ArrayViewD<'_, F>) -> Self {
        let mut bytes = Vec::with_capacity(values.len() * size_of::<F>());
        values.iter().for_each(|value| value.extend_le_bytes(&mut bytes));
        Self { name: name.into(), dtype: F::DTYPE, shape: values.shape().to_vec(), bytes }
    }
}

/// Serializes tensors and metadata to the bytes of a safetensors file. Equal arguments give equal bytes.
///
/// # Errors
///
/// [`Error::Parameters`] if the shape of a tensor does not fit its number of bytes, or the header would exceed 100 MB.
pub fn serialize(tensors: &[StoredTensor], metadata: HashMap<String, String>) -> Result<Vec<u8>> {
    let invalid = |error: &dyn std::fmt::Display| Error::parameters("safetensors", error.to_string());
    let mut views = Vec::with_capacity(tensors.len());
    for StoredTensor { name, dtype, shape, bytes } in tensors {
        let view = TensorView::new(*dtype, shape.clone(), bytes).map_err(|error| invalid(&error))?;
        views.push((name.as_str(), view));
    }
    let metadata = (!metadata.is_empty()).then_some(metadata);
    let has_metadata = metadata.is_some();
    let bytes = safetensors::serialize(views, metadata).map_err(|error| invalid(&error))?;
    if has_metadata { sort_metadata(bytes).map_err(|error| invalid(&error)) } else { Ok(bytes) }
}

/// Sorts the metadata entries of a serialized file by key. The `safetensors` crate writes them in hash-map order,
/// which varies from run to run. Sorting changes no length, so the rest of the header remains valid.
fn sort_metadata(mut bytes: Vec<u8>) -> serde_json::Result<Vec<u8>> {
    // Offset of the metadata object: the header is preceded by its length, and its first entry is the metadata.
    const START: usize = size_of::<u64>() + br#"{"__metadata__":"#.len();
    let mut metadata = serde_json::Deserializer::from_slice(&bytes[START..]).into_iter::<BTreeMap<String, String>>();
    let sorted = serde_json::to_vec(&metadata.next().transpose()?)?;
    let end = START + metadata.byte_offset();
    bytes.splice(START..end, sorted);
    Ok(bytes)
}

/// Parses the bytes of a safetensors file. Returns the tensors, which borrow from `bytes`, and the metadata.
///
/// # Errors
///
/// The reason why the bytes are not a complete safetensors file, or why its header is not acceptable (more than 24 MiB,
/// or a tensor name of more than 256 bytes), as a message.
pub fn deserialize(bytes: &[u8]) -> Result<(SafeTensors<'_>, HashMap<String, String>), String> {
    let invalid = |reason: String| {
        // A reason may quote the file.
        let reason: String = reason.chars().take(MAX_NAME_LENGTH).collect();
        format!("not a complete safetensors file ({reason}); it may be truncated or in another format")
    };
    if let Some((&length, _)) = bytes.split_first_chunk()
        && u64::from_le_bytes(length) > MAX_HEADER_LENGTH
    {
        let length = u64::from_le_bytes(length);
        return Err(invalid(format!("its header claims {length} bytes; at most {MAX_HEADER_LENGTH} are allowed")));
    }
    let tensors = SafeTensors::deserialize(bytes).map_err(|error| invalid(error.to_string()))?;
    if let Some((name, _)) = tensors.iter().find(|(name, _)| name.len() > MAX_NAME_LENGTH) {
        let (shown, length) = (name.chars().take(40).collect::<String>(), name.len());
        return Err(format!("tensor name '{shown}…' has {length} bytes; at most {MAX_NAME_LENGTH} are allowed"));
    }
    let metadata = read_metadata(bytes).map_err(|error| invalid(error.to_string()))?;
    Ok((tensors, metadata))
}

/// Returns the metadata of a file whose header is valid. [`SafeTensors`] does not give access to them, and parsing the
/// whole header once more takes much longer.
fn read_metadata(bytes: &[u8]) -> serde_json::Result<HashMap<String, String>> {
    #[derive(Deserialize)]
    struct Header {
        #[serde(rename = "__metadata__")]
        metadata: Option<HashMap<String, String>>,
    }
    let header = bytes.get(size_of::<u64>()..).unwrap_or_default();
    let mut header = serde_json::Deserializer::from_slice(header).into_iter::<Header>();
    Ok(header.next().transpose()?.and_then(|header| header.metadata).unwrap_or_default())
}

/// Returns file metadata that contains `value` as JSON under this crate's [key](METADATA_KEY).
pub(crate) fn encode_metadata(value: &impl Serialize) -> Result<HashMap<String, String>> {
    let json = serde_json::to_string(value).map_err(|error| Error::parameters("metadata", error.to_string()))?;
    Ok(HashMap::from([(METADATA_KEY.to_owned(), json)]))
}

/// Parses the JSON that file metadata contains under this crate's [key](METADATA_KEY). Returns `None` if there is no
/// such entry, as in files from other programs.
pub(crate) fn decode_metadata<T: DeserializeOwned>(metadata: &HashMap<String, String>) -> Result<Option<T>, String> {
    let read = |json: &String| {
        serde_json::from_str(json).map_err(|error| format!("invalid metadata '{METADATA_KEY}': {error}"))
    };
    metadata.get(METADATA_KEY).map(read).transpose()
}
