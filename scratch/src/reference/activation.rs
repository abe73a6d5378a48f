//! Activation functions f and their derivatives f′, for equations (2) and (7) of the [crate documentation](crate).

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

use mlp_parity::Activation;

use super::number::Number;

/// α of SELU (Klambauer et al. 2017, "Self-normalizing neural networks").
const SELU_ALPHA: f64 = 1.673_263_242_354_377_2;

/// The factor of SELU, from the same source.
const SELU_SCALE: f64 = 1.050_700_987_355_480_5;

/// Coefficient of z³ in the approximation of GELU by tanh (Hendrycks and Gimpel 2016, "Gaussian error linear units").
const GELU_CUBIC: f64 = 0.044_715;

/// Activation function f of a hidden layer, applied to each sum z. The definitions are PyTorch's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ActivationFunction {
    /// z: the layer is linear.
    Identity,
    /// Logistic function, 1 / (1 + exp(−z)).
    Sigmoid,
    /// Hyperbolic tangent.
    Tanh,
    /// Rectified linear unit, max(z, 0).
    Relu,
    /// z if z ≥ 0, else slope·z.
    LeakyRelu {
        /// Slope for z < 0. PyTorch's default is 0.01, that of Keras 0.3.
        slope: f64,
    },
    /// Exponential linear unit: z if z ≥ 0, else α (exp(z) − 1).
    Elu {
        /// Factor α above 0. The default of PyTorch and Keras is 1.
        alpha: f64,
    },
    /// Self-normalizing ELU: 1.0507 · ELU(z) with α = 1.6733.
    Selu,
    /// Gaussian error linear unit, z Φ(z) with the cumulative distribution function Φ of the standard normal
    /// distribution.
    Gelu,
    /// Approximation of GELU, ½ z (1 + tanh(√(2/π) (z + 0.044715 z³))).
    GeluTanh,
    /// Sigmoid linear unit or swish, z / (1 + exp(−z)).
    Silu,
    /// ln(1 + exp(z)).
    Softplus,
    /// max(0, min(1, slope·z + ½)).
    HardSigmoid {
        /// Slope in the middle: 1/6 in PyTorch and Keras 3, 0.2 in Keras 2.
        slope: f64,
    },
}

/// An argument at which the derivative of an activation function jumps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Kink {
    /// The argument z.
    pub position: f64,
    /// The derivative from the left.
    pub left: f64,
    /// The derivative from the right.
    pub right: f64,
}

impl From<Activation> for ActivationFunction {
    fn from(activation: Activation) -> Self {
        match activation {
            Activation::Sigmoid => Self::Sigmoid,
            Activation::Relu => Self::Relu,
            Activation::Tanh => Self::Tanh,
        }
    }
}

impl ActivationFunction {
    /// Returns the activation of the contract that is this function; `None` if there is none.
    pub fn activation(self) -> Option<Activation> {
        Activation::ALL.into_iter().find(|&activation| Self::from(activation) == self)
    }

    /// Computes the activation a = f(z). NaN stays NaN.
    pub fn value<N: Number>(self, z: &N) -> N {
        let constant = |value: f64| z.constant(value);
        let is_negative = z.value() < 0.0;
        match self {
            Self::Sigmoid => z.logistic(),
            Self::Tanh => z.tanh(),
            Self::Relu if is_negative => constant(0.0),
            Self::LeakyRelu { slope } if is_negative => constant(slope) * z.clone(),
            Self::Elu { alpha } if is_negative => constant(alpha) * (z.exp() - constant(1.0)),
            Self::Selu if is_negative => constant(SELU_SCALE * SELU_ALPHA) * (z.exp() - constant(1.0)),
            Self::Selu => constant(SELU_SCALE) * z.clone(),
            Self::Identity | Self::Relu | Self::LeakyRelu { .. } | Self::Elu { .. } => z.clone(),
            Self::Gelu => z.clone() * normal_distribution(z),
            Self::GeluTanh => constant(0.5) * z.clone() * (constant(1.0) + gelu_argument(z).tanh()),
            Self::Silu => z.clone() * z.logistic(),
            // ln(1 + exp(z)) = max(z, 0) + ln(1 + exp(−|z|)), which does not overflow.
            Self::Softplus => Self::Relu.value(z) + (constant(1.0) + (-z.abs()).exp()).ln(),
            Self::HardSigmoid { slope } => match slope * z.value() {
                linear if linear < -0.5 => constant(0.0),
                linear if linear > 0.5 => constant(1.0),
                _ => constant(slope) * z.clone() + constant(0.5),
            },
        }
    }

    /// Computes the derivative f′(z), given the activation `a` = f(z), from which implementations compute the derivatives
    /// of sigmoid and tanh. At a [kink](Self::kinks), it is the derivative from the left.
    pub fn derivative<N: Number>(self, z: &N, a: &N) -> N {
        let constant = |value: f64| z.constant(value);
        let is_positive = z.value() > 0.0;
        match self {
            Self::Identity => constant(1.0),
            Self::Sigmoid => a.clone() * (constant(1.0) - a.clone()),
            Self::Tanh => constant(1.0) - a.squared(),
            Self::Relu | Self::LeakyRelu { .. } | Self::Elu { .. } if is_positive => constant(1.0),
            Self::Relu => constant(0.0),
            Self::LeakyRelu { slope } => constant(slope),
            Self::Elu { alpha } => constant(alpha) * z.exp(),
            Self::Selu if is_positive => constant(SELU_SCALE),
            Self::Selu => constant(SELU_SCALE * SELU_ALPHA) * z.exp(),
            Self::Gelu => normal_distribution(z) + z.clone() * normal_density(z),
            Self::GeluTanh => {
                let tanh = gelu_argument(z).tanh();
                let slope = constant(FRAC_1_SQRT_2 * FRAC_2_SQRT_PI)
                    * (constant(1.0) + constant(3.0 * GELU_CUBIC) * z.squared());
                constant(0.5) * (constant(1.0) + tanh.clone())
                    + constant(0.5) * z.clone() * (constant(1.0) - tanh.squared()) * slope
            }
            Self::Silu => {
                let logistic = z.logistic();
                logistic.clone() * (constant(1.0) + z.clone() * (constant(1.0) - logistic))
            }
            Self::Softplus => z.logistic(),
            Self::HardSigmoid { slope } if (slope * z.value()).abs() <= 0.5 => constant(slope),
            Self::HardSigmoid { .. } => constant(0.0),
        }
    }

    /// Returns the arguments z at which the derivative jumps. There any value between the derivatives from the left and from
    /// the right is a subgradient.
    pub fn kinks(self) -> Vec<Kink> {
        let kink = |position, left, right| Kink { position, left, right };
        match self {
            Self::Relu => vec![kink(0.0, 0.0, 1.0)],
            Self::LeakyRelu { slope } => vec![kink(0.0, slope, 1.0)],
            Self::Elu { alpha } => vec![kink(0.0, alpha, 1.0)],
            Self::Selu => vec![kink(0.0, SELU_SCALE * SELU_ALPHA, SELU_SCALE)],
            Self::HardSigmoid { slope } => vec![kink(-0.5 / slope, 0.0, slope), kink(0.5 / slope, slope, 0.0)],
            _ => Vec::new(),
        }
    }
}

/// Computes Φ(z) = ½ (1 + erf(z/√2)).
fn normal_distribution<N: Number>(z: &N) -> N {
    z.constant(0.5) * (z.constant(1.0) + (z.clone() * z.constant(FRAC_1_SQRT_2)).erf())
}

/// Computes the density of the standard normal distribution, exp(−z²/2) / √(2π).
fn normal_density<N: Number>(z: &N) -> N {
    (z.constant(-0.5) * z.squared()).exp() * z.constant(0.5 * FRAC_1_SQRT_2 * FRAC_2_SQRT_PI)
}

/// Computes √(2/π) (z + 0.044715 z³), the argument of tanh in the approximation of GELU.
fn gelu_argument<N: Number>(z: &N) -> N {
    z.constant(FRAC_1_SQRT_2 * FRAC_2_SQRT_PI) * (z.clone() + z.constant(GELU_CUBIC) * z.squared() * z.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [ActivationFunction; 12] = {
        use ActivationFunction::{
            Elu, Gelu, GeluTanh, HardSigmoid, Identity, LeakyRelu, Relu, Selu, Sigmoid, Silu, Softplus, Tanh,
        };
        [
            Identity,
            Sigmoid,
            Tanh,
            Relu,
            LeakyRelu { slope: 0.1 },
            Elu { alpha: 1.5 },
            Selu,
            Gelu,
            GeluTanh,
            Silu,
            Softplus,
            HardSigmoid { slope: 0.2 },
        ]
    };

    fn derivative(function: ActivationFunction, z: f64) -> f64 {
        function.derivative(&z, &function.value(&z))
    }

    #[test]
    fn activation_derivative_matches_central_difference() {
        for function in ALL {
            for z in [-20.0, -3.0, -1.3, -0.1, 0.2, 1.7, 20.0] {
                let step = 1e-6;
                let central = (function.value(&(z + step)) - function.value(&(z - step))) / (2.0 * step);
                // Rounding error of the difference quotient: two values of at most 35 (SELU), each rounded, divided by
                // the step. The truncation error is smaller.
                let rounding = 2.0 * 35.0 * f64::EPSILON / step;
                approx::assert_abs_diff_eq!(derivative(function, z), central, epsilon = rounding);
            }
        }
    }

    #[test]
    fn activation_derivative_jumps_at_kinks_only() {
        for function in ALL {
            for Kink { position, left, right } in function.kinks() {
                approx::assert_abs_diff_eq!(derivative(function, position - 1e-9), left, epsilon = 1e-8);
                approx::assert_abs_diff_eq!(derivative(function, position + 1e-9), right, epsilon = 1e-8);
            }
            for z in (-400..400).map(|step| f64::from(step) / 100.0 + 0.005) {
                let is_kink = function.kinks().iter().any(|kink| (kink.position - z).abs() < 0.01);
                let difference = derivative(function, z + 1e-9) - derivative(function, z - 1e-9);
                assert!(is_kink || difference.abs() < 1e-7, "{function:?} at {z}");
            }
        }
    }

    /// Values of PyTorch 2: `torch.nn.functional.gelu(x)`, `gelu(x, approximate="tanh")`, `silu`, `softplus`, `selu`,
    /// `elu` with α = 1.5, `hardsigmoid`, `leaky_relu` with a slope of 0.1, at −1.25.
    #[test]
    fn activation_matches_pytorch() {
        use ActivationFunction::{Elu, Gelu, GeluTanh, HardSigmoid, LeakyRelu, Selu, Silu, Softplus};
        let expected = [
            -0.132_062_217_083_569_05,
            -0.132_285_797_030_285_42,
            -0.278_375_173_531_636_04,
            0.251_929_081_345_372_9,
            -1.254_395_446_337_864_8,
            -1.070_242_804_709_714_8,
            0.291_666_666_666_666_7,
            -0.125,
        ];
        let functions = [
            Gelu,
            GeluTanh,
            Silu,
            Softplus,
            Selu,
            Elu { alpha: 1.5 },
            HardSigmoid { slope: 1.0 / 6.0 },
            LeakyRelu { slope: 0.1 },
        ];
        for (function, expected) in functions.into_iter().zip(expected) {
            approx::assert_relative_eq!(function.value(&-1.25), expected, max_relative = 1e-14);
        }
    }

    #[test]
    fn activations_propagate_nan() {
        for function in ALL {
            assert!(function.value(&f32::NAN).is_nan(), "{function:?}");
        }
    }
}
