//! Rounding of the factors of matrix products to a shorter format, as tensor cores do.

/// Format to which both factors of a matrix product are rounded, to nearest with ties to even, before they are multiplied.
/// Their products are added in single precision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProductPrecision {
    /// The factors are not rounded.
    Full,
    /// TF32 of NVIDIA's tensor cores: 11 significant bits.
    Tf32,
    /// bfloat16: 8 significant bits.
    Bf16,
    /// IEEE half precision: 11 significant bits, the smallest normal number 2⁻¹⁴, the largest number 65,504.
    F16,
}

impl ProductPrecision {
    /// Returns the number of significant bits; `None` if factors are not rounded.
    pub fn significant_bits(self) -> Option<i32> {
        match self {
            Self::Full => None,
            Self::Tf32 | Self::F16 => Some(11),
            Self::Bf16 => Some(8),
        }
    }

    /// Returns the exponent of the smallest normal number.
    fn smallest_exponent(self) -> i32 {
        match self {
            Self::F16 => -14,
            Self::Full | Self::Tf32 | Self::Bf16 => -126,
        }
    }

    /// Returns the distance between neighbouring numbers of the format around a finite `value`: the unit in the last place, 0
    /// if factors are not rounded.
    fn spacing(self, value: f64) -> f64 {
        let Some(bits) = self.significant_bits() else { return 0.0 };
        let exponent = if value == 0.0 { self.smallest_exponent() } else { exponent(value) };
        2.0_f64.powi(exponent.max(self.smallest_exponent()) - (bits - 1))
    }

    /// Rounds a value to the format. Values beyond the largest number of half precision become infinite.
    pub fn round(self, value: f64) -> f64 {
        if self == Self::Full || !value.is_finite() {
            return value;
        }
        let spacing = self.spacing(value);
        let rounded = (value / spacing).round_ties_even() * spacing;
        let overflows = self == Self::F16 && rounded.abs() > 65_504.0;
        if overflows { f64::INFINITY.copysign(value) } else { rounded }
    }
}

/// Returns the exponent e of a finite value with 2ᵉ ≤ |value| < 2ᵉ⁺¹.
fn exponent(value: f64) -> i32 {
    let exponent = value.abs().log2().floor() as i32;
    // The logarithm is rounded, so it may be off by one near a power of two.
    match value.abs() {
        magnitude if magnitude < 2.0_f64.powi(exponent) => exponent - 1,
        magnitude if magnitude >= 2.0_f64.powi(exponent + 1) => exponent + 1,
        _ => exponent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_to_short_formats_matches_examples() {
        use ProductPrecision::{Bf16, F16, Full, Tf32};
        assert_eq!(Full.round(0.1), 0.1);
        // torch.tensor(0.1).bfloat16() and .half().
        assert_eq!((Bf16.round(0.1), F16.round(0.1)), (0.100_097_656_25, 0.099_975_585_937_5));
        // Ties go to the even neighbour.
        assert_eq!(
            (Tf32.round(1.0 + 2.0_f64.powi(-11)), Tf32.round(1.0 + 3.0 * 2.0_f64.powi(-11))),
            (1.0, 1.0 + 2.0_f64.powi(-9))
        );
        assert_eq!((F16.round(65_519.0), F16.round(-65_520.0)), (65_504.0, f64::NEG_INFINITY));
        // The smallest subnormal number of half precision is 2⁻²⁴.
        assert_eq!((F16.round(2.0_f64.powi(-24)), F16.round(2.0_f64.powi(-26))), (2.0_f64.powi(-24), 0.0));
        assert_eq!((Bf16.round(0.0), Bf16.round(2.0)), (0.0, 2.0));
        assert!(Tf32.round(f64::NAN).is_nan() && Bf16.round(f64::INFINITY) == f64::INFINITY);
    }

    #[test]
    fn rounding_error_is_at_most_half_the_spacing() {
        for format in [ProductPrecision::Tf32, ProductPrecision::Bf16, ProductPrecision::F16] {
            for value in (-2000..2000).map(|step| 1.01_f64.powi(step / 2) * f64::from(step).signum()) {
                let rounded = format.round(value);
                assert!((rounded - value).abs() <= format.spacing(value) / 2.0 || rounded.is_infinite(), "{value}");
                assert_eq!(format.round(rounded), rounded, "{value}");
            }
        }
    }
}
