//! Hyper-parameters of the network ([`MlpConfig`]), of the optimizer ([`Optimizer`]) and of a training run
//! ([`TrainingConfig`]). Every default is documented. An [`MlpConfig`] or [`TrainingConfig`] is always valid, because
//! their constructors reject invalid values.

mod activation;
mod network;
mod optimizer;
mod optimizer_text;
mod schedule;
pub(crate) mod seed;
mod training;

pub use activation::Activation;
pub use network::MlpConfig;
pub use optimizer::Optimizer;
pub use schedule::Schedule;
pub use training::{TrainingConfig, TrainingConfigBuilder};
