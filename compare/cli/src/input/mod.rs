//! Input files: data sets, downloads of data sets, trained networks, and pictures of digits.

mod data;
#[cfg(feature = "download")]
pub(crate) mod download;
pub(crate) mod network;
#[cfg(feature = "full")]
pub(crate) mod picture;
pub(crate) mod source;
