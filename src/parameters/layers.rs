//! The layers of a network. Gradients and the optimizer's moments have the same structure and use the same types.

use ndarray::{Array1, Array2, ArrayViewD};

use crate::{Error, MlpConfig, Result, Scalar};

/// Weight W and bias b of one layer, which computes z = a·W + b from its inputs a.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer<F> {
    /// The weight matrix W, `[inputs, outputs]`.
    pub weight: Array2<F>,
    /// The bias vector b, `[outputs]`.
    pub bias: Array1<F>,
}

/// One value per weight and bias of a network, such as its parameters or their gradients. There is at least one layer,
/// and each layer has as many inputs as the preceding one has outputs.
///
/// The layers are called `layer1`, `layer2`, …, and the last one `output_layer`, as in the PyTorch module of the
/// published report that this project reproduces.
/// Each has a `weight` and a `bias`.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameters<F> {
    layers: Vec<Layer<F>>,
}

impl<F: Scalar> Parameters<F> {
    /// Creates parameters from the layers of a network, from input to output.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if there is no layer, a bias does not have one value per output of its weight, or a layer does
    /// not have as many inputs as the preceding one has outputs.
    pub fn from_layers(layers: Vec<Layer<F>>) -> Result<Self> {
        let count = layers.len();
        if count == 0 {
            // Shapes differ, so this always returns the error.
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

    /// Returns all-zero parameters of a network with the given configuration.
    pub fn zeros(config: &MlpConfig) -> Self {
        let layer = |inputs, outputs| Layer { weight: Array2::zeros([inputs, outputs]), bias: Array1::zeros(outputs) };
        let sizes = config.sizes();
        Self { layers: sizes.iter().zip(&sizes[1..]).map(|(&inputs, &outputs)| layer(inputs, outputs)).collect() }
    }

    /// Returns the layers from input to output.
    pub fn layers(&self) -> &[Layer<F>] {
        &self.layers
    }

    /// Returns the layers from input to output, mutably. Callers may change values, but must not change shapes.
    pub fn layers_mut(&mut self) -> &mut [Layer<F>] {
        &mut self.layers
    }

    /// Returns the layer sizes: the number of inputs, the hidden widths, and the number of classes, for example
    /// `[784, 500, 250, 100, 10]`.
    pub fn sizes(&self) -> Vec<usize> {
        let inputs = self.layers.first().map(|layer| layer.weight.nrows());
        inputs.into_iter().chain(self.layers.iter().map(|layer| layer.weight.ncols())).collect()
    }

    /// Returns the number of values in all weights and biases together.
    pub fn count(&self) -> usize {
        self.tensors().map(|(_, values)| values.len()).sum()
    }

    /// Iterates over all tensors with their names, in the order `layer1.weight`, `layer1.bias`, `layer2.weight`, …
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

    /// Checks that the layer sizes are those of the given network configuration.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] with both lists of layer sizes if they differ.
    pub fn check_fit(&self, config: &MlpConfig) -> Result<()> {
        Error::check_shape("the network", &config.sizes(), &self.sizes())
    }

    /// Returns the first value that is NaN or infinite, in the order of [`tensors`](Self::tensors), as the name of its
    /// tensor, its index there, and the value. Returns `None` if all values are finite.
    pub fn first_non_finite(&self) -> Option<(String, Vec<usize>, F)> {
        self.tensors().find_map(|(name, values)| {
            // `indexed_iter` is slow, so it is used only after a plain search has found a value.
            let position = values.iter().position(|value| !value.is_finite())?;
            let (index, &value) = values.indexed_iter().nth(position)?;
            Some((name, ndarray::Dimension::slice(&index).to_vec(), value))
        })
    }

    /// Converts the values to another precision, rounding to nearest.
    pub fn cast<G: Scalar>(&self) -> Parameters<G> {
        self.map(|value| G::from_f64(value.into()))
    }

    /// Applies `function` to every value, in the order of [`tensors`](Self::tensors), and returns the results.
    pub fn map<G>(&self, mut function: impl FnMut(F) -> G) -> Parameters<G> {
        let layer = |layer: &Layer<F>| Layer {
            weight: layer.weight.map(|&value| function(value)),
            bias: layer.bias.map(|&value| function(value)),
        };
        Parameters { layers: self.layers.iter().map(layer).collect() }
    }
}

/// Returns the name of the layer at `index` of `count` layers: `layer1`, `layer2`, …, `output_layer`.
pub(super) fn layer_name(index: usize, count: usize) -> String {
    if index + 1 == count { "output_layer".to_owned() } else { format!("layer{}", index + 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_layers_rejects_inconsistent_shapes() {
        let layer = |inputs, outputs, bias| Layer::<f32> {
            weight: Array2::zeros([inputs, outputs]),
            bias: Array1::zeros(bias),
        };
        let valid = Parameters::from_layers(vec![layer(3, 2, 2), layer(2, 4, 4)]).unwrap();
        assert_eq!(valid.count(), 3 * 2 + 2 + 2 * 4 + 4);
        assert!(Parameters::<f32>::from_layers(Vec::new()).is_err());
        let weight = Parameters::from_layers(vec![layer(3, 2, 2), layer(5, 4, 4)]).unwrap_err().to_string();
        assert!(weight.contains("output_layer.weight"), "{weight}");
        let bias = Parameters::from_layers(vec![layer(3, 2, 1), layer(2, 4, 4)]).unwrap_err().to_string();
        assert!(bias.contains("layer1.bias"), "{bias}");
    }

    #[test]
    fn first_non_finite_returns_tensor_index_and_value() {
        let config = MlpConfig::new(3, &[2], 2, crate::Activation::Relu).unwrap();
        let mut parameters = Parameters::<f32>::zeros(&config);
        assert_eq!(parameters.first_non_finite(), None);
        parameters.layers_mut()[1].weight[[1, 0]] = f32::INFINITY;
        let expected = ("output_layer.weight".to_owned(), vec![1, 0], f32::INFINITY);
        assert_eq!(parameters.first_non_finite(), Some(expected));
    }
}
