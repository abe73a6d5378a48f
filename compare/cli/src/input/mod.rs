//! Input files: data sets, downloads of data sets, and pictures of digits.

#[cfg(feature = "full")]
pub(crate) mod decode;
#[cfg(feature = "download")]
pub(crate) mod download;
#[cfg(feature = "full")]
pub(crate) mod picture;
pub(crate) mod source;
