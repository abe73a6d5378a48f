//! Traces: safetensors files with the inputs and results of an implementation in any language. The check suite compares
//! a trace with the reference, within the same error bounds as a candidate that runs in this process.

mod batches;
mod container;
mod file;
mod layout;
mod metadata;
mod model;
mod read;
mod replay;
mod tensors;

pub use model::{FORMAT as TRACE_FORMAT, Trace};
