//! The network.

use mlp_parity::{Batch, Dataset, Error, MlpConfig, Optimizer, Parameters, Result, Scalar};
use ndarray::{Array2, ArrayView2, s};

use crate::Passes;
use crate::optimizer::OptimizerState;
use crate::workspace::Workspace;

/// A multi-layer perceptron with the state of its optimizer. See the [crate](crate) for the mathematics.
#[derive(Clone, Debug)]
pub struct Mlp<F> {
    config: MlpConfig,
    parameters: Parameters<F>,
    optimizer: OptimizerState<F>,
    workspace: Workspace<F>,
    /// The batch that [`train_on`](Self::train_on) gathers, with room for more images than the last one had.
    images: Array2<F>,
    labels: Vec<usize>,
}

impl<F: Scalar> Mlp<F> {
    /// A network with these parameters, and SGD without weight decay as its optimizer.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if the parameters are those of another network.
    pub fn new(config: MlpConfig, parameters: Parameters<F>) -> Result<Self> {
        parameters.check_fit(&config)?;
        let optimizer = OptimizerState::new(Optimizer::Sgd { weight_decay: 0.0 }, &config);
        let workspace = Workspace::new(&config);
        let images = Array2::zeros([0, config.inputs()]);
        Ok(Self { config, parameters, optimizer, workspace, images, labels: Vec::new() })
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
        let mut workspace = Workspace::new(&self.config);
        Ok(workspace.forward(&self.config, &self.parameters, images).to_owned())
    }

    /// ℒ of the batch, and ∂ℒ/∂W and ∂ℒ/∂b of every layer.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if the images do not fit the network, [`Error::Data`] if a label is no class.
    pub fn loss_and_gradients(&self, batch: &Batch<F>) -> Result<(F, Parameters<F>)> {
        batch.check_fit(self.config.inputs(), self.config.classes())?;
        let mut workspace = Workspace::new(&self.config);
        let loss = workspace.backward(&self.config, &self.parameters, batch.images(), batch.labels());
        Ok((loss, workspace.gradients().clone()))
    }

    /// Everything that the two passes compute on the way, for those who judge it.
    ///
    /// # Errors
    ///
    /// As [`loss_and_gradients`](Self::loss_and_gradients).
    pub fn passes(&self, batch: &Batch<F>) -> Result<Passes<F>> {
        batch.check_fit(self.config.inputs(), self.config.classes())?;
        let mut workspace = Workspace::new(&self.config);
        let loss = workspace.backward(&self.config, &self.parameters, batch.images(), batch.labels());
        Ok(workspace.into_passes(loss))
    }

    /// Sets the rule, with fresh state.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if the rule is not valid.
    pub fn set_optimizer(&mut self, optimizer: &Optimizer) -> Result<()> {
        optimizer.validate()?;
        self.optimizer = OptimizerState::new(*optimizer, &self.config);
        Ok(())
    }

    /// One update of the parameters from these gradients.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if the gradients are those of another network.
    pub fn apply_gradients(&mut self, gradients: &Parameters<F>, learning_rate: f64) -> Result<()> {
        gradients.check_fit(&self.config)?;
        self.optimizer.update(&mut self.parameters, gradients, learning_rate);
        Ok(())
    }

    /// One step of training: the loss before the update. Parameters are not updated from a loss that is not finite.
    ///
    /// # Errors
    ///
    /// As [`loss_and_gradients`](Self::loss_and_gradients).
    pub fn step(&mut self, batch: &Batch<F>, learning_rate: f64) -> Result<F> {
        batch.check_fit(self.config.inputs(), self.config.classes())?;
        Ok(self.update_from(Source::Batch(batch), learning_rate))
    }

    /// [`step`](Self::step) on these images of a data set that fits the network. Allocates nothing of its own once
    /// it has seen a batch as large.
    pub(crate) fn train_on(&mut self, dataset: &Dataset, indices: &[usize], learning_rate: f64) -> F {
        if self.labels.len() < indices.len() {
            self.images = Array2::zeros([indices.len(), self.config.inputs()]);
            self.labels.resize(indices.len(), 0);
        }
        dataset.gather(indices, self.images.slice_mut(s![..indices.len(), ..]), &mut self.labels[..indices.len()]);
        self.update_from(Source::Gathered(indices.len()), learning_rate)
    }

    fn update_from(&mut self, source: Source<'_, F>, learning_rate: f64) -> F {
        let (images, labels) = match source {
            Source::Batch(batch) => (batch.images(), batch.labels()),
            Source::Gathered(count) => (self.images.slice(s![..count, ..]), &self.labels[..count]),
        };
        let loss = self.workspace.backward(&self.config, &self.parameters, images, labels);
        if loss.is_finite() {
            self.optimizer.update(&mut self.parameters, self.workspace.gradients(), learning_rate);
        }
        loss
    }
}

/// Where the images of a step are.
enum Source<'a, F> {
    Batch(&'a Batch<F>),
    /// In the network's own buffer: how many.
    Gathered(usize),
}
