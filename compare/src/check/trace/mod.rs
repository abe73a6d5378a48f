//! Traces: files with the inputs and results of an implementation in any language. The check suite compares a trace with the
//! reference, within the same error bounds as a candidate that runs in this process. `docs/trace-format.md` describes the
//! format.
//!
//! | module | content |
//! |---|---|
//! | `reader` | reading: containers, metadata, names and order of layers, batches |
//! | `model` | the declared computation and the recorded results |
//! | `file` | writing |
//! | `record` | recording |
//! | `replay`, `checks` | comparison with the reference |

mod checks;
mod file;
mod model;
mod reader;
mod record;
mod replay;

pub(crate) use model::{AfterUpdate, Computation, GradientForm, Precision, Results, Step, parameters_after};
pub use model::{FORMAT as TRACE_FORMAT, Trace};
pub(crate) use replay::{Comparison, Replay, Unit};
