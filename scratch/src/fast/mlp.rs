//! The network that is trained.

use std::sync::Arc;

use mlp_parity::classifier::{check_images, softmax};
use mlp_parity::metrics::{Evaluation, History};
use mlp_parity::{
    Batch, Batches, Classifier, Dataset, Differentiable, MlpConfig, Observer, Optimizer, OptimizerState, Parameters,
    Result, TrainingConfig, training,
};
use ndarray::{Array2, ArrayView2, Axis, CowArray, Ix2};

use crate::fast::group::Group;
use crate::fast::images::Images;
use crate::fast::kernels::{Pool, instruction_set};
use crate::fast::passes::{self, Workspace};
use crate::reference::optimizer::Step;

/// Number of images per inference batch.
const INFERENCE_BATCH: usize = 256;

/// A multi-layer perceptron in single precision with the state of its optimizer: the mathematics of [`ReferenceMlp`], and its
/// results but for rounding, many times as fast. See the [crate](crate).
///
/// [`ReferenceMlp`]: crate::ReferenceMlp
#[derive(Clone, Debug)]
pub struct Mlp {
    config: MlpConfig,
    /// Layer by layer.
    groups: Vec<Vec<Group>>,
    rule: Optimizer,
    /// Steps done with this rule.
    steps: i32,
    workspace: Workspace,
    pool: Arc<Pool>,
}

impl Mlp {
    /// A network with these parameters, and SGD without weight decay as its optimizer. It computes on one thread.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if the parameters are those of another network, [`Error::Configuration`] if the environment names
    /// kernels that this machine does not have.
    ///
    /// [`Error::Shape`]: mlp_parity::Error::Shape
    /// [`Error::Configuration`]: mlp_parity::Error::Configuration
    pub fn new(config: MlpConfig, parameters: &Parameters<f32>) -> Result<Self> {
        parameters.check_fit(&config)?;
        instruction_set()?;
        let workspace = Workspace::new(&config);
        let rule = Optimizer::sgd();
        let groups = passes::groups(parameters);
        Ok(Self { config, groups, rule, steps: 0, workspace, pool: Arc::new(Pool::new(1)) })
    }

    /// The same network on so many threads, the caller's included. Its results stay the same to the bit. Between two
    /// steps, the others wait for a moment without sleeping: more of them than processors make it slower. A thread for every
    /// 64 neurons of the widest layer is the most that is of use, and is started.
    #[must_use]
    pub fn with_threads(self, threads: usize) -> Self {
        let useful = self.groups.iter().map(Vec::len).max().unwrap_or(1);
        let threads = threads.min(useful);
        Self { pool: Arc::new(Pool::new(threads)), ..self }
    }

    /// Computes the logits of `count` images, which come in parts of [`INFERENCE_BATCH`].
    fn logits_of<'a>(&self, count: usize, parts: impl Iterator<Item = Images<'a>>) -> Array2<f32> {
        let mut logits = Array2::zeros([count, self.config.classes()]);
        let mut workspace = Workspace::new(&self.config);
        for (images, to) in parts.zip(logits.axis_chunks_iter_mut(Axis(0), INFERENCE_BATCH)) {
            workspace.forward(&self.groups, &images, &self.pool);
            workspace.copy_logits(to);
        }
        logits
    }

    /// Trains on images and labels that fit the network, and returns the loss before the update. Makes no update from a
    /// loss that is not finite. Allocates nothing once it has seen a batch as large.
    fn train_on(&mut self, images: &Images<'_>, labels: impl Iterator<Item = usize>, learning_rate: f64) -> f32 {
        self.workspace.forward(&self.groups, images, &self.pool);
        let loss = self.workspace.loss(labels, self.config.classes());
        if loss.is_finite() {
            let step = self.next_step(learning_rate);
            self.workspace.backward(&mut self.groups, Some(&step), &self.pool);
        }
        loss
    }

    fn next_step(&mut self, learning_rate: f64) -> Step<f32> {
        self.steps = self.steps.saturating_add(1);
        Step::new(&self.rule, self.steps, learning_rate)
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

    /// Without a copy of the images.
    fn evaluate(&self, dataset: &Dataset) -> Result<Evaluation> {
        dataset.check_fit(&self.config)?;
        let indices: Vec<usize> = (0..dataset.len()).collect();
        let parts = indices.chunks(INFERENCE_BATCH).map(|indices| Images::Of { dataset, indices, next: &[] });
        let logits = self.logits_of(dataset.len(), parts);
        Ok(Evaluation::new(softmax(logits).view(), dataset.labels()))
    }
}

impl Differentiable for Mlp {
    fn parameters(&self) -> Result<Parameters<f32>> {
        Ok(passes::parameters(&self.groups, &self.config))
    }

    fn set_parameters(&mut self, parameters: &Parameters<f32>) -> Result<()> {
        parameters.check_fit(&self.config)?;
        let new = passes::groups(parameters).into_iter().flatten();
        self.groups.iter_mut().flatten().zip(new).for_each(|(group, new)| group.take_values(new));
        Ok(())
    }

    /// Zᴸ, `[images, classes]`.
    fn logits(&self, images: ArrayView2<'_, f32>) -> Result<Array2<f32>> {
        check_images(&self.config, images)?;
        let (count, width) = images.dim();
        let images = images.as_standard_layout();
        let parts = in_one_piece(&images).chunks(INFERENCE_BATCH * width).map(|part| Images::Rows(part, width));
        Ok(self.logits_of(count, parts))
    }

    /// ℒ of the batch, and ∂ℒ/∂W and ∂ℒ/∂b of every layer.
    fn loss_and_gradients(&self, batch: &Batch<f32>) -> Result<(f32, Parameters<f32>)> {
        batch.check_fit(self.config.inputs(), self.config.classes())?;
        let mut workspace = Workspace::new(&self.config);
        let images = batch.images();
        let images = images.as_standard_layout();
        workspace.forward(&self.groups, &Images::Rows(in_one_piece(&images), self.config.inputs()), &self.pool);
        let loss = workspace.loss(batch.labels().iter().copied(), self.config.classes());
        // Each parameter of this copy becomes its gradient.
        let mut groups = self.groups.clone();
        workspace.backward(&mut groups, None, &self.pool);
        Ok((loss, passes::parameters(&groups, &self.config)))
    }

    fn set_optimizer(&mut self, optimizer: &Optimizer) -> Result<()> {
        optimizer.validate()?;
        (self.rule, self.steps) = (*optimizer, 0);
        let kind = Step::<f32>::new(optimizer, 1, 0.0).kind();
        let groups = self.groups.iter_mut().flatten();
        groups.flat_map(Group::tensors_mut).for_each(|tensor| tensor.forget(kind));
        Ok(())
    }

    fn optimizer_state(&self) -> Result<OptimizerState> {
        let moments = |index| {
            let mut groups = self.groups.clone();
            let tensors = groups.iter_mut().flatten().flat_map(Group::tensors_mut);
            tensors.for_each(|tensor| tensor.values = std::mem::take(tensor.moments(index)));
            passes::parameters(&groups, &self.config)
        };
        let moments = (0..OptimizerState::moments_of(&self.rule)).map(moments).collect();
        Ok(OptimizerState { steps: usize::try_from(self.steps).unwrap_or(0), moments })
    }

    fn set_optimizer_state(&mut self, state: &OptimizerState) -> Result<()> {
        state.check_fit(&self.rule, &self.config)?;
        self.steps = i32::try_from(state.steps).unwrap_or(i32::MAX);
        for (index, moments) in state.moments.iter().enumerate() {
            let new = passes::groups(moments);
            for (own, mut new) in self.groups.iter_mut().flatten().zip(new.into_iter().flatten()) {
                for (own, new) in own.tensors_mut().into_iter().zip(new.tensors_mut()) {
                    *own.moments(index) = std::mem::take(&mut new.values);
                }
            }
        }
        Ok(())
    }

    fn apply_gradients(&mut self, gradients: &Parameters<f32>, learning_rate: f64) -> Result<()> {
        gradients.check_fit(&self.config)?;
        let step = self.next_step(learning_rate);
        let gradients = passes::groups(gradients).into_iter().flatten();
        self.groups
            .iter_mut()
            .flatten()
            .zip(gradients)
            .for_each(|(group, gradient)| group.update_all(&gradient, &step));
        Ok(())
    }

    fn step(&mut self, batch: &Batch<f32>, learning_rate: f64) -> Result<f32> {
        batch.check_fit(self.config.inputs(), self.config.classes())?;
        let images = batch.images();
        let images = images.as_standard_layout();
        let images = Images::Rows(in_one_piece(&images), self.config.inputs());
        Ok(self.train_on(&images, batch.labels().iter().copied(), learning_rate))
    }

    /// Without a copy of the images; those of the following batch are prefetched.
    fn train_batches(&mut self, train: &Dataset, batches: Batches<'_>, losses: &mut Vec<f32>) -> Result<()> {
        let next = batches.following();
        for (indices, learning_rate) in batches {
            let labels = indices.iter().map(|&index| train.labels()[index]);
            let loss = self.train_on(&Images::Of { dataset: train, indices, next }, labels, learning_rate);
            losses.push(loss);
            if !loss.is_finite() {
                break;
            }
        }
        Ok(())
    }
}

/// The values of an array in standard layout.
fn in_one_piece<'a>(images: &'a CowArray<'_, f32, Ix2>) -> &'a [f32] {
    images.as_slice().unwrap_or_default()
}
