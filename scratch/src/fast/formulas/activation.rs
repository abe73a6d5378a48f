//! The activation functions f and their derivatives f′, for equations (2) and (7) of the [crate documentation](crate).

use mlp_parity::Activation;

use super::real::Real;

/// The activation function of the hidden layers, and the argument of its derivative.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HiddenFunction {
    pub(crate) activation: Activation,
    /// True if the derivative is evaluated at a = f(z) instead of z: f′(a), the fault of the report's listing for tanh.
    pub(crate) derivative_at_activation: bool,
}

/// Replaces each value z by a = f(z). NaN stays NaN.
#[inline(always)]
pub(crate) fn apply<'a, F: Real>(activation: Activation, values: impl Iterator<Item = &'a mut F>) {
    let (zero, one) = (F::zero(), F::one());
    for value in values {
        let z = *value;
        *value = match activation {
            Activation::Sigmoid => one / (one + Real::exp(-z)),
            // `z.max(0)` would turn NaN into 0 and hide it.
            Activation::Relu => {
                if z < zero {
                    zero
                } else {
                    z
                }
            }
            Activation::Tanh => Real::tanh(z),
        }
    }
}

/// Multiplies each δ by the derivative f′(z) of the activation function. `pairs` yields (a, δ), where a = f(z) is the
/// activation: f′ is computed from a, because z is not stored.
#[inline(always)]
pub(crate) fn multiply_by_derivative<'a, F: Real>(
    function: HiddenFunction,
    pairs: impl Iterator<Item = (&'a F, &'a mut F)>,
) {
    let (zero, one) = (F::zero(), F::one());
    let HiddenFunction { activation, derivative_at_activation } = function;
    for (&a, delta) in pairs {
        let mut value = [a];
        if derivative_at_activation {
            apply(activation, value.iter_mut());
        }
        let [a] = value;
        *delta = match activation {
            Activation::Sigmoid => *delta * (a * (one - a)),
            Activation::Relu => {
                // `a <= 0` and not `!(a > 0)`: for a = NaN, δ is kept instead of being set to 0.
                if a <= zero { zero } else { *delta }
            }
            Activation::Tanh => *delta * (one - a * a),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the activation function f(z) and its derivative f′, at z or at a = f(z).
    fn value_and_derivative_at(activation: Activation, z: f64, derivative_at_activation: bool) -> (f64, f64) {
        let (mut a, mut delta) = ([z], [1.0]);
        apply(activation, a.iter_mut());
        let function = HiddenFunction { activation, derivative_at_activation };
        multiply_by_derivative(function, a.iter().zip(&mut delta));
        (a[0], delta[0])
    }

    fn value_and_derivative(activation: Activation, z: f64) -> (f64, f64) {
        value_and_derivative_at(activation, z, false)
    }

    #[test]
    fn activation_derivative_matches_central_difference() {
        for activation in [Activation::Sigmoid, Activation::Relu, Activation::Tanh] {
            for z in [-20.0, -1.3, -0.1, 0.2, 1.7, 20.0] {
                let step = 1e-6;
                let central = (value_and_derivative(activation, z + step).0
                    - value_and_derivative(activation, z - step).0)
                    / (2.0 * step);
                // Rounding error of the difference quotient: two values of at most 20, each rounded, divided by the
                // step. The truncation error is smaller.
                let rounding = 2.0 * 20.0 * f64::EPSILON / step;
                approx::assert_abs_diff_eq!(value_and_derivative(activation, z).1, central, epsilon = rounding);
            }
        }
    }

    #[test]
    fn derivative_at_activation_reproduces_the_report() {
        let z = 0.8_f64;
        let a = z.tanh();
        let (value, derivative) = value_and_derivative_at(Activation::Tanh, z, true);
        assert_eq!(value, a);
        approx::assert_relative_eq!(derivative, 1.0 - a.tanh().powi(2));
        assert!((derivative - (1.0 - a * a)).abs() > 0.1);
    }

    #[test]
    fn activations_saturate_and_propagate_nan() {
        assert_eq!(value_and_derivative(Activation::Sigmoid, -1e4), (0.0, 0.0));
        assert_eq!(value_and_derivative(Activation::Sigmoid, 1e4), (1.0, 0.0));
        assert_eq!(value_and_derivative(Activation::Relu, 0.0), (0.0, 0.0));
        for activation in Activation::ALL {
            let mut values = [f32::NAN];
            apply(activation, values.iter_mut());
            assert!(values[0].is_nan(), "{activation}");
        }
    }
}
