//! Input files: data sets, downloads of data sets, and pictures of digits.

#[cfg(feature = "download")]
pub(crate) mod download;
pub(crate) mod picture;
pub(crate) mod source;
