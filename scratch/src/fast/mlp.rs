//! [`Mlp`], the single-precision network for training and inference.

use std::sync::Arc;

use mlp_parity::classifier::{check_images, softmax};
use mlp_parity::metrics::{Evaluation, History};
use mlp_parity::{
    Batch, Batches, Classifier, Dataset, Differentiable, MlpConfig, Observer, Optimizer, OptimizerState, Parameters,
    Result, TrainingConfig, training,
};
use ndarray::{Array2, ArrayView2, Axis, CowArray, Ix2};

use crate::fast::formulas::activation::HiddenFunction;
use crate::fast::formulas::optimizer::OptimizerStep;
use crate::fast::images::ImageSource;
use crate::fast::kernels::{Pool, instruction_set};
use crate::fast::passes::{self, Workspace};
use crate::fast::tile::NeuronTile;

/// Number of images per inference batch.
const INFERENCE_BATCH: usize = 256;

/// A fast multi-layer perceptron in single precision, with its optimizer.
///
/// It computes the equations of the [crate documentation](crate) with vector instructions, a sparse first layer and a
/// thread pool. Results agree with those of [`ReferenceMlp`] except for rounding, and are bit-for-bit identical on any
/// number of threads.
///
/// Clones share the thread pool. If several of them compute at the same time, one uses the pool and the others run on
/// their calling thread.
///
/// [`ReferenceMlp`]: crate::ReferenceMlp
#[derive(Clone, Debug)]
pub struct Mlp {
    config: MlpConfig,
    function: HiddenFunction,
    /// For each layer, its tiles of neurons with their parameters and optimizer moments.
    layers: Vec<Vec<NeuronTile>>,
    optimizer: Optimizer,
    /// Number of steps since the optimizer was set.
    steps: i32,
    /// Buffers for training. Inference allocates its own, because it borrows the network immutably.
    workspace: Workspace,
    pool: Arc<Pool>,
}

impl Mlp {
    /// Creates a single-threaded network with the given parameters. The optimizer is SGD without weight decay until
    /// [`set_optimizer`](Differentiable::set_optimizer) is called.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if the parameters do not have the shapes that `config` requires, [`Error::Configuration`] if
    /// the environment variable `MLP_PARITY_KERNELS` names an instruction set that this machine does not support.
    ///
    /// [`Error::Shape`]: mlp_parity::Error::Shape
    /// [`Error::Configuration`]: mlp_parity::Error::Configuration
    pub fn new(config: MlpConfig, parameters: &Parameters<f32>) -> Result<Self> {
        parameters.check_fit(&config)?;
        // Kernels cannot return errors: report an unsupported instruction set here.
        instruction_set()?;
        let function = HiddenFunction { activation: config.activation(), derivative_at_activation: false };
        let workspace = Workspace::new(&config, function);
        let layers = passes::to_tiles(parameters);
        Ok(Self {
            config,
            function,
            layers,
            optimizer: Optimizer::sgd(),
            steps: 0,
            workspace,
            pool: Arc::new(Pool::new(1)),
        })
    }

    /// Makes the network compute on `threads` threads, the calling thread included. The number of threads does not
    /// change any bit of the results.
    ///
    /// At most one thread per 64 neurons of the widest layer can be used; excess threads are not started. Worker
    /// threads wait for work in a loop for 100 to 200 µs before they sleep, so more threads than processors make
    /// training slower.
    #[must_use]
    pub fn with_threads(self, threads: usize) -> Self {
        let most_tiles = self.layers.iter().map(Vec::len).max().unwrap_or(1);
        let threads = threads.min(most_tiles);
        Self { pool: Arc::new(Pool::new(threads)), ..self }
    }

    /// Makes the network evaluate the derivative of its activation function at a = f(z) instead of z. This is a fault, that of
    /// the report's listing for tanh; it makes the report's numbers reproducible.
    #[must_use]
    pub fn with_derivative_at_activation(self) -> Self {
        let function = HiddenFunction { derivative_at_activation: true, ..self.function };
        Self { workspace: Workspace::new(&self.config, function), function, ..self }
    }

    /// Computes the logits of `count` images, `[count, classes]`. `parts` yields the images in batches of
    /// [`INFERENCE_BATCH`].
    fn logits_in_batches<'a>(&self, count: usize, parts: impl Iterator<Item = ImageSource<'a>>) -> Array2<f32> {
        let mut logits = Array2::zeros([count, self.config.classes()]);
        let mut workspace = Workspace::new(&self.config, self.function);
        for (images, to) in parts.zip(logits.axis_chunks_iter_mut(Axis(0), INFERENCE_BATCH)) {
            workspace.forward(&self.layers, &images, &self.pool);
            workspace.copy_logits(to);
        }
        logits
    }

    /// Trains on one batch and returns its loss before the update. If the loss is not finite, nothing is updated. The
    /// images and labels must fit the network.
    ///
    /// Allocates memory only if the batch is larger than all previous ones.
    fn train_batch(
        &mut self,
        images: &ImageSource<'_>,
        labels: impl Iterator<Item = usize>,
        learning_rate: f64,
    ) -> f32 {
        self.workspace.forward(&self.layers, images, &self.pool);
        let loss = self.workspace.loss(labels, self.config.classes());
        if loss.is_finite() {
            let step = self.next_step(learning_rate);
            self.workspace.backward(&mut self.layers, Some(&step), &self.pool);
        }
        loss
    }

    /// Increments the number of steps and returns the coefficients of the new optimizer step.
    fn next_step(&mut self, learning_rate: f64) -> OptimizerStep<f32> {
        self.steps = self.steps.saturating_add(1);
        OptimizerStep::new(&self.optimizer, self.steps, learning_rate)
    }
}

impl Classifier for Mlp {
    fn config(&self) -> &MlpConfig {
        &self.config
    }

    fn fit(&mut self, train: &Dataset, training: &TrainingConfig, observer: &mut dyn Observer) -> Result<History> {
        training::fit(self, train, training, observer)
    }

    fn predict_probabilities(&self, images: ArrayView2<'_, f32>) -> Result<Array2<f32>> {
        Ok(softmax(self.logits(images)?))
    }

    /// Computes accuracy, loss and predictions on a data set. The images are read from the data set without a copy.
    fn evaluate(&self, dataset: &Dataset) -> Result<Evaluation> {
        dataset.check_fit(&self.config)?;
        let indices: Vec<usize> = (0..dataset.len()).collect();
        let parts = indices.chunks(INFERENCE_BATCH).map(|indices| ImageSource::Dataset { dataset, indices, next: &[] });
        let logits = self.logits_in_batches(dataset.len(), parts);
        Evaluation::new(softmax(logits).view(), dataset.labels())
    }
}

impl Differentiable for Mlp {
    fn parameters(&self) -> Result<Parameters<f32>> {
        Ok(passes::to_parameters(&self.layers, &self.config))
    }

    fn set_parameters(&mut self, parameters: &Parameters<f32>) -> Result<()> {
        parameters.check_fit(&self.config)?;
        let new_tiles = passes::to_tiles(parameters).into_iter().flatten();
        self.layers.iter_mut().flatten().zip(new_tiles).for_each(|(tile, new)| tile.take_values(new));
        Ok(())
    }

    /// Computes the logits Zᴸ, `[images, classes]`, of `images`, `[images, inputs]`.
    fn logits(&self, images: ArrayView2<'_, f32>) -> Result<Array2<f32>> {
        check_images(&self.config, images)?;
        let (count, width) = images.dim();
        let images = images.as_standard_layout();
        let parts = contiguous(&images).chunks(INFERENCE_BATCH * width).map(|part| ImageSource::Batch(part, width));
        Ok(self.logits_in_batches(count, parts))
    }

    /// Computes the mean loss ℒ of the batch, and the gradients ∂ℒ/∂W and ∂ℒ/∂b of every layer.
    fn loss_and_gradients(&self, batch: &Batch<f32>) -> Result<(f32, Parameters<f32>)> {
        batch.check_fit(self.config.inputs(), self.config.classes())?;
        let mut workspace = Workspace::new(&self.config, self.function);
        let images = batch.images();
        let images = images.as_standard_layout();
        workspace.forward(&self.layers, &ImageSource::Batch(contiguous(&images), self.config.inputs()), &self.pool);
        let loss = workspace.loss(batch.labels().iter().copied(), self.config.classes());
        // Without an optimizer step, the backward pass replaces the parameters by their gradients, here in a copy.
        let mut gradients = self.layers.clone();
        workspace.backward(&mut gradients, None, &self.pool);
        Ok((loss, passes::to_parameters(&gradients, &self.config)))
    }

    fn set_optimizer(&mut self, optimizer: &Optimizer) -> Result<()> {
        optimizer.validate()?;
        (self.optimizer, self.steps) = (*optimizer, 0);
        let formula = OptimizerStep::<f32>::new(optimizer, 1, 0.0).formula();
        let tiles = self.layers.iter_mut().flatten();
        tiles.flat_map(NeuronTile::tensors_mut).for_each(|tensor| tensor.reset_moments(formula));
        Ok(())
    }

    fn optimizer_state(&self) -> Result<OptimizerState> {
        // Puts the moments in the place of the parameters of a copy, from where they are converted as parameters are.
        let moments = |index| {
            let mut layers = self.layers.clone();
            let tensors = layers.iter_mut().flatten().flat_map(NeuronTile::tensors_mut);
            tensors.for_each(|tensor| tensor.values = std::mem::take(tensor.moments_mut(index)));
            passes::to_parameters(&layers, &self.config)
        };
        let moments = (0..OptimizerState::moment_count(&self.optimizer)).map(moments).collect();
        Ok(OptimizerState { steps: usize::try_from(self.steps).unwrap_or(0), moments })
    }

    fn set_optimizer_state(&mut self, state: &OptimizerState) -> Result<()> {
        state.check_fit(&self.optimizer, &self.config)?;
        self.steps = i32::try_from(state.steps).unwrap_or(i32::MAX);
        for (index, moments) in state.moments.iter().enumerate() {
            let new_tiles = passes::to_tiles(moments).into_iter().flatten();
            for (tile, mut new) in self.layers.iter_mut().flatten().zip(new_tiles) {
                for (tensor, new) in tile.tensors_mut().into_iter().zip(new.tensors_mut()) {
                    *tensor.moments_mut(index) = std::mem::take(&mut new.values);
                }
            }
        }
        Ok(())
    }

    fn apply_gradients(&mut self, gradients: &Parameters<f32>, learning_rate: f64) -> Result<()> {
        gradients.check_fit(&self.config)?;
        let step = self.next_step(learning_rate);
        let gradients = passes::to_tiles(gradients).into_iter().flatten();
        self.layers.iter_mut().flatten().zip(gradients).for_each(|(tile, gradient)| tile.update_all(&gradient, &step));
        Ok(())
    }

    fn step(&mut self, batch: &Batch<f32>, learning_rate: f64) -> Result<f32> {
        batch.check_fit(self.config.inputs(), self.config.classes())?;
        let images = batch.images();
        let images = images.as_standard_layout();
        let images = ImageSource::Batch(contiguous(&images), self.config.inputs());
        Ok(self.train_batch(&images, batch.labels().iter().copied(), learning_rate))
    }

    /// Trains on consecutive batches without copying their images. Also prefetches the images of the batch after these,
    /// with which the next call starts.
    fn train_batches(&mut self, train: &Dataset, batches: Batches<'_>, losses: &mut Vec<f32>) -> Result<()> {
        let next = batches.following();
        for (indices, learning_rate) in batches {
            let labels = indices.iter().map(|&index| train.labels()[index]);
            let loss = self.train_batch(&ImageSource::Dataset { dataset: train, indices, next }, labels, learning_rate);
            losses.push(loss);
            if !loss.is_finite() {
                break;
            }
        }
        Ok(())
    }
}

/// Returns the values of `images`, row by row. The array must be in standard (row-major) layout.
fn contiguous<'a>(images: &'a CowArray<'_, f32, Ix2>) -> &'a [f32] {
    images.as_slice().unwrap_or_default()
}
