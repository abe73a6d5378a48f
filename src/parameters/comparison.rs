//! Approximate comparison of whole parameter sets with the macros of the `approx` crate, such as `assert_abs_diff_eq!`.
//! Parameters of different shapes are unequal, and NaN is unequal to everything.

use approx::{AbsDiffEq, RelativeEq};

use super::layers::Parameters;
use crate::Scalar;

impl<F: Scalar> Parameters<F> {
    /// Returns `true` if `self` and `other` have the same layer sizes and `equal` holds for every pair of corresponding
    /// values.
    fn all_pairs(&self, other: &Self, mut equal: impl FnMut(&F, &F) -> bool) -> bool {
        self.sizes() == other.sizes()
            && self
                .tensors()
                .zip(other.tensors())
                .all(|((_, ours), (_, theirs))| ours.iter().zip(theirs.iter()).all(|(a, b)| equal(a, b)))
    }
}

impl<F: Scalar + AbsDiffEq<Epsilon = F>> AbsDiffEq for Parameters<F> {
    type Epsilon = F;

    fn default_epsilon() -> F {
        F::default_epsilon()
    }

    fn abs_diff_eq(&self, other: &Self, epsilon: F) -> bool {
        self.all_pairs(other, |a, b| a.abs_diff_eq(b, epsilon))
    }
}

impl<F: Scalar + RelativeEq<Epsilon = F>> RelativeEq for Parameters<F> {
    fn default_max_relative() -> F {
        F::default_max_relative()
    }

    fn relative_eq(&self, other: &Self, epsilon: F, max_relative: F) -> bool {
        self.all_pairs(other, |a, b| a.relative_eq(b, epsilon, max_relative))
    }
}

#[cfg(test)]
mod tests {
    use approx::{assert_abs_diff_eq, assert_abs_diff_ne, assert_relative_eq, assert_relative_ne};

    use crate::{Activation, MlpConfig, Parameters};

    #[test]
    fn parameters_compare_within_tolerance_and_nan_differs() {
        let config = MlpConfig::new(4, &[3], 2, Activation::Tanh).unwrap();
        let original = Parameters::<f64>::glorot_uniform(&config, 1);
        let mut changed = original.clone();
        assert_abs_diff_eq!(original, changed, epsilon = 0.0);
        changed.layers_mut()[1].bias[1] += 1e-3;
        assert_abs_diff_eq!(original, changed, epsilon = 2e-3);
        assert_abs_diff_ne!(original, changed, epsilon = 5e-4);
        assert_relative_eq!(original, changed, epsilon = 2e-3);
        assert_relative_ne!(original, changed, epsilon = 0.0, max_relative = 1e-3);
        changed.layers_mut()[0].weight[[0, 0]] = f64::NAN;
        assert_abs_diff_ne!(original, changed, epsilon = 1.0);
    }

    /// The default tolerances of single values apply: an absolute one near 0, a relative one for large values.
    #[test]
    fn parameters_use_default_tolerances_of_scalars() {
        let config = MlpConfig::new(4, &[3], 2, Activation::Tanh).unwrap();
        let bias = |value: f64| {
            let mut parameters = Parameters::<f64>::zeros(&config);
            parameters.layers_mut()[1].bias[1] = value;
            parameters
        };
        assert_abs_diff_eq!(bias(f64::EPSILON / 2.0), bias(0.0));
        assert_relative_eq!(bias(100.0), bias(100.0_f64.next_up()));
        assert_abs_diff_ne!(bias(100.0), bias(100.0_f64.next_up()));
    }

    #[test]
    fn parameters_of_different_shapes_differ() {
        let network = |hidden: &[usize]| {
            let config = MlpConfig::new(4, hidden, 2, Activation::Tanh).unwrap();
            Parameters::<f32>::zeros(&config)
        };
        assert_abs_diff_ne!(network(&[3]), network(&[2]), epsilon = 1.0);
    }
}
