//! The commands, one module each. Each returns the program's exit code.

pub(crate) mod agree;
pub(crate) mod bench;
pub(crate) mod check;
pub(crate) mod data;
pub(crate) mod doctor;
#[cfg(feature = "download")]
pub(crate) mod download;
pub(crate) mod evaluate;
pub(crate) mod export;
pub(crate) mod manual;
pub(crate) mod predict;
pub(crate) mod report;
pub(crate) mod reproduce;
#[cfg(feature = "remote")]
pub(crate) mod serve_device;
pub(crate) mod time_to;
pub(crate) mod trace;
pub(crate) mod train;
