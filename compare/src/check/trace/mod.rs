//! Traces: files with the inputs and results of an implementation in any language. The check suite compares a trace with the
//! reference, within the same error bounds as a candidate that runs in this process. `docs/trace-format.md` describes the
//! format.
//!
//! | module | content |
//! |---|---|
//! | `container` | safetensors, npz and JSON files: tensors and metadata by name |
//! | `metadata` | the operations of the implementation |
//! | `layout` | names and order of layers, axes of weights, biases |
//! | `batches` | images, labels, targets, dropout masks |
//! | `read`, `file` | reading and writing of a whole trace |
//! | `replay` | recording, and comparison with the reference |

mod batches;
mod container;
mod file;
mod layout;
mod metadata;
mod model;
mod names;
mod read;
mod replay;
mod tensors;

pub use model::{FORMAT as TRACE_FORMAT, Trace};
