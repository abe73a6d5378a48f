//! The floating-point types in which networks compute ([`Scalar`]), and a model of the rounding errors that an
//! implementation makes ([`Arithmetic`]).

mod model;
mod scalar;

pub use model::Arithmetic;
pub use scalar::Scalar;
