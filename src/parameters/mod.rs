//! The parameters of a network: their layout, initialization, comparison, and files. Gradients and optimizer state use
//! the same types.

mod comparison;
mod file;
mod glorot;
mod layers;
mod optimizer_state;
mod stored;

pub use file::{FORMAT, ParameterFile};
pub use layers::{Layer, Parameters};
pub use optimizer_state::OptimizerState;
