//! Traces: the results of an implementation in any language, in one safetensors file. In a check, a trace is one more
//! candidate.

mod file;
mod model;
mod read;
mod replay;

pub use model::{FORMAT as TRACE_FORMAT, Trace};
