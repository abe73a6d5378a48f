//! Numbers that carry bounds on their rounding errors, so that a formula of the reference yields the error of its result
//! together with the result (running error analysis: N. J. Higham, *Accuracy and Stability of Numerical Algorithms*, SIAM
//! 2002, section 3.3).
//!
//! To first order, the error of a result is linear in the errors of the inputs and in the rounding errors of the operations
//! before it. An operation z = x ∘ y therefore propagates
//!
//! ```text
//! ∂z = ∂z/∂x ∂x + ∂z/∂y ∂y,   E²(z) = (∂z/∂x)² E²(x) + (∂z/∂y)² E²(y) + ρ²,   S(z) = |∂z/∂x| S(x) + |∂z/∂y| S(y)
//! ```
//!
//! where ∂ is the gradient with respect to the inputs, E² the variance of the rounding errors, ρ = u|z| the rounding error of
//! the operation itself, and S the sum of systematic errors. The radius R bounds the whole error of a number. Where a
//! function is not linear over that radius, the derivative is replaced by the largest slope of a secant within it, and the
//! product R(x)R(y) of a multiplication is added to S.
//!
//! Limits: rounding errors that reach a result on two paths, such as those of x in x·x, are taken as independent, which
//! underestimates the standard deviation by at most √2 for each of these operations; [`Number::squared`] is exact. Formulas
//! of the reference name such values as an input where it matters.

use std::ops::{Add, Div, Mul, Neg, Sub};

use mlp_parity::Arithmetic;
use mlp_parity_scratch::reference::Number;

use super::bounded_matrix::squared_roundoff;

/// The arithmetic of a candidate, with the unit roundoff of the error model.
#[derive(Clone, Copy, Debug)]
pub(in crate::check) struct Rounding {
    pub(in crate::check) arithmetic: Arithmetic,
    /// u, the root of [`squared_roundoff`].
    pub(in crate::check) roundoff: f64,
}

impl Rounding {
    pub(in crate::check) fn new(arithmetic: &Arithmetic) -> Self {
        Self { arithmetic: *arithmetic, roundoff: squared_roundoff(arithmetic).sqrt() }
    }
}

/// Largest relative error of a divisor for which a quotient is linearized. That of √v reaches it if v is known to a factor
/// of 2.
const LARGEST_RELATIVE_ERROR: f64 = 0.3;

/// Derivatives with respect to the inputs of a formula: an array, or a vector whose missing elements are zero.
pub(in crate::check) trait Derivatives: Clone + AsRef<[f64]> {
    /// Returns the derivatives of a constant.
    fn zeros() -> Self;

    /// Returns the derivatives of the input with this index.
    fn unit(index: usize) -> Self;

    /// Computes `factor` · `self` + `other_factor` · `other`.
    fn combined(self, factor: f64, other: &Self, other_factor: f64) -> Self;
}

impl<const INPUTS: usize> Derivatives for [f64; INPUTS] {
    fn zeros() -> Self {
        [0.0; INPUTS]
    }

    fn unit(index: usize) -> Self {
        std::array::from_fn(|input| f64::from(u8::from(input == index)))
    }

    fn combined(self, factor: f64, other: &Self, other_factor: f64) -> Self {
        std::array::from_fn(|input| factor * self[input] + other_factor * other[input])
    }
}

impl Derivatives for Vec<f64> {
    fn zeros() -> Self {
        Self::new()
    }

    fn unit(index: usize) -> Self {
        (0..=index).map(|input| f64::from(u8::from(input == index))).collect()
    }

    fn combined(mut self, factor: f64, other: &Self, other_factor: f64) -> Self {
        self.resize(self.len().max(other.len()), 0.0);
        self.iter_mut().for_each(|derivative| *derivative *= factor);
        self.iter_mut().zip(other).for_each(|(derivative, other)| *derivative += other_factor * other);
        self
    }
}

/// A number with the error of its computation from the inputs of a formula.
#[derive(Clone, Copy, Debug)]
pub(in crate::check) struct Uncertain<'a, D> {
    rounding: &'a Rounding,
    pub(in crate::check) value: f64,
    /// Largest derivative with respect to each input, within the radius of the inputs.
    pub(in crate::check) gradient: D,
    /// E²: variance of the rounding errors of the operations.
    pub(in crate::check) variance: f64,
    /// Sum of the magnitudes of the rounding errors of the operations.
    pub(in crate::check) worst_case: f64,
    /// S: bound on errors that do not change sign at random, and on terms of second order.
    pub(in crate::check) systematic: f64,
    /// R: bound on the whole error.
    radius: f64,
    /// True if the formula divides by a number that may be mostly error, so that the error has no bound.
    pub(in crate::check) indeterminate: bool,
    /// True if an intermediate result may exceed the largest finite number of the candidate's precision.
    pub(in crate::check) overflows: bool,
}

impl<'a, D: Derivatives> Uncertain<'a, D> {
    /// Creates a number without error, such as a parameter of the candidate.
    pub(in crate::check) fn exact(value: f64, rounding: &'a Rounding) -> Self {
        Self {
            rounding,
            value,
            gradient: D::zeros(),
            variance: 0.0,
            worst_case: 0.0,
            systematic: 0.0,
            radius: 0.0,
            indeterminate: false,
            overflows: false,
        }
    }

    /// Creates the input with this index, whose error is at most `radius`.
    pub(in crate::check) fn input(index: usize, value: f64, radius: f64, rounding: &'a Rounding) -> Self {
        Self { gradient: D::unit(index), radius, ..Self::exact(value, rounding) }
    }

    /// Makes the rounding errors of the operations so far an input of its own, with this index, so that results that depend on
    /// this number more than once count them once. Returns their variance and their worst case.
    pub(in crate::check) fn take_own_error(&mut self, index: usize) -> [f64; 2] {
        let own = [self.variance + self.systematic.powi(2), self.worst_case + self.systematic];
        (self.variance, self.worst_case, self.systematic) = (0.0, 0.0, 0.0);
        self.gradient = self.gradient.clone().combined(1.0, &D::unit(index), 1.0);
        own
    }

    /// Returns a bound on the whole error.
    pub(in crate::check) fn radius(&self) -> f64 {
        self.radius
    }

    /// Returns a constant with a systematic error.
    fn with_systematic(&self, value: f64, error: f64) -> Self {
        let overflows = 2.0 * value.abs() > self.rounding.arithmetic.overflow;
        Self { systematic: error, radius: error, overflows, ..Self::exact(value, self.rounding) }
    }

    /// Returns true if the number has no error.
    fn is_exact(&self) -> bool {
        self.radius == 0.0
    }

    /// Returns f(x) with the value `value`, given the largest slope |f(x + d) − f(x)| / |d| within the radius, and the
    /// rounding error `own` of evaluating f at an exact argument.
    fn function(&self, value: f64, slope: f64, own: f64) -> Self {
        Self {
            value,
            gradient: self.gradient.clone().combined(slope, &D::zeros(), 0.0),
            variance: slope * slope * self.variance,
            worst_case: slope.abs() * self.worst_case,
            systematic: slope.abs() * self.systematic,
            radius: slope.abs() * self.radius,
            ..self.clone()
        }
        .rounded(own)
    }

    /// Adds a rounding error of at most `error` and, if the result may underflow, the error of that.
    fn rounded(mut self, error: f64) -> Self {
        let largest = self.rounding.arithmetic.underflow;
        let is_zero = self.value == 0.0 && self.is_exact();
        let underflow = if self.value.abs() < 2.0 * largest && !is_zero { largest } else { 0.0 };
        self.variance += error * error;
        self.worst_case += error;
        self.systematic += underflow;
        self.radius += error + underflow;
        self.overflows |= 2.0 * self.value.abs() > self.rounding.arithmetic.overflow;
        self
    }

    /// Returns a result of two operands with the value `value`, given its derivatives with respect to them.
    fn combined(&self, other: &Self, value: f64, [left, right]: [f64; 2]) -> Self {
        let linear = |own: f64, other: f64| left.abs() * own + right.abs() * other;
        Self {
            rounding: self.rounding,
            value,
            gradient: self.gradient.clone().combined(left, &other.gradient, right),
            variance: left * left * self.variance + right * right * other.variance,
            worst_case: linear(self.worst_case, other.worst_case),
            systematic: linear(self.systematic, other.systematic),
            radius: linear(self.radius, other.radius),
            indeterminate: self.indeterminate || other.indeterminate,
            overflows: self.overflows || other.overflows,
        }
    }

    /// Returns true if a multiplication by this number is exact: it is a power of two, or zero.
    fn is_exact_factor(&self) -> bool {
        // The significand of a power of two has no bits.
        self.is_exact() && self.value.to_bits().trailing_zeros() >= 52
    }

    /// Returns the error of a function that has an error relative to its result and an absolute one, in units of u.
    fn function_error(&self, value: f64, [relative, absolute]: [f64; 2]) -> f64 {
        self.rounding.roundoff * (relative * value.abs() + absolute) + self.rounding.arithmetic.underflow
    }
}

impl<D: Derivatives> Neg for Uncertain<'_, D> {
    type Output = Self;

    fn neg(self) -> Self {
        Self { value: -self.value, gradient: self.gradient.combined(-1.0, &D::zeros(), 0.0), ..self }
    }
}

impl<D: Derivatives> Add for Uncertain<'_, D> {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        let value = self.value + other.value;
        let rounding = self.rounding.roundoff * value.abs();
        self.combined(&other, value, [1.0, 1.0]).rounded(rounding)
    }
}

impl<D: Derivatives> Sub for Uncertain<'_, D> {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        self + -other
    }
}

impl<D: Derivatives> Mul for Uncertain<'_, D> {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        let value = self.value * other.value;
        let is_exact = self.is_exact_factor() || other.is_exact_factor();
        let rounding = if is_exact { 0.0 } else { self.rounding.roundoff * value.abs() };
        let second_order = self.radius * other.radius;
        let mut product = self.combined(&other, value, [other.value, self.value]).rounded(rounding);
        product.systematic += second_order;
        product.radius += second_order;
        product
    }
}

impl<D: Derivatives> Div for Uncertain<'_, D> {
    type Output = Self;

    fn div(self, other: Self) -> Self {
        let value = self.value / other.value;
        let relative = other.radius / other.value.abs();
        // The derivatives of the quotient grow as the divisor shrinks; they are taken at its smallest magnitude.
        let stretch = (1.0 - relative).powi(-2);
        let derivatives = [stretch / other.value, -stretch * value / other.value];
        let rounding = self.rounding.roundoff * self.rounding.arithmetic.division * value.abs();
        let mut quotient = self.combined(&other, value, derivatives).rounded(rounding);
        // If the divisor is 0, `relative` is NaN or infinite.
        quotient.indeterminate |= relative.is_nan() || relative > LARGEST_RELATIVE_ERROR;
        quotient
    }
}

impl<D: Derivatives> Number for Uncertain<'_, D> {
    fn constant(&self, value: f64) -> Self {
        // A constant that single precision represents is exact in every precision.
        let is_exact = f64::from(value as f32) == value;
        self.with_systematic(value, if is_exact { 0.0 } else { self.rounding.roundoff * value.abs() })
    }

    fn inexact_constant(&self, value: f64, relative_error: f64) -> Self {
        self.with_systematic(value, (self.rounding.roundoff + relative_error) * value.abs())
    }

    fn coefficient(&self, value: f64, amplification: f64) -> Self {
        let Rounding { arithmetic, .. } = self.rounding;
        // Powers of exact hyper-parameters are rounded too, in double precision.
        let of_powers = if arithmetic.single_hyper_parameters {
            arithmetic.unit_roundoff
        } else {
            Arithmetic::DOUBLE.unit_roundoff
        };
        self.with_systematic(value, (arithmetic.unit_roundoff + of_powers * amplification) * value.abs())
    }

    fn value(&self) -> f64 {
        self.value
    }

    fn squared(&self) -> Self {
        let value = self.value * self.value;
        let mut square = self.function(value, 2.0 * self.value, self.rounding.roundoff * value);
        square.systematic += self.radius * self.radius;
        square.radius += self.radius * self.radius;
        square
    }

    fn sqrt(&self) -> Self {
        let root = self.value.sqrt();
        let own = self.rounding.roundoff * self.rounding.arithmetic.square_root * root;
        // |√(v + d) − √v| = |d| / (√v + √(v + d)), which is largest for d = −R.
        let sum = root + (self.value - self.radius).max(0.0).sqrt();
        if sum > 0.0 {
            return self.function(root, sum.recip(), own);
        }
        let error = self.radius.sqrt();
        Self { systematic: error, radius: error, ..self.function(root, 0.0, own) }
    }

    fn exp(&self) -> Self {
        let value = self.value.exp();
        let [at_zero, per_unit] = self.rounding.arithmetic.exponential;
        let own = self.function_error(value, [at_zero + per_unit * self.value.abs(), 0.0]);
        // The steepest secant of exp within the radius R; its two forms avoid cancellation and overflow.
        let slope = match self.radius {
            0.0 => value,
            radius if radius < 1.0 => value * radius.exp_m1() / radius,
            radius => ((self.value + radius).exp() - value) / radius,
        };
        self.function(value, slope, own)
    }

    fn ln(&self) -> Self {
        let value = self.value.ln();
        let own = self.function_error(value, self.rounding.arithmetic.logarithm);
        let relative = self.radius / self.value;
        let stretch = if relative == 0.0 { 1.0 } else { -(-relative).ln_1p() / relative };
        let mut logarithm = self.function(value, stretch / self.value, own);
        logarithm.indeterminate |= relative.is_nan() || relative >= 1.0;
        logarithm
    }

    fn tanh(&self) -> Self {
        let value = self.value.tanh();
        let slope = (self.value.abs() - self.radius).max(0.0).cosh().powi(-2);
        self.function(value, slope, self.function_error(value, self.rounding.arithmetic.tanh))
    }

    fn logistic(&self) -> Self {
        let value = (-self.value).exp();
        let value = if value.is_finite() { 1.0 / (1.0 + value) } else { 0.0 };
        let [relative, per_logarithm] = self.rounding.arithmetic.sigmoid;
        let logarithm = if value > 0.0 { -value.ln() } else { self.value.abs() };
        let own = self.function_error(value, [relative + per_logarithm * logarithm, 0.0]);
        let exponential = (-(self.value.abs() - self.radius).max(0.0)).exp();
        self.function(value, exponential / (1.0 + exponential).powi(2), own)
    }

    fn erf(&self) -> Self {
        let value = Number::erf(&self.value);
        let nearest = (self.value.abs() - self.radius).max(0.0);
        let slope = std::f64::consts::FRAC_2_SQRT_PI * (-nearest * nearest).exp();
        self.function(value, slope, self.function_error(value, self.rounding.arithmetic.tanh))
    }
}
