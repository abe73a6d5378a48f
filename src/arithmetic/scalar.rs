//! The two floating-point types in which the network exists.

use ndarray::NdFloat;
use safetensors::Dtype;

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

/// `f32`, in which networks are trained, or `f64`, in which they are judged.
pub trait Scalar: NdFloat + From<f32> + Into<f64> + sealed::Sealed {
    /// The type's name in a safetensors file.
    const DTYPE: Dtype;

    /// The nearest value of this type.
    fn from_f64(value: f64) -> Self;

    /// The value's bytes, little-endian, appended to `bytes`.
    fn extend_le_bytes(self, bytes: &mut Vec<u8>);

    /// The values of little-endian `bytes`; an incomplete last one is left out.
    fn from_le_bytes(bytes: &[u8]) -> Vec<Self>;

    /// A finite, non-zero value moved by this many units in the last place, away from (`true`) or towards (`false`)
    /// zero, where it ends, as it does at the largest number. Zero stays zero.
    fn moved(self, ulps: usize, away_from_zero: bool) -> Self;
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

            fn moved(self, ulps: usize, away_from_zero: bool) -> Self {
                // The bits of a positive number count the numbers up to it.
                let count = self.abs().to_bits();
                let ulps = ulps.try_into().unwrap_or(<$float>::MAX.to_bits());
                let moved = match away_from_zero {
                    _ if count == 0 => 0,
                    true => count.saturating_add(ulps).min(<$float>::MAX.to_bits()),
                    false => count.saturating_sub(ulps),
                };
                <$float>::from_bits(moved).copysign(self)
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
    fn moving_by_one_is_the_next_number_and_by_all_the_last() {
        for value in [1.0_f32, -1.0, 0.1, -f32::MIN_POSITIVE, 3e38] {
            let (up, down) = (value.next_up(), value.next_down());
            let [away, towards] = if value > 0.0 { [up, down] } else { [down, up] };
            assert_eq!([value.moved(1, true), value.moved(1, false)], [away, towards]);
            assert_eq!(value.moved(usize::MAX, true), f32::MAX.copysign(value));
            assert_eq!(value.moved(usize::MAX, false), 0.0);
        }
        assert_eq!([0.0_f64.moved(3, true), 1.0_f64.moved(2, true)], [0.0, 1.0_f64.next_up().next_up()]);
    }
}
