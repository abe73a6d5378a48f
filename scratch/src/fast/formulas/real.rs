//! The functions exp and tanh for `f32` and `f64`.
//!
//! For `f64` they are those of the standard library. For `f32` they are polynomials from the Cephes library (S. L.
//! Moshier), written without tables and with branches that compile to selections, so that the compiler can vectorize
//! loops over them. A vectorized loop gives the same bits as a scalar one.

use mlp_parity::Scalar;

/// A floating-point number with the transcendental functions of the fast network.
pub(crate) trait Real: Scalar {
    /// Computes e to the power of `self`.
    fn exp(self) -> Self;

    /// Computes the hyperbolic tangent of `self`.
    fn tanh(self) -> Self;
}

/// Uses the functions of the standard library.
impl Real for f64 {
    fn exp(self) -> Self {
        Self::exp(self)
    }

    fn tanh(self) -> Self {
        Self::tanh(self)
    }
}

/// Uses polynomial approximations from the Cephes library. The relative error is at most 2u for exp and 4u for tanh,
/// where u = 2⁻²⁴ is the unit roundoff; the tests check every 97th `f32`.
impl Real for f32 {
    /// Computes eˣ = 2ⁿ·eʳ with x = n·ln 2 + r, where n is an integer and |r| ≤ ln 2 / 2, and eʳ is a polynomial
    /// (Cephes, `expf.c`).
    #[inline(always)]
    fn exp(self) -> Self {
        /// 1.5 · 2²³, a constant for rounding to integers. At this magnitude an ulp is 1, so adding the constant to a
        /// small number rounds it to an integer, which the low bits of the sum then hold.
        const ROUND: f32 = 12_582_912.0;
        // Beyond these limits the result is infinity or zero. NaN passes, since comparisons with it are false.
        let x = if self > 89.0 { 89.0 } else { self };
        let x = if x < -104.0 { -104.0 } else { x };
        let shifted = x * std::f32::consts::LOG2_E + ROUND;
        let n = shifted - ROUND;
        // r = x − n·ln 2, with ln 2 in two parts (Cody and Waite): the first has so few bits that its product with n is
        // exact, so no accuracy is lost to cancellation.
        let r = x - n * 0.693_359_4 - n * -2.121_944_4e-4;
        let p = 1.987_569_1e-4;
        let p = p * r + 1.398_199_9e-3;
        let p = p * r + 8.333_452e-3;
        let p = p * r + 4.166_579_6e-2;
        let p = p * r + 1.666_666_5e-1;
        let p = p * r + 0.5;
        let power = (p * r * r + r) + 1.0;
        // 2ⁿ in two factors: n itself may be out of the range of exponents, where the result overflows or is subnormal.
        let n = shifted.to_bits().wrapping_sub(ROUND.to_bits()) as i32;
        let half = n >> 1;
        let factor = |n: i32| f32::from_bits((n.wrapping_add(127) as u32) << 23);
        power * factor(half) * factor(n.wrapping_sub(half))
    }

    /// Computes tanh x by an odd polynomial for |x| < 0.625 (Cephes, `tanhf.c`), else as 1 − 2 / (e²ˣ + 1).
    #[inline(always)]
    fn tanh(self) -> Self {
        let square = self * self;
        let p = -5.704_988_7e-3;
        let p = p * square + 2.063_909e-2;
        let p = p * square - 5.373_971_5e-2;
        let p = p * square + 1.333_144_2e-1;
        let p = p * square - 3.333_328e-1;
        let near = p * square * self + self;
        let far = 1.0 - 2.0 / (Real::exp(2.0 * self.abs()) + 1.0);
        // Both are computed, so that vectors need no branch. Near zero, 1 − 2 / (e²ˣ + 1) would suffer from
        // cancellation.
        let value = if self.abs() < 0.625 { near } else { far };
        value.copysign(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the largest relative error of `function`, in units of u = 2⁻²⁴, over every `step`-th `f32`. Arguments
    /// whose exact result is zero, subnormal, infinite or NaN in `f32` are skipped.
    fn largest_error(function: impl Fn(f32) -> f32, exact: impl Fn(f64) -> f64, step: usize) -> f64 {
        let error = |bits: u32| {
            let x = f32::from_bits(bits);
            let exact = exact(f64::from(x));
            let is_normal = exact.abs() >= f64::from(f32::MIN_POSITIVE) && exact.abs() <= f64::from(f32::MAX);
            if !is_normal { 0.0 } else { ((f64::from(function(x)) - exact) / exact).abs() * 2.0_f64.powi(24) }
        };
        (0..u32::MAX).step_by(step).map(error).fold(0.0, f64::max)
    }

    #[test]
    fn f32_exp_tanh_and_sigmoid_stay_within_error_bounds() {
        let bound = mlp_parity::Arithmetic::SINGLE;
        let exp = largest_error(Real::exp, f64::exp, 97);
        assert!(exp <= bound.exponential[0], "{exp}");
        let tanh = largest_error(Real::tanh, f64::tanh, 97);
        assert!(tanh <= bound.tanh[0], "{tanh}");
        let sigmoid = largest_error(|x| 1.0 / (1.0 + Real::exp(-x)), |x| 1.0 / (1.0 + (-x).exp()), 97);
        assert!(sigmoid <= bound.sigmoid[0], "{sigmoid}");
    }

    #[test]
    fn vectorized_exp_and_tanh_match_scalar_bit_for_bit() {
        let numbers: Vec<f32> = (0..1 << 16).map(|index| f32::from_bits(index * 65_521)).collect();
        for function in [Real::exp, Real::tanh] {
            let mut vectors = numbers.clone();
            crate::fast::kernels::vectorized(
                #[inline(always)]
                || vectors.iter_mut().for_each(|value| *value = function(*value)),
            );
            for (&number, value) in numbers.iter().zip(vectors) {
                assert_eq!(value.to_bits(), function(number).to_bits(), "argument {number}");
            }
        }
    }

    #[test]
    fn f32_exp_and_tanh_handle_extreme_arguments() {
        let infinity = f32::INFINITY;
        assert_eq!(
            [89.0, 1e30, infinity, -105.0, -infinity].map(<f32 as Real>::exp),
            [infinity, infinity, infinity, 0.0, 0.0]
        );
        assert_eq!([0.0, -0.0].map(<f32 as Real>::exp), [1.0, 1.0]);
        assert_eq!([infinity, -infinity, 1e30, -20.0].map(<f32 as Real>::tanh), [1.0, -1.0, 1.0, -1.0]);
        assert!(Real::exp(f32::NAN).is_nan() && Real::tanh(f32::NAN).is_nan());
        assert!(Real::tanh(-0.0_f32).is_sign_negative());
        let subnormal = Real::exp(-100.0_f32);
        approx::assert_abs_diff_eq!(f64::from(subnormal), (-100.0_f64).exp(), epsilon = 2.0_f64.powi(-149));
    }
}
