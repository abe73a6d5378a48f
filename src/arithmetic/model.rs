//! How accurately an implementation computes.

/// What one operation of an implementation may be off by: the premises from which allowed errors are derived. Unless
/// they say otherwise, errors are shares of the exact result, in units of [`unit_roundoff`](Self::unit_roundoff).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Arithmetic {
    /// u: a sum, difference or product of two numbers is off by at most this share of it.
    pub unit_roundoff: f64,
    /// A result below this magnitude may be off by as much: rounded to a subnormal number, or flushed to zero.
    pub underflow: f64,
    /// The largest finite number.
    pub overflow: f64,
    /// Of a division.
    pub division: f64,
    /// Of a square root.
    pub square_root: f64,
    /// Of exp(x): at x = 0, and for each unit of |x|.
    pub exponential: [f64; 2],
    /// Of ln(x): of the result, and absolutely, which counts where the result is near zero.
    pub logarithm: [f64; 2],
    /// Of tanh(x): of the result, and absolutely.
    pub tanh: [f64; 2],
    /// Of 1/(1 + exp(−x)): of the result, and for each unit of its |ln|, since who takes exp(−ln(1 + exp(−x))) rounds
    /// that logarithm.
    pub sigmoid: [f64; 2],
    /// Whether the optimizer keeps β, µ, ε and λ in single precision, and computes 1 − βᵗ in it.
    pub single_hyper_parameters: bool,
}

impl Arithmetic {
    /// IEEE single precision with the functions of a C library, which are good to an ulp or two (one ulp is up to 2 u).
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

    /// The same in double precision.
    pub const DOUBLE: Self =
        Self { unit_roundoff: f64::EPSILON / 2.0, underflow: f64::MIN_POSITIVE, overflow: f64::MAX, ..Self::SINGLE };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_are_those_of_the_two_formats() {
        let Arithmetic { unit_roundoff, underflow, overflow, .. } = Arithmetic::SINGLE;
        assert_eq!([unit_roundoff, underflow, overflow], [2.0_f64.powi(-24), 2.0_f64.powi(-126), f64::from(f32::MAX)]);
        let Arithmetic { unit_roundoff, underflow, overflow, .. } = Arithmetic::DOUBLE;
        assert_eq!([unit_roundoff, underflow, overflow], [2.0_f64.powi(-53), 2.0_f64.powi(-1022), f64::MAX]);
    }
}
