//! Storage on disk: safetensors files, and replacement of files.

mod container;
mod digest;
mod file;
mod lock;

pub use container::{SafetensorsFile, StoredTensor, deserialize, serialize};
pub(crate) use container::{decode_metadata, encode_metadata};
pub(crate) use digest::hexadecimal;
pub use file::{check_writable, ensure_writable_folder, sync_folder, write_atomically};
pub use lock::FolderLock;
