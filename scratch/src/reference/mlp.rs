//! The network as its equations are written: whole matrices, one product after the other.

use mlp_parity::{Batch, Error, MlpConfig, Optimizer, Parameters, Result};
use ndarray::{Array2, ArrayView2, Axis, Zip};

use super::activation;
use super::loss::softmax_cross_entropy;
use super::optimizer::Step;
use super::real::Real;
use crate::fast::kernels::product;

/// A multi-layer perceptron with the state of its optimizer, every line of which can be held beside an equation of the
/// [crate](crate). In double precision it is the reference that judges all others, [`Mlp`](crate::Mlp) among them.
#[derive(Clone, Debug)]
pub struct ReferenceMlp<F> {
    config: MlpConfig,
    parameters: Parameters<F>,
    rule: Optimizer,
    /// Steps done with this rule.
    steps: i32,
    /// v of momentum, m of Adam; zero at first.
    first: Parameters<F>,
    /// v of Adam, likewise.
    second: Parameters<F>,
}

/// Everything that the forward and the backward pass compute on one batch, in the notation of the [crate](crate).
#[derive(Clone, Debug)]
pub struct Passes<F> {
    /// A¹ … Aᴸ⁻¹ and the logits Zᴸ, `[images, width]`.
    pub activations: Vec<Array2<F>>,
    /// δ¹ … δᴸ, `[images, width]`.
    pub deltas: Vec<Array2<F>>,
    /// ℒ
    pub loss: F,
    /// ∂ℒ/∂W and ∂ℒ/∂b of every layer.
    pub gradients: Parameters<F>,
}

impl<F: Real> ReferenceMlp<F> {
    /// A network with these parameters, and SGD without weight decay as its optimizer.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if the parameters are those of another network.
    pub fn new(config: MlpConfig, parameters: Parameters<F>) -> Result<Self> {
        parameters.check_fit(&config)?;
        let zeros = || Parameters::zeros(&config);
        let (first, second) = (zeros(), zeros());
        Ok(Self { parameters, rule: Optimizer::sgd(), steps: 0, first, second, config })
    }

    /// The shape of the network.
    pub fn config(&self) -> &MlpConfig {
        &self.config
    }

    /// W and b of every layer.
    pub fn parameters(&self) -> &Parameters<F> {
        &self.parameters
    }

    /// Replaces the parameters.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if they are those of another network.
    pub fn set_parameters(&mut self, parameters: &Parameters<F>) -> Result<()> {
        parameters.check_fit(&self.config)?;
        self.parameters.clone_from(parameters);
        Ok(())
    }

    /// Zᴸ, `[images, classes]`.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if the images do not fit the network.
    pub fn logits(&self, images: ArrayView2<'_, F>) -> Result<Array2<F>> {
        Error::check_shape("images", &[images.nrows(), self.config.inputs()], images.shape())?;
        Ok(self.forward(images).pop().unwrap_or_else(|| images.to_owned()))
    }

    /// ℒ of the batch, and ∂ℒ/∂W and ∂ℒ/∂b of every layer.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if the images do not fit the network, [`Error::Data`] if a label is no class.
    pub fn loss_and_gradients(&self, batch: &Batch<F>) -> Result<(F, Parameters<F>)> {
        self.passes(batch).map(|passes| (passes.loss, passes.gradients))
    }

    /// Equations (1) to (7), and everything that they compute on the way.
    ///
    /// # Errors
    ///
    /// As [`loss_and_gradients`](Self::loss_and_gradients).
    pub fn passes(&self, batch: &Batch<F>) -> Result<Passes<F>> {
        batch.check_fit(self.config.inputs(), self.config.classes())?;
        let activations = self.forward(batch.images());
        let layers = self.parameters.layers();
        let mut deltas: Vec<_> = activations.iter().map(|values| Array2::zeros(values.raw_dim())).collect();
        let mut gradients = Parameters::zeros(&self.config);
        let mut loss = F::zero();
        for index in (0..layers.len()).rev() {
            let (before, after) = deltas.split_at_mut(index);
            let delta = &mut after[0];
            if index + 1 == layers.len() {
                loss = softmax_cross_entropy(activations[index].view(), batch.labels(), delta.view_mut());
            }
            let input = index.checked_sub(1).map_or(batch.images(), |below| activations[below].view());
            let gradient = &mut gradients.layers_mut()[index];
            product(input.t(), delta.view(), gradient.weight.view_mut());
            delta.rows().into_iter().for_each(|row| gradient.bias += &row);
            if let Some(below) = before.last_mut() {
                product(delta.view(), layers[index].weight.t(), below.view_mut());
                let pairs = activations[index - 1].iter().zip(below.iter_mut());
                activation::multiply_by_derivative(self.config.activation(), pairs);
            }
        }
        Ok(Passes { activations, deltas, loss, gradients })
    }

    /// Equations (1) and (2): A¹ … Aᴸ⁻¹ and Zᴸ.
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

    /// Sets the rule, with fresh state.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if the rule is not valid.
    pub fn set_optimizer(&mut self, optimizer: &Optimizer) -> Result<()> {
        optimizer.validate()?;
        (self.rule, self.steps) = (*optimizer, 0);
        for moments in [&mut self.first, &mut self.second] {
            *moments = Parameters::zeros(&self.config);
        }
        Ok(())
    }

    /// One update of the parameters from these gradients.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if the gradients are those of another network.
    pub fn apply_gradients(&mut self, gradients: &Parameters<F>, learning_rate: f64) -> Result<()> {
        gradients.check_fit(&self.config)?;
        self.steps = self.steps.saturating_add(1);
        let step = Step::new(&self.rule, self.steps, learning_rate);
        let moments = self.first.layers_mut().iter_mut().zip(self.second.layers_mut());
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

    /// One step of training: the loss before the update. Parameters are not updated from a loss that is not finite.
    ///
    /// # Errors
    ///
    /// As [`loss_and_gradients`](Self::loss_and_gradients).
    pub fn step(&mut self, batch: &Batch<F>, learning_rate: f64) -> Result<F> {
        let (loss, gradients) = self.loss_and_gradients(batch)?;
        if loss.is_finite() {
            self.apply_gradients(&gradients, learning_rate)?;
        }
        Ok(loss)
    }
}
