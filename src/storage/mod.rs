//! Storage on disk: safetensors files, and atomic replacement of files.

mod container;
mod digest;
mod file;

pub use container::{SafetensorsFile, StoredTensor, deserialize, serialize};
pub(crate) use container::{decode_metadata, encode_metadata};
pub(crate) use digest::hexadecimal;
pub use file::{ensure_writable_folder, sync_folder, write_atomically};
