//! The floating-point types of networks ([`Scalar`]), and a model of how accurately an implementation computes
//! ([`Arithmetic`]).

mod model;
mod scalar;

pub use model::Arithmetic;
pub use scalar::Scalar;
