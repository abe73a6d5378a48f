//! `assert_abs_diff_eq!` and `assert_relative_eq!` on whole networks. Shapes that differ are unequal, as is NaN.

use approx::{AbsDiffEq, RelativeEq};

use super::layers::Parameters;
use crate::Scalar;

impl<F: Scalar> Parameters<F> {
    fn all_pairs(&self, other: &Self, mut equal: impl FnMut(&F, &F) -> bool) -> bool {
        self.sizes() == other.sizes()
            && self
                .tensors()
                .zip(other.tensors())
                .all(|((_, left), (_, right))| left.iter().zip(right.iter()).all(|(left, right)| equal(left, right)))
    }
}

impl<F: Scalar + AbsDiffEq<Epsilon = F>> AbsDiffEq for Parameters<F> {
    type Epsilon = F;

    fn default_epsilon() -> F {
        F::default_epsilon()
    }

    fn abs_diff_eq(&self, other: &Self, epsilon: F) -> bool {
        self.all_pairs(other, |left, right| left.abs_diff_eq(right, epsilon))
    }
}

impl<F: Scalar + RelativeEq<Epsilon = F>> RelativeEq for Parameters<F> {
    fn default_max_relative() -> F {
        F::default_max_relative()
    }

    fn relative_eq(&self, other: &Self, epsilon: F, max_relative: F) -> bool {
        self.all_pairs(other, |left, right| left.relative_eq(right, epsilon, max_relative))
    }
}

#[cfg(test)]
mod tests {
    use approx::{assert_abs_diff_eq, assert_abs_diff_ne, assert_relative_eq, assert_relative_ne};

    use crate::{Activation, MlpConfig, Parameters};

    #[test]
    fn equal_within_a_tolerance_and_never_with_nan() {
        let config = MlpConfig::new(4, &[3], 2, Activation::Tanh).unwrap();
        let left = Parameters::<f64>::glorot_uniform(&config, 1);
        let mut right = left.clone();
        assert_abs_diff_eq!(left, right, epsilon = 0.0);
        right.layers_mut()[1].bias[1] += 1e-3;
        assert_abs_diff_eq!(left, right, epsilon = 2e-3);
        assert_abs_diff_ne!(left, right, epsilon = 5e-4);
        assert_relative_eq!(left, right, epsilon = 2e-3);
        assert_relative_ne!(left, right, epsilon = 0.0, max_relative = 1e-3);
        right.layers_mut()[0].weight[[0, 0]] = f64::NAN;
        assert_abs_diff_ne!(left, right, epsilon = 1.0);
    }

    /// Of one value: an absolute difference around 0, a share of what is large.
    #[test]
    fn without_a_tolerance_it_is_that_of_one_value() {
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
    fn another_shape_is_unequal() {
        let network = |hidden: &[usize]| {
            let config = MlpConfig::new(4, hidden, 2, Activation::Tanh).unwrap();
            Parameters::<f32>::zeros(&config)
        };
        assert_abs_diff_ne!(network(&[3]), network(&[2]), epsilon = 1.0);
    }
}
