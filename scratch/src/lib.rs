//! A multi-layer perceptron by hand, generic over `f32`, in which it is trained, and `f64`, in which it is the oracle
//! that judges every other implementation.
//!
//! # The mathematics
//!
//! Rows are images: a batch of m images is A⁰, `[m, inputs]`. Layer l = 1 … L has a weight Wˡ, `[inputs, outputs]`, and
//! a bias bˡ, `[outputs]`; 1 is a column of m ones.
//!
//! Forward ([`Mlp::logits`]):
//!
//! ```text
//! Zˡ = Aˡ⁻¹ Wˡ + 1 bˡᵀ                                           (1)
//! Aˡ = f(Zˡ)                      for l < L; the logits are Zᴸ   (2)
//! ```
//!
//! Loss: softmax and cross-entropy, the mean over the batch; yᵢ is the label of image i. The largest logit of each
//! row is subtracted before exponentiation, so that nothing overflows:
//!
//! ```text
//! ℒ = 1/m Σᵢ ( ln Σⱼ exp(Zᴸᵢⱼ − μᵢ) + μᵢ − Zᴸᵢ,yᵢ ),   μᵢ = maxⱼ Zᴸᵢⱼ   (3)
//! ```
//!
//! Backward ([`Mlp::loss_and_gradients`]), with δˡ = ∂ℒ/∂Zˡ. Softmax and cross-entropy together have the simple
//! derivative p − y, p being the probabilities and Y the labels as rows of a unit matrix; ∘ is the element-wise
//! product:
//!
//! ```text
//! δᴸ = (softmax(Zᴸ) − Y) / m                                     (4)
//! ∂ℒ/∂Wˡ = Aˡ⁻¹ᵀ δˡ                                              (5)
//! ∂ℒ/∂bˡ = δˡᵀ 1                                                 (6)
//! δˡ⁻¹ = (δˡ Wˡᵀ) ∘ f′(Zˡ⁻¹)                                     (7)
//! ```
//!
//! f′ is computed from the activation a = f(z), which is at hand, not from z:
//!
//! | f | f′ |
//! |---|---|
//! | sigmoid | a (1 − a) |
//! | ReLU | 1 where a > 0, else 0 |
//! | tanh | 1 − a² |
//! | tanh as printed | 1 − tanh(a)², the report's mistake |
//!
//! Updates: the formulas stand at [`Optimizer`](mlp_parity::Optimizer).
//!
//! # Use
//!
//! [`Mlp<f32>`](Mlp) implements [`Classifier`](mlp_parity::Classifier) and
//! [`Differentiable`](mlp_parity::Differentiable). [`Mlp<f64>`](Mlp) is used through its own methods, which have the
//! same names.

mod activation;
mod classifier;
pub mod kernels;
mod loss;
mod mlp;
mod optimizer;
mod workspace;

pub use mlp::Mlp;
pub use workspace::Passes;
