//! The parameters of a network, and everything that has their shape: gradients, velocities, moments.

use ndarray::{Array1, Array2, ArrayViewD};

use crate::{Error, MlpConfig, Result, Scalar};

/// Weight W and bias b of one layer, z = a·W + b.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer<F> {
    /// W, `[inputs, outputs]`.
    pub weight: Array2<F>,
    /// b, `[outputs]`.
    pub bias: Array1<F>,
}

/// The layers of a network from input to output, each fitting the one before.
///
/// Their names are those of the report's PyTorch module: `layer1`, `layer2`, …, and `output_layer` for the last;
/// each has a `weight` and a `bias`.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameters<F> {
    layers: Vec<Layer<F>>,
}

impl<F: Scalar> Parameters<F> {
    /// Chains layers.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if there is none, a bias does not fit its weight, or a layer not the one before.
    pub fn from_layers(layers: Vec<Layer<F>>) -> Result<Self> {
        let count = layers.len();
        if count == 0 {
            Error::check_shape("layers", &[1], &[0])?;
        }
        let mut inputs = layers.first().map_or(0, |layer| layer.weight.nrows());
        for (index, layer) in layers.iter().enumerate() {
            let name = layer_name(index, count);
            let outputs = layer.weight.ncols();
            Error::check_shape(&format!("{name}.weight"), &[inputs, outputs], layer.weight.shape())?;
            Error::check_shape(&format!("{name}.bias"), &[outputs], layer.bias.shape())?;
            inputs = outputs;
        }
        Ok(Self { layers })
    }

    /// All zero.
    pub fn zeros(config: &MlpConfig) -> Self {
        let layer = |inputs, outputs| Layer { weight: Array2::zeros([inputs, outputs]), bias: Array1::zeros(outputs) };
        let sizes = config.sizes();
        Self { layers: sizes.iter().zip(&sizes[1..]).map(|(&inputs, &outputs)| layer(inputs, outputs)).collect() }
    }

    /// The layers, input first.
    pub fn layers(&self) -> &[Layer<F>] {
        &self.layers
    }

    /// The layers, input first. Their values may change, their shapes may not.
    pub fn layers_mut(&mut self) -> &mut [Layer<F>] {
        &mut self.layers
    }

    /// Inputs, hidden widths and classes: `[784, 500, 250, 100, 10]`.
    pub fn sizes(&self) -> Vec<usize> {
        let inputs = self.layers.first().map(|layer| layer.weight.nrows());
        inputs.into_iter().chain(self.layers.iter().map(|layer| layer.weight.ncols())).collect()
    }

    /// Number of values.
    pub fn count(&self) -> usize {
        self.tensors().map(|(_, values)| values.len()).sum()
    }

    /// Every tensor with its name, in the order `layer1.weight`, `layer1.bias`, `layer2.weight`, …
    pub fn tensors(&self) -> impl Iterator<Item = (String, ArrayViewD<'_, F>)> {
        let count = self.layers.len();
        self.layers.iter().enumerate().flat_map(move |(index, layer)| {
            let name = layer_name(index, count);
            [
                (format!("{name}.weight"), layer.weight.view().into_dyn()),
                (format!("{name}.bias"), layer.bias.view().into_dyn()),
            ]
        })
    }

    /// Checks that these are parameters of a network of this shape.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] naming the first difference.
    pub fn check_fit(&self, config: &MlpConfig) -> Result<()> {
        Error::check_shape("the network", &config.sizes(), &self.sizes())
    }

    /// The first value that is NaN or infinite: its tensor, its index, itself.
    pub fn first_non_finite(&self) -> Option<(String, Vec<usize>, F)> {
        self.tensors().find_map(|(name, values)| {
            // Indices are costly: they are only counted where there is something to find.
            let position = values.iter().position(|value| !value.is_finite())?;
            let (index, &value) = values.indexed_iter().nth(position)?;
            Some((name, ndarray::Dimension::slice(&index).to_vec(), value))
        })
    }

    /// The same values in another precision, rounded to nearest.
    pub fn cast<G: Scalar>(&self) -> Parameters<G> {
        self.map(|value| G::from_f64(value.into()))
    }

    /// `function` of every value, in the order of [`tensors`](Self::tensors).
    pub fn map<G>(&self, mut function: impl FnMut(F) -> G) -> Parameters<G> {
        let layer = |layer: &Layer<F>| Layer {
            weight: layer.weight.map(|&value| function(value)),
            bias: layer.bias.map(|&value| function(value)),
        };
        Parameters { layers: self.layers.iter().map(layer).collect() }
    }
}

/// `layer1`, `layer2`, …, `output_layer`.
pub(super) fn layer_name(index: usize, count: usize) -> String {
    if index + 1 == count { "output_layer".to_owned() } else { format!("layer{}", index + 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_must_chain() {
        let layer = |inputs, outputs, bias| Layer::<f32> {
            weight: Array2::zeros([inputs, outputs]),
            bias: Array1::zeros(bias),
        };
        let chained = Parameters::from_layers(vec![layer(3, 2, 2), layer(2, 4, 4)]).unwrap();
        assert_eq!(chained.count(), 3 * 2 + 2 + 2 * 4 + 4);
        assert!(Parameters::<f32>::from_layers(Vec::new()).is_err());
        let unfit = Parameters::from_layers(vec![layer(3, 2, 2), layer(5, 4, 4)]).unwrap_err().to_string();
        assert!(unfit.contains("output_layer.weight"), "{unfit}");
        let bias = Parameters::from_layers(vec![layer(3, 2, 1), layer(2, 4, 4)]).unwrap_err().to_string();
        assert!(bias.contains("layer1.bias"), "{bias}");
    }

    #[test]
    fn non_finite_values_are_found_and_named() {
        let config = MlpConfig::new(3, &[2], 2, crate::Activation::Relu).unwrap();
        let mut parameters = Parameters::<f32>::zeros(&config);
        assert_eq!(parameters.first_non_finite(), None);
        parameters.layers_mut()[1].weight[[1, 0]] = f32::INFINITY;
        let expected = ("output_layer.weight".to_owned(), vec![1, 0], f32::INFINITY);
        assert_eq!(parameters.first_non_finite(), Some(expected));
    }
}
