//! Input: pictures, sources of data, downloads.

#[cfg(feature = "download")]
pub(crate) mod download;
pub(crate) mod picture;
pub(crate) mod source;
