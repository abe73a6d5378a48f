//! The numbers in which the formulas of the reference are evaluated.

use std::ops::{Add, Div, Mul, Neg, Sub};

use mlp_parity::Scalar;

/// A number in which a formula of the reference can be evaluated.
///
/// Every scalar formula, such as an activation function or the update of an optimizer, is written once, for any type
/// with this trait. `f64` and `f32` give its value. A type that carries rounding errors gives their bounds, by the same
/// formula (running error analysis: J. H. Wilkinson, *Error analysis revisited*, IMA Bulletin 22, 1986).
pub trait Number:
    Clone + Neg<Output = Self> + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self>
{
    /// Returns a constant of a formula. `self` supplies what the type needs besides the value, such as the precision.
    fn constant(&self, value: f64) -> Self;

    /// Returns a constant that implementations know with this relative error only.
    fn inexact_constant(&self, value: f64, relative_error: f64) -> Self {
        let _ = relative_error;
        self.constant(value)
    }

    /// Returns a constant that is computed from powers of hyper-parameters. Their relative rounding error is multiplied by
    /// `amplification`.
    fn coefficient(&self, value: f64, amplification: f64) -> Self {
        let _ = amplification;
        self.constant(value)
    }

    /// Returns the value, by which a formula chooses between branches.
    fn value(&self) -> f64;

    /// Computes the square.
    fn squared(&self) -> Self;

    /// Computes the square root.
    fn sqrt(&self) -> Self;

    /// Computes e to the power of `self`.
    fn exp(&self) -> Self;

    /// Computes the natural logarithm.
    fn ln(&self) -> Self;

    /// Computes the hyperbolic tangent.
    fn tanh(&self) -> Self;

    /// Computes the logistic function, 1 / (1 + exp(−x)).
    fn logistic(&self) -> Self;

    /// Computes the error function, 2/√π ∫₀ˣ exp(−t²) dt.
    fn erf(&self) -> Self;

    /// Returns the absolute value.
    fn abs(&self) -> Self {
        if self.value() < 0.0 { -self.clone() } else { self.clone() }
    }

    /// Returns the larger of two numbers; `other` if `self` is NaN.
    fn max(&self, other: &Self) -> Self {
        if self.value() >= other.value() { self.clone() } else { other.clone() }
    }
}

/// Uses the functions of the standard library, and `erf` of the library libm. For `f32`, they are computed in double
/// precision.
impl<F: Scalar> Number for F {
    fn constant(&self, value: f64) -> Self {
        Self::from_f64(value)
    }

    fn value(&self) -> f64 {
        (*self).into()
    }

    fn squared(&self) -> Self {
        *self * *self
    }

    fn sqrt(&self) -> Self {
        Self::from_f64(self.value().sqrt())
    }

    fn exp(&self) -> Self {
        Self::from_f64(self.value().exp())
    }

    fn ln(&self) -> Self {
        Self::from_f64(self.value().ln())
    }

    fn tanh(&self) -> Self {
        Self::from_f64(self.value().tanh())
    }

    fn logistic(&self) -> Self {
        Self::from_f64(1.0 / (1.0 + (-self.value()).exp()))
    }

    fn erf(&self) -> Self {
        Self::from_f64(libm::erf(self.value()))
    }
}
