//! The fast single-precision network: tiles of neurons, a sparse first layer and a thread pool.
//!
//! From the bottom up:
//!
//! | module | content |
//! |---|---|
//! | [`kernels`] | products of tiles, sparse products, SIMD dispatch, thread pool; all unsafe code |
//! | `formulas` | activation functions, softmax with cross-entropy, optimizer updates, for one value at a time |
//! | `tensor` | parameters and their optimizer moments, in rows of 64 values |
//! | `images` | the input images, in sparse or dense blocks of pixels |
//! | `tile` | the forward and backward pass and the update of at most 64 neurons |
//! | `passes` | the forward and backward pass through all layers |
//! | `mlp` | [`Mlp`], the public type |

mod formulas;
mod images;
pub mod kernels;
mod mlp;
mod passes;
mod tensor;
mod tile;

pub use mlp::Mlp;
