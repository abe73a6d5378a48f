//! Safetensors files, and atomic writing.

mod container;
mod digest;
mod file;

pub use container::{SafetensorsFile, StoredTensor, deserialize, serialize};
pub(crate) use container::{own_metadata, read_own_metadata};
pub(crate) use digest::hexadecimal;
pub use file::{ensure_writable_folder, sync_folder, write_atomically};
