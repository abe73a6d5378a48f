//! Results in the formats of other programs.

pub(crate) mod junit;
#[cfg(feature = "full")]
pub(crate) mod onnx;
