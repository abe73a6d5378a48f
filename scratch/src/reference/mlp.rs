//! [`ReferenceMlp`], a direct transcription of the equations: whole matrices, one operation after the other.

use mlp_parity::{Batch, Error, MlpConfig, Optimizer, Parameters, Result, Scalar};
use ndarray::{Array2, ArrayView2};

use super::batch::TrainingBatch;
use super::deviation::Correction;
use super::number::Number;
use super::optimizer::{STATE_SIZE, UpdateStep};
use super::specification::Specification;

/// A plain multi-layer perceptron with its optimizer, composed of the operations of a [`Specification`]. Each line can be
/// compared with an equation of the [crate documentation](crate).
///
/// In double precision it is the reference that all other implementations are compared with, [`Mlp`](crate::Mlp) among
/// them. It runs on one thread and makes no attempt to be fast, except that matrix products are computed by the `gemm`
/// crate.
#[derive(Clone, Debug)]
pub struct ReferenceMlp<F> {
    pub(super) specification: Specification,
    pub(super) parameters: Parameters<F>,
    /// Number of steps since the optimizer was set.
    steps: i32,
    /// The state of the update rule for every parameter.
    state: [Parameters<F>; STATE_SIZE],
    /// The gradients that the last step kept for the next one, if the specification has such a deviation.
    kept_gradients: Option<Parameters<F>>,
}

impl<F: Scalar> ReferenceMlp<F> {
    /// Creates a network of the contract, with the given parameters. The optimizer is SGD without weight decay until
    /// [`set_optimizer`](Self::set_optimizer) is called.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if the parameters do not have the shapes that `config` requires.
    pub fn new(config: &MlpConfig, parameters: Parameters<F>) -> Result<Self> {
        parameters.check_fit(config)?;
        Self::with_specification(Specification::new(config, &Optimizer::sgd()), parameters)
    }

    /// Creates a network that computes what `specification` selects.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if the number of layers of the parameters is not that of the specification.
    pub fn with_specification(specification: Specification, parameters: Parameters<F>) -> Result<Self> {
        let layers = specification.activations.len() + 1;
        Error::check_shape("the list of layers", &[layers], &[parameters.layers().len()])?;
        Error::check_shape("the list of biases", &[layers], &[specification.biases.len()])?;
        let state = initial_state(&specification, &parameters);
        Ok(Self { specification, parameters, steps: 0, state, kept_gradients: None })
    }

    /// Returns the operations of the network and its training.
    pub fn specification(&self) -> &Specification {
        &self.specification
    }

    /// Returns the weight W and the bias b of every layer.
    pub fn parameters(&self) -> &Parameters<F> {
        &self.parameters
    }

    /// Replaces the parameters. Keeps the optimizer and its state.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if the new parameters do not have the shapes of this network.
    pub fn set_parameters(&mut self, parameters: &Parameters<F>) -> Result<()> {
        self.check_fit(parameters)?;
        self.parameters.clone_from(parameters);
        Ok(())
    }

    fn check_fit(&self, parameters: &Parameters<F>) -> Result<()> {
        Error::check_shape("the network", &self.parameters.sizes(), &parameters.sizes())
    }

    /// Computes the logits Zᴸ, `[images, classes]`, of `images`, `[images, inputs]`, without dropout.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if an image does not have as many pixels as the network has inputs.
    pub fn logits(&self, images: ArrayView2<'_, F>) -> Result<Array2<F>> {
        let inputs = self.parameters.sizes().first().copied().unwrap_or_default();
        Error::check_shape("images", &[images.nrows(), inputs], images.shape())?;
        let batch = TrainingBatch { images: images.to_owned(), targets: Array2::zeros([0, 0]), masks: Vec::new() };
        let mut forward = self.forward(&batch);
        Ok(forward.sums.pop().unwrap_or(batch.images))
    }

    /// Computes the loss ℒ of the batch, and the gradients ∂ℒ/∂W and ∂ℒ/∂b of every layer.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if an image does not have as many pixels as the network has inputs, [`Error::Data`] if a label
    /// is not below the number of classes.
    pub fn loss_and_gradients(&self, batch: &Batch<F>) -> Result<(F, Parameters<F>)> {
        let sizes = self.parameters.sizes();
        let [inputs, .., classes] = sizes[..] else { return Err(Error::data("batch", "the network has no layer")) };
        batch.check_fit(inputs, classes)?;
        self.passes(&TrainingBatch::new(batch, classes)).map(|passes| (passes.loss, passes.gradients))
    }

    /// Selects an optimizer of the contract, with its weight decay, and resets its state.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if [`Optimizer::validate`] rejects the optimizer.
    pub fn set_optimizer(&mut self, optimizer: &Optimizer) -> Result<()> {
        optimizer.validate()?;
        self.specification.update_rule = optimizer.into();
        self.specification.weight_decay = optimizer.into();
        self.steps = 0;
        self.kept_gradients = None;
        self.state = initial_state(&self.specification, &self.parameters);
        Ok(())
    }

    /// Continues after `steps` updates with the given moments, which are the first values of the state.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if there are more moments than the update rule keeps, or fewer, or if they do not have the shapes of
    /// this network.
    pub fn set_optimizer_state(&mut self, steps: usize, moments: &[Parameters<F>]) -> Result<()> {
        let state_size = self.specification.update_rule.state_size();
        Error::check_shape("the optimizer state", &[state_size], &[moments.len()])?;
        moments.iter().try_for_each(|moments| self.check_fit(moments))?;
        self.steps = i32::try_from(steps).unwrap_or(i32::MAX);
        self.kept_gradients = None;
        self.state.iter_mut().zip(moments).for_each(|(state, moments)| state.clone_from(moments));
        Ok(())
    }

    /// Updates all parameters once with the gradients of a batch of `images`: coupled weight decay, clipping, and the update
    /// rule.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if the gradients do not have the shapes of this network.
    pub fn apply_gradients(&mut self, gradients: &Parameters<F>, learning_rate: f64, images: usize) -> Result<()> {
        self.check_fit(gradients)?;
        self.steps = self.steps.saturating_add(1);
        let carried = self.specification.deviations.carried_gradients;
        let (used, kept) = carried.carry(gradients.clone(), self.kept_gradients.take(), sum);
        self.kept_gradients = kept;
        let gradients = self.processed_gradients(&used, images);
        let steps = (0..self.specification.biases.len()).map(|layer| {
            [false, true].map(|is_bias| self.update_step(self.steps, learning_rate, images, layer, is_bias))
        });
        let steps: Vec<[UpdateStep; 2]> = steps.collect();
        let [first, second, third] = &mut self.state;
        let state = first.layers_mut().iter_mut().zip(second.layers_mut()).zip(third.layers_mut());
        let layers = self.parameters.layers_mut().iter_mut().zip(gradients.layers()).zip(&self.specification.biases);
        for ((((layer, gradient), &has_biases), ((first, second), third)), [step, bias_step]) in
            layers.zip(state).zip(&steps)
        {
            let state = first.weight.iter_mut().zip(&mut second.weight).zip(&mut third.weight);
            update_tensor(step, layer.weight.iter_mut().zip(&gradient.weight), state);
            if has_biases {
                let state = first.bias.iter_mut().zip(&mut second.bias).zip(&mut third.bias);
                update_tensor(bias_step, layer.bias.iter_mut().zip(&gradient.bias), state);
            }
        }
        Ok(())
    }

    /// Returns the step with this number, counted from 1, of the weight or of the bias of a layer.
    pub fn update_step(
        &self,
        number: i32,
        learning_rate: f64,
        images: usize,
        layer: usize,
        is_bias: bool,
    ) -> UpdateStep {
        let decay = self.specification.weight_decay;
        let shrinks = decay.decoupled && !(decay.weights_only && is_bias);
        let shrink = if shrinks { 1.0 - learning_rate * decay.for_batch(images) } else { 1.0 };
        let correction = match self.specification.deviations.correction {
            Correction::Updates(order) => {
                Correction::Shifted(order.updates(number, layer, is_bias, &self.specification.biases) - number)
            }
            correction => correction,
        };
        let factors = self.specification.deviations.rate_factors.unwrap_or([1.0; 2]);
        let learning_rate = learning_rate * factors[usize::from(is_bias)];
        UpdateStep { rule: self.specification.update_rule, learning_rate, number, shrink, correction }
    }

    /// Returns the gradients that the update rule gets: clipped, and with coupled weight decay. Decay that is part of the loss
    /// is clipped with the rest of its gradient; otherwise the optimizer adds it after clipping, as in PyTorch.
    pub fn processed_gradients(&self, gradients: &Parameters<F>, images: usize) -> Parameters<F> {
        let mut processed = gradients.clone();
        let in_loss = self.specification.weight_decay.in_loss;
        if in_loss {
            self.add_weight_decay(&mut processed, images);
        }
        if let Some(clipping) = self.specification.clipping {
            clipping.clip(&mut processed);
        }
        if !in_loss {
            self.add_weight_decay(&mut processed, images);
        }
        processed
    }

    /// Adds coupled weight decay to gradients.
    fn add_weight_decay(&self, gradients: &mut Parameters<F>, images: usize) {
        let decay = self.specification.weight_decay;
        if decay.coefficient == 0.0 || decay.decoupled {
            return;
        }
        let coefficient = F::from_f64(decay.for_batch(images));
        for (gradient, layer) in gradients.layers_mut().iter_mut().zip(self.parameters.layers()) {
            gradient.weight.scaled_add(coefficient, &layer.weight);
            if !decay.weights_only {
                gradient.bias.scaled_add(coefficient, &layer.bias);
            }
        }
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
            self.apply_gradients(&gradients, learning_rate, batch.len())?;
        }
        Ok(loss)
    }
}

/// Adds two sets of gradients.
fn sum<F: Scalar>(gradients: &Parameters<F>, others: &Parameters<F>) -> Parameters<F> {
    let mut sum = gradients.clone();
    for (sum, other) in sum.layers_mut().iter_mut().zip(others.layers()) {
        sum.weight += &other.weight;
        sum.bias += &other.bias;
    }
    sum
}

fn initial_state<F: Scalar>(specification: &Specification, parameters: &Parameters<F>) -> [Parameters<F>; STATE_SIZE] {
    specification.update_rule.initial_state(&F::zero()).map(|value| parameters.map(|_| value))
}

/// Updates the parameters of a tensor, given as pairs of parameter and gradient, and their state.
fn update_tensor<'a, F: Scalar + Number>(
    step: &UpdateStep,
    parameters: impl Iterator<Item = (&'a mut F, &'a F)>,
    state: impl Iterator<Item = ((&'a mut F, &'a mut F), &'a mut F)>,
) {
    for ((parameter, gradient), ((first, second), third)) in parameters.zip(state) {
        let mut values = [*first, *second, *third];
        *parameter = step.update(parameter, gradient, &mut values);
        [*first, *second, *third] = values;
    }
}

#[cfg(test)]
mod tests {
    use mlp_parity::{Activation, MlpConfig, Optimizer, Parameters};

    use super::super::deviation::{Correction, UpdateOrder};
    use super::super::specification::Specification;
    use super::ReferenceMlp;

    #[test]
    fn updates_are_counted_in_their_order() {
        let config = MlpConfig::new(2, &[2], 2, Activation::Relu).unwrap();
        let mut specification = Specification::new(&config, &Optimizer::adam());
        let expected = [
            // The first step of W¹, b¹, W² and b², then the second one.
            (UpdateOrder::Tensors, [1, 2, 3, 4, 5, 6, 7, 8]),
            (UpdateOrder::TensorsFromTop, [3, 4, 1, 2, 7, 8, 5, 6]),
            (UpdateOrder::Reversed, [4, 3, 2, 1, 8, 7, 6, 5]),
            (UpdateOrder::WeightsFirst, [1, 3, 2, 4, 5, 7, 6, 8]),
            (UpdateOrder::Layers, [1, 1, 2, 2, 3, 3, 4, 4]),
            (UpdateOrder::LayersFromTop, [2, 2, 1, 1, 4, 4, 3, 3]),
        ];
        for (order, updates) in expected {
            specification.deviations.correction = Correction::Updates(order);
            let parameters = Parameters::<f64>::zeros(&config);
            let network = ReferenceMlp::with_specification(specification.clone(), parameters).unwrap();
            let mut found = Vec::new();
            for number in [1, 2] {
                for (layer, is_bias) in [(0, false), (0, true), (1, false), (1, true)] {
                    match network.update_step(number, 0.1, 1, layer, is_bias).correction {
                        Correction::Shifted(by) => found.push(number + by),
                        other => panic!("{other:?}"),
                    }
                }
            }
            assert_eq!(found, updates, "{order:?}");
        }
        specification.biases = vec![false, true];
        assert_eq!(UpdateOrder::Tensors.updates(2, 1, true, &specification.biases), 6);
    }
}
