//! Hyper-parameters: of the network ([`MlpConfig`]), of the rule that updates it ([`Optimizer`]), of a run
//! ([`TrainingConfig`]). Nothing has a hidden default; a value that exists is valid.

mod activation;
mod network;
mod optimizer;
mod schedule;
pub(crate) mod seed;
mod training;

pub use activation::Activation;
pub use network::MlpConfig;
pub use optimizer::Optimizer;
pub use schedule::Schedule;
pub use training::TrainingConfig;
