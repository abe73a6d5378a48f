//! Storage on disk: safetensors files, bounded reading of files, and their replacement.

mod container;
mod digest;
mod file;
mod lock;
mod read;

pub use container::{SafetensorsFile, StoredTensor, deserialize, serialize};
pub(crate) use container::{decode_metadata, encode_metadata};
pub(crate) use digest::hexadecimal;
pub use file::{check_writable, ensure_writable_folder, sync_folder, write_atomically};
pub use lock::FolderLock;
pub use read::{MAX_IDX_LENGTH, MAX_SAFETENSORS_LENGTH, MAX_TEXT_LENGTH, read_file, read_text};
