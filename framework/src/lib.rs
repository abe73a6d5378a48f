//! The multi-layer perceptron, implemented with [Burn](https://burn.dev). Layers, automatic differentiation and
//! optimizers come from Burn. The type [`Mlp`] implements the traits [`Classifier`](mlp_parity::Classifier) and
//! [`Differentiable`](mlp_parity::Differentiable) on every device that Burn supports.
//!
//! Some defaults of Burn differ from those of PyTorch, so this crate sets all of them explicitly:
//!
//! | default | Burn 0.22 | PyTorch, this crate |
//! |---|---|---|
//! | ε of Adam and AdamW | 1e-5 | 1e-8 |
//! | dampening of momentum | 0.1 | 0 |
//! | initial parameters | Kaiming uniform, also for biases | passed in as [`Parameters`](mlp_parity::Parameters) |
//!
//! [`Backend`] lists the backends of this build and opens their devices. [`Items`] passes a data set to Burn's data
//! loaders.

#[cfg(feature = "remote")]
mod admission;
mod backend;
mod cache;
mod classifier;
mod device;
mod error;
mod items;
mod model;
mod on_device;
mod optimizer;
#[cfg(feature = "remote")]
mod remote;

pub use backend::Backend;
pub use burn;
pub use cache::burn_dataset_cache;
pub use classifier::Mlp;
pub use device::OpenDevice;
pub use error::Error;
pub use items::{Item, Items};
pub use model::Model;
