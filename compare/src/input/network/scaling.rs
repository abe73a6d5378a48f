//! The scaling of pixels that a network was trained with.

use mlp_parity::{Layer, Parameters};
use ndarray::Axis;

/// An affine function of a pixel from 0 to 255, whose value is the input of a network: (pixel / 255 − mean) / deviation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PixelScaling {
    /// The value of pixel / 255 that becomes 0.
    pub mean: f64,
    /// The difference of pixel / 255 that becomes 1; not 0.
    pub deviation: f64,
}

impl PixelScaling {
    /// The usual scalings by name: 0 to 1, the pixels themselves, −1 to 1, and by the mean and the standard deviation of MNIST's
    /// training images.
    pub const NAMED: [(&str, Self); 4] = [
        ("0-1", Self::UNIT),
        ("0-255", Self { mean: 0.0, deviation: 1.0 / 255.0 }),
        ("-1-1", Self { mean: 0.5, deviation: 0.5 }),
        ("mnist", Self { mean: 0.1307, deviation: 0.3081 }),
    ];

    /// The scaling from 0 to 1, which this project uses.
    pub const UNIT: Self = Self { mean: 0.0, deviation: 1.0 };

    /// Returns the parameters of the network that computes the same from inputs from 0 to 1 as a network with these parameters
    /// does from scaled inputs: since (x − mean) / deviation is affine, it becomes part of the first layer,
    /// W ← W / deviation and b ← b − mean · Σᵢ Wᵢ / deviation.
    pub fn fold(self, parameters: &Parameters<f64>) -> Parameters<f64> {
        let mut folded = parameters.clone();
        if let Some(Layer { weight, bias }) = folded.layers_mut().first_mut().filter(|_| self != Self::UNIT) {
            *weight /= self.deviation;
            bias.scaled_add(-self.mean, &weight.sum_axis(Axis(0)));
        }
        folded
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, Array2};

    use super::*;

    #[test]
    fn folded_network_computes_the_same() {
        let weight = Array2::from_shape_fn([6, 3], |(row, column)| (row as f64 - 2.5) * 0.3 + column as f64);
        let parameters = Parameters::from_layers(vec![Layer { weight, bias: Array1::linspace(-1.0, 1.0, 3) }]).unwrap();
        let pixels = Array1::from_iter([0.0, 17.0, 128.0, 200.0, 254.0, 255.0]);
        for (name, scaling) in PixelScaling::NAMED {
            let [original, folded] =
                [parameters.clone(), scaling.fold(&parameters)].map(|network| network.layers()[0].clone());
            let inputs = pixels.mapv(|pixel| (pixel / 255.0 - scaling.mean) / scaling.deviation);
            let expected = inputs.dot(&original.weight) + &original.bias;
            let actual = (&pixels / 255.0).dot(&folded.weight) + &folded.bias;
            let largest = (&actual - &expected).iter().fold(0.0_f64, |largest, error| largest.max(error.abs()));
            assert!(
                largest < 1e-11 * expected.iter().fold(1.0_f64, |largest, value| largest.max(value.abs())),
                "{name}"
            );
        }
        assert_eq!(PixelScaling::UNIT.fold(&parameters), parameters);
    }
}
