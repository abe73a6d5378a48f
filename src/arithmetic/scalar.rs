//! The floating-point types in which networks compute, `f32` and `f64`, behind one trait.

use ndarray::NdFloat;
use safetensors::Dtype;

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

/// Floating-point type in which a network computes: `f32` for training, `f64` for the reference. No other type
/// implements this trait.
pub trait Scalar: NdFloat + From<f32> + Into<f64> + sealed::Sealed {
    /// The type's identifier in a safetensors file.
    const DTYPE: Dtype;

    /// Rounds `value` to the nearest value of this type.
    fn from_f64(value: f64) -> Self;

    /// Appends the value's little-endian bytes to `bytes`.
    fn extend_le_bytes(self, bytes: &mut Vec<u8>);

    /// Decodes consecutive little-endian values. An incomplete value at the end is ignored.
    fn from_le_bytes(bytes: &[u8]) -> Vec<Self>;

    /// Moves a finite value by `ulps` units in the last place: away from zero if `away_from_zero` is true, otherwise
    /// towards zero. The result keeps the sign, and stops at zero or at the largest finite number. Zero stays zero.
    fn offset_by_ulps(self, ulps: usize, away_from_zero: bool) -> Self;
}

macro_rules! scalar {
    ($float:ty, $dtype:expr) => {
        impl Scalar for $float {
            const DTYPE: Dtype = $dtype;

            fn from_f64(value: f64) -> Self {
                value as $float
            }

            fn extend_le_bytes(self, bytes: &mut Vec<u8>) {
                bytes.extend_from_slice(&self.to_le_bytes());
            }

            fn from_le_bytes(bytes: &[u8]) -> Vec<Self> {
                let (values, _) = bytes.as_chunks();
                values.iter().copied().map(<$float>::from_le_bytes).collect()
            }

            fn offset_by_ulps(self, ulps: usize, away_from_zero: bool) -> Self {
                // The bits of a positive float, read as an integer, number the floats from zero up, so a difference of
                // one is one ulp.
                let position = self.abs().to_bits();
                let ulps = ulps.try_into().unwrap_or(<$float>::MAX.to_bits());
                let target = match away_from_zero {
                    _ if position == 0 => 0,
                    true => position.saturating_add(ulps).min(<$float>::MAX.to_bits()),
                    false => position.saturating_sub(ulps),
                };
                <$float>::from_bits(target).copysign(self)
            }
        }
    };
}

scalar!(f32, Dtype::F32);
scalar!(f64, Dtype::F64);

#[cfg(test)]
mod tests {
    use super::Scalar;

    #[test]
    fn offset_by_ulps_reaches_adjacent_values_and_stops_at_limits() {
        for value in [1.0_f32, -1.0, 0.1, -f32::MIN_POSITIVE, 3e38] {
            let (up, down) = (value.next_up(), value.next_down());
            let [away, towards] = if value > 0.0 { [up, down] } else { [down, up] };
            assert_eq!([value.offset_by_ulps(1, true), value.offset_by_ulps(1, false)], [away, towards]);
            assert_eq!(value.offset_by_ulps(usize::MAX, true), f32::MAX.copysign(value));
            assert_eq!(value.offset_by_ulps(usize::MAX, false), 0.0);
        }
        assert_eq!(
            [0.0_f64.offset_by_ulps(3, true), 1.0_f64.offset_by_ulps(2, true)],
            [0.0, 1.0_f64.next_up().next_up()]
        );
    }
}
