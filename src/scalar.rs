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

    /// The neighbour of a finite, non-zero value away from (`true`) or towards (`false`) zero: one ulp.
    /// Zero stays zero.
    fn neighbour(self, away_from_zero: bool) -> Self;
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

            fn neighbour(self, away_from_zero: bool) -> Self {
                if self == 0.0 {
                    self
                } else if (self > 0.0) == away_from_zero {
                    self.next_up()
                } else {
                    self.next_down()
                }
            }
        }
    };
}

scalar!(f32, Dtype::F32);
scalar!(f64, Dtype::F64);
