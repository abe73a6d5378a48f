//! [`ReferenceMlp`], a direct transcription of the equations: whole matrices, one operation after the other.

use mlp_parity::{Batch, Error, MlpConfig, Optimizer, Parameters, Result};
use ndarray::{Array2, ArrayView2, Axis, Zip};

use super::activation;
use super::loss::softmax_cross_entropy;
use super::optimizer::OptimizerStep;
use super::real::Real;
use crate::fast::kernels::product;

/// A plain multi-layer perceptron with its optimizer: each line can be compared with an equation of the [crate
/// documentation](crate).
///
/// In double precision it is the reference that all other implementations are compared with, [`Mlp`](crate::Mlp) among
/// them. It runs on one thread and makes no attempt to be fast, except that matrix products are computed by the `gemm`
/// crate.
#[derive(Clone, Debug)]
pub struct ReferenceMlp<F> {
    config: MlpConfig,
    parameters: Parameters<F>,
    optimizer: Optimizer,
    /// Number of steps since the optimizer was set.
    steps: i32,
    /// Velocity v of momentum, or first moment m of Adam; zero until the first step, and unused by SGD.
    first_moments: Parameters<F>,
    /// Second moment v of Adam; zero until the first step, and unused by SGD and momentum.
    second_moments: Parameters<F>,
}

/// All values that the forward and backward passes compute on one batch, in the notation of the [crate
/// documentation](crate).
#[derive(Clone, Debug)]
pub struct Passes<F> {
    /// Activations A¹ … Aᴸ⁻¹ of the hidden layers and the logits Zᴸ, each `[images, width of the layer]`.
    pub activations: Vec<Array2<F>>,
    /// Derivatives δˡ = ∂ℒ/∂Zˡ for the layers 1 … L, each `[images, width of the layer]`.
    pub deltas: Vec<Array2<F>>,
    /// Mean loss ℒ of the batch.
    pub loss: F,
    /// Gradients ∂ℒ/∂Wˡ and ∂ℒ/∂bˡ of every layer.
    pub gradients: Parameters<F>,
}

impl<F: Real> ReferenceMlp<F> {
    /// Creates a network with the given parameters. The optimizer is SGD without weight decay until
    /// [`set_optimizer`](Self::set_optimizer) is called.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if the parameters do not have the shapes that `config` requires.
    pub fn new(config: MlpConfig, parameters: Parameters<F>) -> Result<Self> {
        parameters.check_fit(&config)?;
        let zeros = || Parameters::zeros(&config);
        let (first_moments, second_moments) = (zeros(), zeros());
        Ok(Self { parameters, optimizer: Optimizer::sgd(), steps: 0, first_moments, second_moments, config })
    }

    /// Returns the network configuration: the layer sizes and the activation function.
    pub fn config(&self) -> &MlpConfig {
        &self.config
    }

    /// Returns the weight W and the bias b of every layer.
    pub fn parameters(&self) -> &Parameters<F> {
        &self.parameters
    }

    /// Replaces the parameters. Keeps the optimizer and its moments.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if the new parameters do not have the shapes of this network.
    pub fn set_parameters(&mut self, parameters: &Parameters<F>) -> Result<()> {
        parameters.check_fit(&self.config)?;
        self.parameters.clone_from(parameters);
        Ok(())
    }

    /// Computes the logits Zᴸ, `[images, classes]`, of `images`, `[images, inputs]`.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if an image does not have as many pixels as the network has inputs.
    pub fn logits(&self, images: ArrayView2<'_, F>) -> Result<Array2<F>> {
        Error::check_shape("images", &[images.nrows(), self.config.inputs()], images.shape())?;
        Ok(self.forward(images).pop().unwrap_or_else(|| images.to_owned()))
    }

    /// Computes the mean loss ℒ of the batch, and the gradients ∂ℒ/∂W and ∂ℒ/∂b of every layer.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if an image does not have as many pixels as the network has inputs, [`Error::Data`] if a label
    /// is not below the number of classes.
    pub fn loss_and_gradients(&self, batch: &Batch<F>) -> Result<(F, Parameters<F>)> {
        self.passes(batch).map(|passes| (passes.loss, passes.gradients))
    }

    /// Computes the forward pass, the loss and the backward pass of a batch, equations (1) to (7), and returns all
    /// intermediate results.
    ///
    /// # Errors
    ///
    /// The same as for [`loss_and_gradients`](Self::loss_and_gradients).
    pub fn passes(&self, batch: &Batch<F>) -> Result<Passes<F>> {
        batch.check_fit(self.config.inputs(), self.config.classes())?;
        let activations = self.forward(batch.images());
        let layers = self.parameters.layers();
        let mut deltas: Vec<_> = activations.iter().map(|values| Array2::zeros(values.raw_dim())).collect();
        let mut gradients = Parameters::zeros(&self.config);
        let mut loss = F::zero();
        for index in (0..layers.len()).rev() {
            let (deltas_below, deltas_from_here) = deltas.split_at_mut(index);
            let delta = &mut deltas_from_here[0];
            if index + 1 == layers.len() {
                // Equations (3) and (4). In the other layers, the previous iteration has computed δ.
                loss = softmax_cross_entropy(activations[index].view(), batch.labels(), delta.view_mut());
            }
            let input = index.checked_sub(1).map_or(batch.images(), |below| activations[below].view());
            let gradient = &mut gradients.layers_mut()[index];
            // Equations (5) and (6).
            product(input.t(), delta.view(), gradient.weight.view_mut());
            delta.rows().into_iter().for_each(|row| gradient.bias += &row);
            // Equation (7).
            if let Some(below) = deltas_below.last_mut() {
                product(delta.view(), layers[index].weight.t(), below.view_mut());
                let pairs = activations[index - 1].iter().zip(below.iter_mut());
                activation::multiply_by_derivative(self.config.activation(), pairs);
            }
        }
        Ok(Passes { activations, deltas, loss, gradients })
    }

    /// Computes the forward pass, equations (1) and (2): returns the activations A¹ … Aᴸ⁻¹ of the hidden layers and the
    /// logits Zᴸ.
    fn forward(&self, images: ArrayView2<'_, F>) -> Vec<Array2<F>> {
        let layers = self.parameters.layers();
        let mut activations: Vec<Array2<F>> = Vec::with_capacity(layers.len());
        for (index, layer) in layers.iter().enumerate() {
            let input = activations.last().map_or(images, |below| below.view());
            let mut output = Array2::zeros([images.nrows(), layer.bias.len()]);
            product(input, layer.weight.view(), output.view_mut());
            output += &layer.bias.view().insert_axis(Axis(0));
            if index + 1 < layers.len() {
                activation::apply(self.config.activation(), output.iter_mut());
            }
            activations.push(output);
        }
        activations
    }

    /// Selects the optimizer and resets its state.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if [`Optimizer::validate`] rejects the optimizer.
    pub fn set_optimizer(&mut self, optimizer: &Optimizer) -> Result<()> {
        optimizer.validate()?;
        (self.optimizer, self.steps) = (*optimizer, 0);
        for moments in [&mut self.first_moments, &mut self.second_moments] {
            *moments = Parameters::zeros(&self.config);
        }
        Ok(())
    }

    /// Updates all parameters once with the given gradients.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if the gradients do not have the shapes of this network.
    pub fn apply_gradients(&mut self, gradients: &Parameters<F>, learning_rate: f64) -> Result<()> {
        gradients.check_fit(&self.config)?;
        self.steps = self.steps.saturating_add(1);
        let step = OptimizerStep::new(&self.optimizer, self.steps, learning_rate);
        let moments = self.first_moments.layers_mut().iter_mut().zip(self.second_moments.layers_mut());
        let layers = self.parameters.layers_mut().iter_mut().zip(gradients.layers()).zip(moments);
        for ((layer, gradient), (first, second)) in layers {
            Zip::from(&mut layer.weight)
                .and(&gradient.weight)
                .and(&mut first.weight)
                .and(&mut second.weight)
                .for_each(|parameter, &gradient, first, second| step.update(parameter, gradient, first, second));
            Zip::from(&mut layer.bias)
                .and(&gradient.bias)
                .and(&mut first.bias)
                .and(&mut second.bias)
                .for_each(|parameter, &gradient, first, second| step.update(parameter, gradient, first, second));
        }
        Ok(())
    }

    /// Trains on one batch: computes its loss and gradients, updates the parameters, and returns the loss before the
    /// update. If the loss is not finite, nothing is updated.
    ///
    /// # Errors
    ///
    /// The same as for [`loss_and_gradients`](Self::loss_and_gradients).
    pub fn step(&mut self, batch: &Batch<F>, learning_rate: f64) -> Result<F> {
        let (loss, gradients) = self.loss_and_gradients(batch)?;
        if loss.is_finite() {
            self.apply_gradients(&gradients, learning_rate)?;
        }
        Ok(loss)
    }
}
