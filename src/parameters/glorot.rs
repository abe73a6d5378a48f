//! Initial parameters, drawn once and given to every implementation.

use rand_chacha::rand_core::Rng;

use super::layers::Parameters;
use crate::hyperparameters::seed::{Purpose, generator, unit_interval};
use crate::{MlpConfig, Scalar};

impl<F: Scalar> Parameters<F> {
    /// Weights drawn from U(−r, r) with r = √(6 / (inputs + outputs)) of their layer; biases zero
    /// (Glorot and Bengio 2010, equation 16). The draws are made in double precision, row by row, so that f32
    /// parameters are the rounded f64 ones.
    pub fn glorot_uniform(config: &MlpConfig, seed: u64) -> Self {
        let mut generator = generator(seed, Purpose::Parameters);
        let mut parameters = Self::zeros(config);
        for layer in parameters.layers_mut() {
            let (inputs, outputs) = layer.weight.dim();
            let limit = (6.0 / (inputs + outputs) as f64).sqrt();
            layer.weight.mapv_inplace(|_| F::from_f64((2.0 * unit_interval(&mut generator) - 1.0) * limit));
        }
        parameters
    }

    /// The weights of [`glorot_uniform`](Self::glorot_uniform), and biases that are not zero, so that a forgotten one
    /// shows: the first row of the weights of the next seed.
    pub fn glorot_uniform_with_biases(config: &MlpConfig, seed: u64) -> Self {
        let mut parameters = Self::glorot_uniform(config, seed);
        let biases = Self::glorot_uniform(config, seed.wrapping_add(1));
        for (layer, next) in parameters.layers_mut().iter_mut().zip(biases.layers()) {
            layer.bias.assign(&next.weight.row(0));
        }
        parameters
    }

    /// Every weight and bias moved by this many units in the last place, up or down by a coin: one is the smallest
    /// change that rounding could have made. Zeros stay.
    pub fn ulps_away(&self, ulps: usize, seed: u64) -> Self {
        let mut generator = generator(seed, Purpose::Perturbation);
        self.map(|value| value.moved(ulps, generator.next_u32() & 1 == 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Activation;

    fn config() -> MlpConfig {
        MlpConfig::new(3, &[2], 2, Activation::Relu).unwrap()
    }

    /// Values drawn when this was written: they must never change, or no record could be reproduced.
    #[test]
    fn draws_are_pinned() {
        let parameters = Parameters::<f64>::glorot_uniform(&config(), 42);
        let [first, output] = parameters.layers() else { panic!("two layers") };
        assert_eq!(first.weight.row(2), ndarray::array![-0.46316760475615076, -0.7669016911863231]);
        assert_eq!(
            output.weight,
            ndarray::array![[-0.47020268029531903, 0.7443332263078387], [0.6644211063190409, -0.6403327135102856]]
        );
        assert_eq!(first.bias.sum() + output.bias.sum(), 0.0);
    }

    #[test]
    fn the_coins_of_a_twin_are_pinned() {
        let parameters = Parameters::<f64>::glorot_uniform(&config(), 42);
        let replica = parameters.ulps_away(1, 1);
        let grown = replica.layers()[0].weight.mapv(f64::abs) - parameters.layers()[0].weight.mapv(f64::abs);
        assert_eq!(grown.mapv(|growth| growth > 0.0), ndarray::array![[true, true], [false, true], [false, true]]);
    }

    #[test]
    fn limits_are_those_of_each_layer_and_nearly_reached() {
        let config = MlpConfig::new(784, &[500], 10, Activation::Relu).unwrap();
        let parameters = Parameters::<f32>::glorot_uniform(&config, 0);
        for (layer, sum) in parameters.layers().iter().zip([1284.0_f32, 510.0]) {
            let limit = (6.0 / sum).sqrt();
            let largest = layer.weight.fold(0.0_f32, |largest, weight| largest.max(weight.abs()));
            assert!(largest <= limit && largest > 0.999 * limit, "{largest} of {limit}");
        }
    }

    #[test]
    fn glorot_with_biases_has_the_same_weights_and_no_zero_bias() {
        let [with, without] = [
            Parameters::<f32>::glorot_uniform_with_biases(&config(), 7),
            Parameters::<f32>::glorot_uniform(&config(), 7),
        ];
        for (with, without) in with.layers().iter().zip(without.layers()) {
            assert_eq!(with.weight, without.weight);
            assert!(with.bias.iter().all(|bias| *bias != 0.0));
        }
    }

    #[test]
    fn single_precision_is_double_precision_rounded() {
        let double = Parameters::<f64>::glorot_uniform(&config(), 7);
        assert_eq!(Parameters::<f32>::glorot_uniform(&config(), 7), double.cast());
        assert_ne!(Parameters::<f64>::glorot_uniform(&config(), 8), double);
    }

    #[test]
    fn a_twin_differs_by_exactly_the_ulps_asked_for() {
        let parameters = Parameters::<f32>::glorot_uniform(&config(), 7);
        assert_ne!(parameters.ulps_away(1, 1), parameters.ulps_away(1, 2));
        for ulps in [0, 1, 14] {
            let replica = parameters.ulps_away(ulps, 1);
            for ((_, left), (_, right)) in parameters.tensors().zip(replica.tensors()) {
                for (left, right) in left.iter().zip(&right) {
                    let expected = if *left == 0.0 { 0 } else { ulps };
                    assert_eq!(left.to_bits().abs_diff(right.to_bits()) as usize, expected);
                }
            }
        }
    }
}
