//! [`Model`], the network as a Burn module: its forward pass, its loss, and the transfer of its parameters.

use burn::module::{Module, Param, ParamId};
use burn::nn::Linear;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Gradients, Int, Tensor, TensorData, activation};
use mlp_parity::{Activation, Layer, Parameters};
use ndarray::{Array1, Array2};

use crate::Error;

/// A multi-layer perceptron as a Burn module: linear layers, with an activation between them.
#[derive(Module, Debug)]
pub struct Model {
    layers: Vec<Linear>,
    #[module(skip)]
    activation: Activation,
}

/// An empty model without layers, a placeholder while the optimizer owns the actual model.
impl Default for Model {
    fn default() -> Self {
        Self { layers: Vec::new(), activation: Activation::Relu }
    }
}

impl Model {
    /// Creates a model with the given parameters on `device`. Burn stores weights as `[inputs, outputs]` in row-major
    /// order, as [`Parameters`] do.
    pub fn new(parameters: &Parameters<f32>, activation: Activation, device: &Device) -> Self {
        let linear = |layer: &Layer<f32>| Linear {
            weight: Param::from_data(weight_data(layer), device),
            bias: Some(Param::from_data(bias_data(layer), device)),
        };
        Self { layers: parameters.layers().iter().map(linear).collect(), activation }
    }

    /// Replaces the values of all parameters. The parameters keep their identities, which connect them to the
    /// optimizer's state.
    pub(crate) fn set_parameters(&mut self, parameters: &Parameters<f32>, device: &Device) {
        for (linear, layer) in self.layers.iter_mut().zip(parameters.layers()) {
            let weight = Tensor::from_data(weight_data(layer), device).require_grad();
            linear.weight = Param::initialized(linear.weight.id, weight);
            if let Some(bias) = &mut linear.bias {
                *bias = Param::initialized(bias.id, Tensor::from_data(bias_data(layer), device).require_grad());
            }
        }
    }

    /// Reads the parameters from the device.
    pub(crate) fn parameters(&self) -> mlp_parity::Result<Parameters<f32>> {
        self.read(|linear| {
            let bias = linear.bias.as_ref().map(|bias| bias.val().inner());
            Some((linear.weight.val().inner(), bias?))
        })
    }

    /// Reads the gradients of the parameters from the device.
    pub(crate) fn gradients(&self, gradients: &Gradients) -> mlp_parity::Result<Parameters<f32>> {
        self.read(|linear| {
            let bias = linear.bias.as_ref()?.val().grad(gradients);
            Some((linear.weight.val().grad(gradients)?, bias?))
        })
    }

    /// Returns the identities of the weight and bias of each layer, under which an optimizer stores its state.
    pub(crate) fn identities(&self) -> Vec<(ParamId, ParamId)> {
        let identities = |linear: &Linear| Some((linear.weight.id, linear.bias.as_ref()?.id));
        self.layers.iter().filter_map(identities).collect()
    }

    /// Converts gradients to the form that Burn's optimizers expect. Automatic differentiation must be disabled on
    /// `device`.
    pub(crate) fn gradients_for_optimizer(&self, gradients: &Parameters<f32>, device: &Device) -> GradientsParams {
        let mut registered = GradientsParams::new();
        for (linear, layer) in self.layers.iter().zip(gradients.layers()) {
            registered.register(linear.weight.id, Tensor::<2>::from_data(weight_data(layer), device));
            if let Some(bias) = &linear.bias {
                registered.register(bias.id, Tensor::<1>::from_data(bias_data(layer), device));
            }
        }
        registered
    }

    /// Computes the logits, `[images, classes]`, of images, `[images, inputs]`.
    pub fn forward(&self, images: Tensor<2>) -> Tensor<2> {
        let mut values = images;
        for (index, layer) in self.layers.iter().enumerate() {
            values = layer.forward(values);
            if index + 1 < self.layers.len() {
                values = match self.activation {
                    Activation::Sigmoid => activation::sigmoid(values),
                    Activation::Relu => activation::relu(values),
                    Activation::Tanh => activation::tanh(values),
                };
            }
        }
        values
    }

    /// Computes the loss of a batch: the mean cross-entropy between the logits of `images`, `[images, inputs]`, and the
    /// class indices `labels`, `[images]`. The result has shape `[1]`.
    pub fn loss(&self, images: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
        let cross_entropy = CrossEntropyLossConfig::new().with_logits(true).init(&images.device());
        cross_entropy.forward(self.forward(images), labels)
    }

    /// Reads two tensors of each layer from the device, one with the shape of the weight and one with that of the bias.
    /// `tensors` selects them (values or gradients); it is an error if it returns `None`.
    fn read(&self, tensors: impl Fn(&Linear) -> Option<(Tensor<2>, Tensor<1>)>) -> mlp_parity::Result<Parameters<f32>> {
        let layer = |linear: &Linear| {
            let (weight, bias) =
                tensors(linear).ok_or_else(|| Error::device("a parameter has no value or no gradient"))?;
            let shape = weight.dims();
            let weight = Array2::from_shape_vec(shape, read(weight)?).map_err(Error::device)?;
            Ok(Layer { weight, bias: Array1::from_vec(read(bias)?) })
        };
        Parameters::from_layers(self.layers.iter().map(layer).collect::<mlp_parity::Result<_>>()?)
    }
}

/// Reads the values of a tensor from the device, in row-major order. Waits for pending computations.
pub(crate) fn read<const D: usize>(tensor: Tensor<D>) -> mlp_parity::Result<Vec<f32>> {
    tensor.try_into_data().map_err(Error::device)?.try_to_vec::<f32>().map_err(Error::device)
}

/// Copies the weight of a layer into a buffer that can be transferred to a device.
fn weight_data(layer: &Layer<f32>) -> TensorData {
    TensorData::new(layer.weight.iter().copied().collect(), [layer.weight.nrows(), layer.weight.ncols()])
}

/// Copies the bias of a layer into a buffer that can be transferred to a device.
fn bias_data(layer: &Layer<f32>) -> TensorData {
    TensorData::new(layer.bias.to_vec(), [layer.bias.len()])
}
