//! f and f′, equations (2) and (7).

use mlp_parity::Activation;

use super::real::Real;

/// a ← f(z), value by value.
#[inline(always)]
pub(crate) fn apply<'a, F: Real>(activation: Activation, values: impl Iterator<Item = &'a mut F>) {
    let (zero, one) = (F::zero(), F::one());
    for value in values {
        let z = *value;
        *value = match activation {
            Activation::Sigmoid => one / (one + Real::exp(-z)),
            // Not `z.max(0)`, which would turn NaN into 0.
            Activation::Relu => {
                if z < zero {
                    zero
                } else {
                    z
                }
            }
            Activation::Tanh | Activation::TanhAsPrinted => Real::tanh(z),
        }
    }
}

/// δ ← δ · f′, f′ being computed from the activation a = f(z).
#[inline(always)]
pub(crate) fn multiply_by_derivative<'a, F: Real>(
    activation: Activation,
    pairs: impl Iterator<Item = (&'a F, &'a mut F)>,
) {
    let (zero, one) = (F::zero(), F::one());
    for (&a, delta) in pairs {
        *delta = match activation {
            Activation::Sigmoid => *delta * (a * (one - a)),
            Activation::Relu => {
                if a <= zero {
                    zero
                } else {
                    *delta
                }
            }
            Activation::Tanh => *delta * (one - a * a),
            Activation::TanhAsPrinted => {
                let again = Real::tanh(a);
                *delta * (one - again * again)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// f at z and f′ times 1.
    fn value_and_derivative(activation: Activation, z: f64) -> (f64, f64) {
        let (mut a, mut delta) = ([z], [1.0]);
        apply(activation, a.iter_mut());
        multiply_by_derivative(activation, a.iter().zip(&mut delta));
        (a[0], delta[0])
    }

    #[test]
    fn derivatives_are_those_of_the_functions() {
        for activation in [Activation::Sigmoid, Activation::Relu, Activation::Tanh] {
            for z in [-20.0, -1.3, -0.1, 0.2, 1.7, 20.0] {
                let step = 1e-6;
                let central = (value_and_derivative(activation, z + step).0
                    - value_and_derivative(activation, z - step).0)
                    / (2.0 * step);
                // Two values of up to 20, each rounded to half an ulp (u = 2⁻⁵³), over the step; the rest is below.
                let rounding = 2.0 * 20.0 * f64::EPSILON / step;
                approx::assert_abs_diff_eq!(value_and_derivative(activation, z).1, central, epsilon = rounding);
            }
        }
    }

    #[test]
    fn the_derivative_as_printed_is_that_of_the_report_and_not_that_of_tanh() {
        let z = 0.8_f64;
        let a = z.tanh();
        let (value, derivative) = value_and_derivative(Activation::TanhAsPrinted, z);
        assert_eq!(value, a);
        approx::assert_relative_eq!(derivative, 1.0 - a.tanh().powi(2));
        assert!((derivative - (1.0 - a * a)).abs() > 0.1);
    }

    #[test]
    fn extremes_saturate_and_nan_stays_nan() {
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
