//! A trace: what an implementation in any language computed, in one safetensors file. It takes part in a check as one more
//! candidate.

mod file;
mod model;
mod read;
mod replay;

pub use model::{FORMAT as TRACE_FORMAT, Trace};
