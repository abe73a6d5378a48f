//! The scalar formulas of the fast network, in forms that vectorize: activation functions, softmax with cross-entropy,
//! optimizer updates, exp and tanh.

pub(crate) mod activation;
pub(crate) mod loss;
pub(crate) mod optimizer;
mod real;
