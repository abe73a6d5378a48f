//! The parameters of a network, and everything that has their shape: gradients, velocities, moments.

mod comparison;
mod file;
mod glorot;
mod layers;
mod optimizer_state;
mod stored;

pub use file::{FORMAT, ParameterFile};
pub use layers::{Layer, Parameters};
pub use optimizer_state::OptimizerState;
