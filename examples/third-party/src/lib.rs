//! A linear classifier twice: as a white box whose gradient is written by hand, and as a black box from another crate.

pub mod linear;
pub mod logistic;
