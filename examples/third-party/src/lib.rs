//! Two linear classifiers that implement the traits of mlp-parity: a white box with a hand-written gradient
//! ([`linear`]), and a black box that wraps a model of another crate ([`logistic`]).

pub mod linear;
pub mod logistic;
