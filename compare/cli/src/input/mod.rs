//! Input files: data sets, downloads of data sets, and pictures of digits.

pub(crate) mod decode;
#[cfg(feature = "download")]
pub(crate) mod download;
pub(crate) mod picture;
pub(crate) mod source;
