//! f and f′, equations (2) and (7).

use mlp_parity::{Activation, Scalar};
use ndarray::{ArrayView2, ArrayViewMut2, Zip};

/// A ← f(A), element by element.
pub(crate) fn apply<F: Scalar>(activation: Activation, mut values: ArrayViewMut2<'_, F>) {
    let (zero, one) = (F::zero(), F::one());
    match activation {
        Activation::Sigmoid => values.mapv_inplace(|z| one / (one + (-z).exp())),
        // Not `z.max(0)`, which would turn NaN into 0.
        Activation::Relu => values.mapv_inplace(|z| if z < zero { zero } else { z }),
        Activation::Tanh | Activation::TanhAsPrinted => values.mapv_inplace(F::tanh),
    }
}

/// D ← D ∘ f′, f′ being computed from the activations A = f(Z).
pub(crate) fn multiply_by_derivative<F: Scalar>(
    activation: Activation,
    activations: ArrayView2<'_, F>,
    deltas: ArrayViewMut2<'_, F>,
) {
    let (zero, one) = (F::zero(), F::one());
    let pairs = Zip::from(deltas).and(activations);
    match activation {
        Activation::Sigmoid => pairs.for_each(|delta, &a| *delta *= a * (one - a)),
        Activation::Relu => pairs.for_each(|delta, &a| *delta = if a <= zero { zero } else { *delta }),
        Activation::Tanh => pairs.for_each(|delta, &a| *delta *= one - a * a),
        Activation::TanhAsPrinted => pairs.for_each(|delta, &a| *delta *= one - a.tanh() * a.tanh()),
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;

    /// f at z and f′ times 1.
    fn value_and_derivative(activation: Activation, z: f64) -> (f64, f64) {
        let mut a = array![[z]];
        apply(activation, a.view_mut());
        let mut delta = array![[1.0]];
        multiply_by_derivative(activation, a.view(), delta.view_mut());
        (a[[0, 0]], delta[[0, 0]])
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
            let mut values: Array2<f32> = array![[f32::NAN]];
            apply(activation, values.view_mut());
            assert!(values[[0, 0]].is_nan(), "{activation}");
        }
    }
}
