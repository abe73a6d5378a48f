//! Traces: safetensors files with the inputs and results of an implementation in any language. The check suite compares
//! a trace with the reference, within the same error bounds as a candidate that runs in this process.

mod file;
mod model;
mod read;
mod replay;

pub use model::{FORMAT as TRACE_FORMAT, Trace};
