//! Two linear classifiers: a white box with a hand-written gradient ([`linear`]), and a black box that wraps another
//! crate ([`logistic`]).

pub mod linear;
pub mod logistic;
