//! Random initial parameters, which all implementations in a comparison start from, and random perturbations of them.

use rand_chacha::rand_core::Rng;

use super::layers::Parameters;
use crate::hyperparameters::seed::{Purpose, generator, unit_interval};
use crate::{MlpConfig, Scalar};

impl<F: Scalar> Parameters<F> {
    /// Draws initial parameters (Glorot and Bengio 2010, equation 16): the weights of a layer come from the uniform
    /// distribution U(−r, r) with r = √(6 / (inputs + outputs)), biases are zero. All draws are made in double
    /// precision, row by row, so the `f32` parameters are the `f64` ones rounded to nearest.
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

    /// Draws the same weights as [`glorot_uniform`](Self::glorot_uniform), but nonzero biases, so that checks detect an
    /// implementation that ignores them. The biases of a layer are the first row of its weight matrix for `seed + 1`.
    pub fn glorot_uniform_with_biases(config: &MlpConfig, seed: u64) -> Self {
        let mut parameters = Self::glorot_uniform(config, seed);
        let biases = Self::glorot_uniform(config, seed.wrapping_add(1));
        for (layer, next) in parameters.layers_mut().iter_mut().zip(biases.layers()) {
            layer.bias.assign(&next.weight.row(0));
        }
        parameters
    }

    /// Returns the parameters with every value moved by `ulps` units in the last place, up or down at random, as
    /// rounding errors would. Zeros remain zero. Networks trained from perturbed parameters show how far rounding alone
    /// can drive two trained networks apart.
    pub fn perturbed(&self, ulps: usize, seed: u64) -> Self {
        let mut generator = generator(seed, Purpose::Perturbation);
        self.map(|value| value.offset_by_ulps(ulps, generator.next_u32() & 1 == 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Activation;

    fn config() -> MlpConfig {
        MlpConfig::new(3, &[2], 2, Activation::Relu).unwrap()
    }

    /// The values were recorded when the generator was written. If they change, stored records can no longer be
    /// reproduced.
    #[test]
    fn glorot_random_stream_is_pinned() {
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
    fn parameters_perturbed_random_stream_is_pinned() {
        let parameters = Parameters::<f64>::glorot_uniform(&config(), 42);
        let replica = parameters.perturbed(1, 1);
        let growth = replica.layers()[0].weight.mapv(f64::abs) - parameters.layers()[0].weight.mapv(f64::abs);
        assert_eq!(growth.mapv(|growth| growth > 0.0), ndarray::array![[true, true], [false, true], [false, true]]);
    }

    #[test]
    fn glorot_weights_fill_interval_of_each_layer() {
        let config = MlpConfig::new(784, &[500], 10, Activation::Relu).unwrap();
        let parameters = Parameters::<f32>::glorot_uniform(&config, 0);
        for (layer, sum) in parameters.layers().iter().zip([1284.0_f32, 510.0]) {
            let limit = (6.0 / sum).sqrt();
            let largest = layer.weight.fold(0.0_f32, |largest, weight| largest.max(weight.abs()));
            assert!(largest <= limit && largest > 0.999 * limit, "largest weight {largest}, limit {limit}");
        }
    }

    #[test]
    fn glorot_with_biases_keeps_weights_and_sets_biases() {
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
    fn glorot_f32_is_f64_rounded() {
        let double = Parameters::<f64>::glorot_uniform(&config(), 7);
        assert_eq!(Parameters::<f32>::glorot_uniform(&config(), 7), double.cast());
        assert_ne!(Parameters::<f64>::glorot_uniform(&config(), 8), double);
    }

    #[test]
    fn perturbed_moves_values_by_exactly_given_ulps() {
        let parameters = Parameters::<f32>::glorot_uniform(&config(), 7);
        assert_ne!(parameters.perturbed(1, 1), parameters.perturbed(1, 2));
        for ulps in [0, 1, 14] {
            let replica = parameters.perturbed(ulps, 1);
            for ((_, original), (_, moved)) in parameters.tensors().zip(replica.tensors()) {
                for (original, moved) in original.iter().zip(&moved) {
                    let expected = if *original == 0.0 { 0 } else { ulps };
                    assert_eq!(original.to_bits().abs_diff(moved.to_bits()) as usize, expected);
                }
            }
        }
    }
}
