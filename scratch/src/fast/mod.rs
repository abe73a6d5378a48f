//! The network that is trained: tiles of neurons, a sparse first layer, a thread pool.

mod group;
mod images;
pub mod kernels;
mod mlp;
mod passes;
mod tensor;

pub use mlp::Mlp;
