//! A model of the rounding errors that an implementation makes.

/// Largest rounding errors of an implementation's elementary operations, from which error bounds are derived.
///
/// The errors of functions are in units of the [unit roundoff](Self::unit_roundoff) u: `division: 1.0` means that a
/// division has a relative error of at most u.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Arithmetic {
    /// Unit roundoff u: the largest relative error of a sum, difference or product of two numbers.
    pub unit_roundoff: f64,
    /// Largest absolute error of a result that underflows, that is, is rounded to a subnormal number or flushed to
    /// zero: the smallest normal number.
    pub underflow: f64,
    /// Largest finite number.
    pub overflow: f64,
    /// Largest relative error of a division, in units of u.
    pub division: f64,
    /// Largest relative error of a square root, in units of u.
    pub square_root: f64,
    /// Largest relative error of exp(x), in units of u: a constant part, and a part that is multiplied by |x|.
    pub exponential: [f64; 2],
    /// Largest error of ln(x), in units of u: a part relative to the result, and an absolute part, which dominates
    /// where the result is near zero.
    pub logarithm: [f64; 2],
    /// Largest error of tanh(x), in units of u: a part relative to the result, and an absolute part.
    pub tanh: [f64; 2],
    /// Largest relative error of s = 1/(1 + exp(−x)), in units of u: a constant part, and a part that is multiplied by
    /// |ln s|. The second part is for implementations that compute exp(−ln(1 + exp(−x))), because the exponential
    /// magnifies the rounding error of the logarithm.
    pub sigmoid: [f64; 2],
    /// True if the optimizer keeps its hyper-parameters (β₁, β₂, µ, ε and λ, see [`Optimizer`](crate::Optimizer)) in
    /// single precision, and also computes 1 − β₁ᵗ and 1 − β₂ᵗ in single precision.
    pub single_hyper_parameters: bool,
}

impl Arithmetic {
    /// IEEE single precision, with the elementary functions of a C library, which are accurate to one or two ulps (an
    /// ulp is at most 2 u).
    pub const SINGLE: Self = Self {
        unit_roundoff: f32::EPSILON as f64 / 2.0,
        underflow: f32::MIN_POSITIVE as f64,
        overflow: f32::MAX as f64,
        division: 1.0,
        square_root: 1.0,
        exponential: [2.0, 0.0],
        logarithm: [2.0, 0.0],
        tanh: [4.0, 0.0],
        sigmoid: [6.0, 0.0],
        single_hyper_parameters: false,
    };

    /// IEEE double precision. The errors of the elementary functions, in units of u, are those of
    /// [`SINGLE`](Self::SINGLE).
    pub const DOUBLE: Self =
        Self { unit_roundoff: f64::EPSILON / 2.0, underflow: f64::MIN_POSITIVE, overflow: f64::MAX, ..Self::SINGLE };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_constants_match_ieee_formats() {
        let Arithmetic { unit_roundoff, underflow, overflow, .. } = Arithmetic::SINGLE;
        assert_eq!([unit_roundoff, underflow, overflow], [2.0_f64.powi(-24), 2.0_f64.powi(-126), f64::from(f32::MAX)]);
        let Arithmetic { unit_roundoff, underflow, overflow, .. } = Arithmetic::DOUBLE;
        assert_eq!([unit_roundoff, underflow, overflow], [2.0_f64.powi(-53), 2.0_f64.powi(-1022), f64::MAX]);
    }
}
