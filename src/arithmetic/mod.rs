//! The floating-point types in which networks exist, and how accurately implementations compute in them.

mod model;
mod scalar;

pub use model::Arithmetic;
pub use scalar::Scalar;
