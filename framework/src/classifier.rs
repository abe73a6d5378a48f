//! [`Mlp`], which implements the traits of `mlp-parity`, [`Classifier`] and [`Differentiable`], with Burn.

use burn::module::Module;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Int, Tensor, TensorData, activation};
use mlp_parity::classifier::check_images;
use mlp_parity::metrics::History;
use mlp_parity::{
    Arithmetic, Batch, Batches, Classifier, Dataset, Differentiable, MlpConfig, Observer, Optimizer, OptimizerState,
    Parameters, Result, TrainingConfig, training,
};
use ndarray::{Array2, ArrayView2};

use crate::model::read;
use crate::optimizer::{self, module_optimizer};
use crate::{Error, Model, OpenDevice};

/// A multi-layer perceptron on a Burn device, together with its optimizer and the optimizer's state.
#[derive(Clone)]
pub struct Mlp {
    config: MlpConfig,
    arithmetic: Arithmetic,
    /// The device, with automatic differentiation enabled.
    device: Device,
    model: Model,
    optimizer_config: Optimizer,
    optimizer: ModuleOptimizer,
    /// Number of updates since the optimizer was selected.
    steps: usize,
}

impl Mlp {
    /// Creates a network with the given parameters on a device that [`Backend::open`](crate::Backend::open) has
    /// returned. The optimizer is SGD without weight decay until [`set_optimizer`](Differentiable::set_optimizer) is
    /// called.
    ///
    /// # Errors
    ///
    /// [`mlp_parity::Error::Shape`] if the parameters do not fit the network configuration.
    pub fn new(config: MlpConfig, parameters: &Parameters<f32>, open: &OpenDevice) -> Result<Self> {
        parameters.check_fit(&config)?;
        let device = open.device.clone().inner().autodiff();
        let model = Model::new(parameters, config.activation(), &device);
        let optimizer_config = Optimizer::sgd();
        let optimizer = module_optimizer(&optimizer_config);
        let arithmetic = open.backend.arithmetic();
        Ok(Self { config, arithmetic, device, model, optimizer_config, optimizer, steps: 0 })
    }

    /// Computes the logits, `[images, classes]`, of images, `[images, inputs]`, without recording for automatic
    /// differentiation.
    fn inference(&self, images: ArrayView2<'_, f32>) -> Result<Tensor<2>> {
        check_images(&self.config, images)?;
        let images = images_tensor(images.iter().copied().collect(), images.nrows(), &self.device.clone().inner());
        Ok(self.model.valid().forward(images))
    }

    /// Trains on the batches without waiting for the device in between, and returns the loss of each. All losses are
    /// read from the device at the end.
    fn train_ahead<'a>(
        &mut self,
        train: &Dataset,
        batches: impl Iterator<Item = (&'a [usize], f64)>,
    ) -> Result<Vec<f32>> {
        let mut losses = Vec::with_capacity(batches.size_hint().0);
        for (indices, learning_rate) in batches {
            let batch = train.batch::<f32>(indices);
            let labels = labels_tensor(batch.labels(), &self.device);
            let images = images_tensor(batch.into_images().into_raw_vec_and_offset().0, indices.len(), &self.device);
            let loss = self.model.loss(images, labels);
            self.update(GradientsParams::from_grads(loss.backward(), &self.model), learning_rate);
            losses.push(loss.inner());
        }
        if losses.is_empty() { Ok(Vec::new()) } else { read(Tensor::cat(losses, 0)) }
    }

    /// Performs one optimizer step on the model, and increments the step count.
    fn update(&mut self, gradients: GradientsParams, learning_rate: f64) {
        // Moving the model instead of cloning it lets Burn update the tensors in place: nothing else holds them.
        let model = std::mem::take(&mut self.model);
        self.model = self.optimizer.step(learning_rate, model, gradients);
        self.steps = self.steps.saturating_add(1);
    }
}

/// Transfers the pixels of `images` images, row-major, to the device as `[images, inputs]`.
fn images_tensor(pixels: Vec<f32>, images: usize, device: &Device) -> Tensor<2> {
    let inputs = pixels.len() / images.max(1);
    Tensor::from_data(TensorData::new(pixels, [images, inputs]), device)
}

/// Transfers labels to the device as class indices, `[images]`.
fn labels_tensor(labels: &[usize], device: &Device) -> Tensor<1, Int> {
    let classes: Vec<i32> = labels.iter().map(|&label| label as i32).collect();
    Tensor::from_data(TensorData::new(classes, [labels.len()]), device)
}

/// Reads a matrix from the device. Waits for pending computations.
fn matrix(tensor: Tensor<2>) -> Result<Array2<f32>> {
    let shape = tensor.dims();
    Array2::from_shape_vec(shape, read(tensor)?).map_err(Error::device)
}

impl Classifier for Mlp {
    fn config(&self) -> &MlpConfig {
        &self.config
    }

    fn fit(&mut self, train: &Dataset, training: &TrainingConfig, observer: &mut dyn Observer) -> Result<History> {
        training::fit(self, train, training, observer)
    }

    fn predict_probabilities(&self, images: ArrayView2<'_, f32>) -> Result<Array2<f32>> {
        matrix(activation::softmax(self.inference(images)?, 1))
    }
}

impl Differentiable for Mlp {
    fn arithmetic(&self) -> Arithmetic {
        self.arithmetic
    }

    fn parameters(&self) -> Result<Parameters<f32>> {
        self.model.parameters()
    }

    fn set_parameters(&mut self, parameters: &Parameters<f32>) -> Result<()> {
        parameters.check_fit(&self.config)?;
        self.model.set_parameters(parameters, &self.device);
        Ok(())
    }

    fn logits(&self, images: ArrayView2<'_, f32>) -> Result<Array2<f32>> {
        matrix(self.inference(images)?)
    }

    fn loss_and_gradients(&self, batch: &Batch<f32>) -> Result<(f32, Parameters<f32>)> {
        batch.check_fit(self.config.inputs(), self.config.classes())?;
        let images = images_tensor(batch.images().iter().copied().collect(), batch.len(), &self.device);
        let loss = self.model.loss(images, labels_tensor(batch.labels(), &self.device));
        let gradients = self.model.gradients(&loss.backward())?;
        Ok((read(loss.inner())?.into_iter().sum(), gradients))
    }

    fn set_optimizer(&mut self, optimizer: &Optimizer) -> Result<()> {
        optimizer.validate()?;
        (self.optimizer_config, self.optimizer, self.steps) = (*optimizer, module_optimizer(optimizer), 0);
        Ok(())
    }

    fn optimizer_state(&self) -> Result<OptimizerState> {
        let moments = optimizer::moments(&self.optimizer, &self.optimizer_config, &self.model)?;
        Ok(OptimizerState { steps: self.steps, moments })
    }

    fn set_optimizer_state(&mut self, state: &OptimizerState) -> Result<()> {
        state.check_fit(&self.optimizer_config, &self.config)?;
        let device = self.device.clone().inner();
        self.optimizer = optimizer::with_state(state, &self.optimizer_config, &self.model, &device)?;
        self.steps = state.steps;
        Ok(())
    }

    fn apply_gradients(&mut self, gradients: &Parameters<f32>, learning_rate: f64) -> Result<()> {
        gradients.check_fit(&self.config)?;
        let gradients = self.model.gradients_for_optimizer(gradients, &self.device.clone().inner());
        self.update(gradients, learning_rate);
        Ok(())
    }

    fn step(&mut self, batch: &Batch<f32>, learning_rate: f64) -> Result<f32> {
        batch.check_fit(self.config.inputs(), self.config.classes())?;
        let images = images_tensor(batch.images().iter().copied().collect(), batch.len(), &self.device);
        let loss = self.model.loss(images, labels_tensor(batch.labels(), &self.device));
        // The tensor has a single element, which the sum extracts. A loss that is not finite must not update the model.
        let value: f32 = read(loss.clone().inner())?.into_iter().sum();
        if value.is_finite() {
            self.update(GradientsParams::from_grads(loss.backward(), &self.model), learning_rate);
        }
        Ok(value)
    }

    fn train_batches(&mut self, train: &Dataset, batches: Batches<'_>, losses: &mut Vec<f32>) -> Result<()> {
        // Cloning copies only tensor handles. The values are copied when the next update writes to them.
        let before = (self.model.clone(), self.optimizer.clone(), self.steps);
        let mut trained = self.train_ahead(train, batches.clone())?;
        if let Some(diverged) = trained.iter().position(|loss| !loss.is_finite()) {
            // The device was already ahead: the model contains the updates of the diverged batch and all later ones.
            // Roll back and train on the batches before it again.
            (self.model, self.optimizer, self.steps) = before;
            self.train_ahead(train, batches.take(diverged))?;
            trained.truncate(diverged + 1);
        }
        losses.append(&mut trained);
        Ok(())
    }

    /// Returns 32: reading a loss waits for the device, so the losses of 32 batches are read together.
    fn batches_per_call(&self) -> usize {
        32
    }
}
