//! Files of other programs: the tensors in them, and the trained networks that they contain.
//!
//! | module | contents |
//! |---|---|
//! | `identify` | recognition of files that cannot be read, with what to do about them |
//! | `container` | safetensors, npz, JSON and PyTorch files |
//! | `npy` | the headers of NumPy arrays |
//! | `order` | the order of layers by their names |
//! | `network` | trained networks, whatever the names and the layout of their tensors |

pub(crate) mod container;
mod identify;
mod network;
mod npy;
mod order;

pub(crate) use identify::reject_other_than_trace;
pub use network::{PixelScaling, SavedNetwork};
pub use npy::open_npy;
pub(crate) use order::in_order;

/// The result of parsing; the error is a message that names the tensor or the entry.
pub(crate) type ParseResult<T> = Result<T, String>;
