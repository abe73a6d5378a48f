//! The multi-layer perceptron as a [Burn](https://burn.dev) module: layers, automatic differentiation and optimizers
//! are Burn's, and one type, [`Mlp`], runs on every device that Burn has.
//!
//! Burn's defaults are not PyTorch's everywhere; here every one is set explicitly:
//!
//! | default | Burn 0.22 | PyTorch and here |
//! |---|---|---|
//! | Adam's and AdamW's ε | 1e-5 | 1e-8 |
//! | dampening of momentum | 0.1 | 0 |
//! | initial parameters | Kaiming uniform, biases too | given: [`Parameters`](mlp_parity::Parameters) |
//!
//! [`Backend`] says which devices this build knows and opens them; [`Items`] hands a data set to Burn's own loaders.

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
