//! How much two single-precision implementations may differ.
//!
//! u = 2⁻²⁴ is the unit roundoff. A sum of n products in any order is off by about √n·u of its largest partial sums
//! (independent roundings; n = 784 gives 28 u = 1.7e-6), and each layer adds its own. Errors scale with the whole tensor
//! and not with the element, since a small element is a difference of large terms; so each tolerance is a share of the
//! largest magnitude in the tensor. On the report's network the observed differences are ten to a hundred times smaller.

/// Logits: 168 u.
pub const LOGITS: f64 = 1e-5;

/// Mean cross-entropy: 168 u.
pub const LOSS: f64 = 1e-5;

/// Each gradient tensor: 168 u.
pub const GRADIENTS: f64 = 1e-5;

/// Parameters after one update from identical gradients, as a share of the largest step. Adam divides by √v + ε: where
/// a gradient and its decay cancel to about ε = 1e-8, one rounding of the decay (1e-4 · 0.1 · u) is 1e-4 of that sum.
pub const UPDATE: f64 = 1e-4;

/// The rounding of the updated parameter itself, as a share of the largest parameter: 2 u.
pub const ROUNDING: f64 = 1.2e-7;
