//! A model that violates one requirement of the traits [`Classifier`] and [`Differentiable`], for the tests of the
//! conformance kit.

mod faults;

use std::cell::Cell;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};

use mlp_parity::classifier::softmax;
use mlp_parity::metrics::{Epoch, Evaluation, History};
use mlp_parity::{
    Batch, BatchReport, Batches, Classifier, Dataset, Differentiable, Error, MlpConfig, Observer, Optimizer,
    OptimizerState, Parameters, Result, TrainingConfig,
};
use mlp_parity_scratch::Mlp;
use ndarray::{Array2, ArrayView2};

pub use faults::FAULTS;

/// Seed for the next parameters that the fault "fit result is random" returns.
static RANDOM: AtomicU64 = AtomicU64::new(0);

/// The hand-written network with one injected fault.
pub struct NonConforming {
    network: Mlp,
    /// Wrong configuration, which [`Classifier::config`] returns for the fault "config of another network".
    other_config: MlpConfig,
    /// Name of the fault, as listed in [`FAULTS`]. A name that is not listed injects no fault.
    fault: &'static str,
    /// Number of calls of `loss_and_gradients`.
    gradient_calls: Cell<u8>,
    /// True after the first call of `set_optimizer`.
    has_optimizer: bool,
}

impl NonConforming {
    /// Creates a network with the given fault, a name in [`FAULTS`]. Any other name injects no fault.
    pub fn new(config: &MlpConfig, parameters: &Parameters<f32>, fault: &'static str) -> Result<Self> {
        let network = match fault {
            "constructor fails" => return Err(Error::NotImplemented { what: "a network".to_owned() }),
            "constructor panics" => panic!("no network"),
            "constructor accepts any shape" if parameters.check_fit(config).is_err() => {
                Mlp::new(config.clone(), &Parameters::zeros(config))?
            }
            "constructor perturbs parameters" => Mlp::new(config.clone(), &parameters.perturbed(1, 0))?,
            _ => Mlp::new(config.clone(), parameters)?,
        };
        let other_config = MlpConfig::new(config.inputs(), &[], config.classes(), config.activation())?;
        Ok(Self { network, other_config, fault, gradient_calls: Cell::new(0), has_optimizer: false })
    }

    fn has_fault(&self, fault: &str) -> bool {
        self.fault == fault
    }

    /// Returns the images, cut or padded with zeros to the number of pixels that the network expects.
    fn resized(&self, images: ArrayView2<'_, f32>) -> Array2<f32> {
        let pixel = |(image, pixel)| images.get([image, pixel]).copied().unwrap_or(0.0);
        Array2::from_shape_fn([images.nrows(), self.network.config().inputs()], pixel)
    }

    /// Multiplies the images by a matrix that fits the network. If they have another width, ndarray panics, as in an
    /// implementation that does not check its arguments.
    fn multiply_unchecked(&self, images: ArrayView2<'_, f32>) {
        let _ = images.dot(&Array2::<f32>::zeros([self.network.config().inputs(), 1]));
    }

    /// Returns a batch that fits the network: images of the right width, and labels in range.
    fn fitting_batch(&self, batch: &Batch<f32>) -> Result<Batch<f32>> {
        let labels = batch.labels().iter().map(|label| label % self.network.config().classes()).collect();
        Batch::new(self.resized(batch.images()), labels)
    }
}

/// Observer that forwards the events of a training run, modified according to the fault.
struct FaultyObserver<'a> {
    observer: &'a mut dyn Observer,
    fault: &'static str,
}

impl Observer for FaultyObserver<'_> {
    fn batch_ended(&mut self, report: &BatchReport) -> ControlFlow<()> {
        let images = if self.fault == "images reported twice" { 2 * report.images } else { report.images };
        let loss = if self.fault == "wrong losses reported" { 1.01 * report.loss } else { report.loss };
        if self.fault == "last batch not reported" && report.batch == report.batches {
            return ControlFlow::Continue(());
        }
        self.observer.batch_ended(&BatchReport { images, loss, ..*report })
    }

    fn epoch_ended(&mut self, epoch: &Epoch, model: &dyn Classifier) -> Result<ControlFlow<()>> {
        if self.fault == "epochs reported twice" && self.observer.epoch_ended(epoch, model)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
        let flow = self.observer.epoch_ended(epoch, model)?;
        Ok(if self.fault == "fit stops after first epoch" { ControlFlow::Break(()) } else { flow })
    }
}

impl Classifier for NonConforming {
    fn config(&self) -> &MlpConfig {
        if self.has_fault("config of another network") { &self.other_config } else { self.network.config() }
    }

    fn fit(&mut self, train: &Dataset, training: &TrainingConfig, observer: &mut dyn Observer) -> Result<History> {
        let fits = train.check_fit(self.network.config()).is_ok();
        let images_fit = train.inputs() == self.network.config().inputs();
        let before = self.network.parameters()?;
        let mut faulty = FaultyObserver { observer, fault: self.fault };
        let epochs = training.epochs_to_train();
        let training = &match self.fault {
            "fit accepts any data" if !fits => return Ok(History::default()),
            "fit accepts any label" if !fits && images_fit => return Ok(History::default()),
            "last epoch missing" => training.with_epochs(training.epochs() - 1),
            "epoch range starts at 1" => training.with_epoch_range(1..=epochs.end() - epochs.start() + 1),
            "fit uses another image order" => training.with_seed(training.seed() + 1),
            _ => *training,
        };
        let mut ignored = ();
        let observer: &mut dyn Observer =
            if self.has_fault("nothing reported to observer") { &mut ignored } else { &mut faulty };
        let mut history = match self.network.fit(train, training, observer) {
            Err(Error::Diverged { .. }) if self.has_fault("divergence ignored") => return Ok(History::default()),
            history => history?,
        };
        history.stopped ^= self.has_fault("wrong stopped flag");
        match self.fault {
            "fit restores initial parameters" => self.network.set_parameters(&before)?,
            "fit result is random" => {
                let seed = RANDOM.fetch_add(1, Ordering::Relaxed);
                self.network.set_parameters(&Parameters::glorot_uniform(self.config(), seed))?;
            }
            "fit moves parameters too far" => {
                let mut after = self.network.parameters()?;
                for (after, before) in after.layers_mut().iter_mut().zip(before.layers()) {
                    let change = &after.weight - &before.weight;
                    after.weight.scaled_add(0.1, &change);
                }
                self.network.set_parameters(&after)?;
            }
            _ => {}
        }
        Ok(history)
    }

    fn predict_probabilities(&self, images: ArrayView2<'_, f32>) -> Result<Array2<f32>> {
        let has_right_width = images.ncols() == self.network.config().inputs();
        let mut images = images;
        let changed = match self.fault {
            "NaN pixel replaced by 0" => images.mapv(|pixel| if pixel.is_nan() { 0.0 } else { pixel }),
            "infinite pixel replaced by 1" => images.mapv(|pixel| if pixel.is_infinite() { 1.0 } else { pixel }),
            "pixels in memory order" => {
                let pixels = images.as_slice_memory_order().map(<[f32]>::to_vec).unwrap_or_default();
                Array2::from_shape_vec(images.raw_dim(), pixels).unwrap_or(images.to_owned())
            }
            "pixels read as slice" => {
                images.as_slice().unwrap();
                images.to_owned()
            }
            _ => images.to_owned(),
        };
        images = changed.view();
        match self.fault {
            "predict_probabilities panics" => panic!("no prediction"),
            "predict_probabilities fails" => return Err(Error::NotImplemented { what: "prediction".to_owned() }),
            "logits as probabilities" => return self.network.logits(images),
            "ndarray panics on width" => self.multiply_unchecked(images),
            "width reported as data error" if !has_right_width => return Err(Error::data("images", "are too narrow")),
            "empty batch accepted" if images.is_empty() => {
                return Ok(Array2::zeros([0, self.network.config().classes()]));
            }
            _ => {}
        }
        let probabilities = self.network.predict_probabilities(images)?;
        let is_single = images.nrows() == 1;
        Ok(match self.fault {
            "probabilities doubled" => 2.0 * probabilities,
            "NaN probabilities" => f32::NAN * probabilities,
            "probabilities transposed" => probabilities.reversed_axes(),
            "NaN for a single image" if is_single => f32::NAN * probabilities,
            "probabilities depend on batch size" => softmax(probabilities / images.nrows() as f32),
            "NaN probabilities replaced" => probabilities.mapv(|value| if value.is_nan() { 0.1 } else { value }),
            "softmax with another temperature" => softmax(2.0 * self.network.logits(images)?),
            _ => probabilities,
        })
    }

    fn predict(&self, images: ArrayView2<'_, f32>) -> Result<Vec<usize>> {
        let mut classes = self.network.predict(images)?;
        match self.fault {
            "predictions reversed" => classes.reverse(),
            "prediction missing" => drop(classes.pop()),
            _ => {}
        }
        Ok(classes)
    }

    fn evaluate(&self, data: &Dataset) -> Result<Evaluation> {
        if self.has_fault("evaluate accepts any data") && data.check_fit(self.config()).is_err() {
            return Ok(Evaluation { accuracy: 0.0, loss: 0.0, predictions: vec![0; data.len()] });
        }
        let mut evaluation = self.network.evaluate(data)?;
        match self.fault {
            "evaluate reorders predictions" => evaluation.predictions.reverse(),
            "wrong accuracy" => evaluation.accuracy /= 2.0,
            "wrong evaluation loss" => evaluation.loss *= 1.01,
            _ => {}
        }
        Ok(evaluation)
    }
}

impl Differentiable for NonConforming {
    fn parameters(&self) -> Result<Parameters<f32>> {
        let parameters = self.network.parameters()?;
        let is_perturbed = self.has_fault("loss_and_gradients updates parameters") && self.gradient_calls.get() > 0;
        Ok(if is_perturbed { parameters.perturbed(1, 0) } else { parameters })
    }

    fn set_parameters(&mut self, parameters: &Parameters<f32>) -> Result<()> {
        let fits = parameters.check_fit(self.network.config()).is_ok();
        match self.fault {
            "set_parameters accepts any shape" if !fits => Ok(()),
            "set_parameters perturbs parameters" => self.network.set_parameters(&parameters.perturbed(1, 0)),
            "set_parameters replaces NaN" => {
                self.network.set_parameters(&parameters.map(|value| if value.is_nan() { 0.0 } else { value }))
            }
            _ => self.network.set_parameters(parameters),
        }
    }

    fn logits(&self, images: ArrayView2<'_, f32>) -> Result<Array2<f32>> {
        if self.has_fault("logits panics on width") {
            self.multiply_unchecked(images);
        }
        let logits = self.network.logits(images)?;
        Ok(match self.fault {
            "logits clamped with max" => logits.mapv(|logit| logit.max(0.0)),
            "logits comparison panics" => {
                let _ = logits.iter().max_by(|left, right| left.partial_cmp(right).unwrap());
                logits
            }
            _ => logits,
        })
    }

    fn loss_and_gradients(&self, batch: &Batch<f32>) -> Result<(f32, Parameters<f32>)> {
        let fits = batch.images().ncols() == self.network.config().inputs();
        let (loss, gradients) = match self.fault {
            "loss_and_gradients accepts any width" if !fits => {
                self.network.loss_and_gradients(&self.fitting_batch(batch)?)?
            }
            "loss_and_gradients accepts any label" if fits => {
                self.network.loss_and_gradients(&self.fitting_batch(batch)?)?
            }
            _ => self.network.loss_and_gradients(batch)?,
        };
        let calls = self.gradient_calls.replace(self.gradient_calls.get() + 1);
        let scale = if self.has_fault("gradients accumulated") { 1.0 + f32::from(calls) } else { 1.0 };
        Ok(match self.fault {
            "loss clamped with max" => (loss.max(0.0), gradients),
            "gradients clipped" => (loss, gradients.map(|value| if value < 1.0 { value } else { 1.0 })),
            _ => (loss, gradients.map(|value| value * scale)),
        })
    }

    fn set_optimizer(&mut self, optimizer: &Optimizer) -> Result<()> {
        if self.has_fault("set_optimizer keeps state") && self.has_optimizer {
            return Ok(());
        }
        self.has_optimizer = true;
        if self.has_fault("set_optimizer perturbs parameters") {
            self.network.set_parameters(&self.network.parameters()?.perturbed(1, 0))?;
        }
        match self.network.set_optimizer(optimizer) {
            Err(_) if self.has_fault("set_optimizer accepts anything") => Ok(()),
            Err(_)
                if self.has_fault("set_optimizer accepts any weight decay")
                    && matches!(optimizer, Optimizer::Adam { .. }) =>
            {
                Ok(())
            }
            other => other,
        }
    }

    fn optimizer_state(&self) -> Result<OptimizerState> {
        self.network.optimizer_state()
    }

    fn set_optimizer_state(&mut self, state: &OptimizerState) -> Result<()> {
        match self.fault {
            "moments not restored" => {
                let moments = state.moments.iter().map(|moments| moments.map(|_| 0.0)).collect();
                self.network.set_optimizer_state(&OptimizerState { moments, ..state.clone() })
            }
            "steps not restored" => self.network.set_optimizer_state(&OptimizerState { steps: 0, ..state.clone() }),
            "set_optimizer_state accepts any state" => self.network.set_optimizer_state(state).or(Ok(())),
            _ => self.network.set_optimizer_state(state),
        }
    }

    fn apply_gradients(&mut self, gradients: &Parameters<f32>, learning_rate: f64) -> Result<()> {
        let fits = gradients.check_fit(self.network.config()).is_ok();
        match self.fault {
            "apply_gradients accepts any shape" if !fits => return Ok(()),
            "apply_gradients panics on shape" => {
                let mut weight = self.network.parameters()?.layers()[0].weight.clone();
                weight -= &gradients.layers()[0].weight;
            }
            _ => {}
        }
        self.network.apply_gradients(gradients, learning_rate)
    }

    fn step(&mut self, batch: &Batch<f32>, learning_rate: f64) -> Result<f32> {
        let fits = batch.images().ncols() == self.network.config().inputs();
        match self.fault {
            "step accepts any width" if !fits => self.network.step(&self.fitting_batch(batch)?, learning_rate),
            "step accepts any label" if fits => self.network.step(&self.fitting_batch(batch)?, learning_rate),
            "step doubles learning rate" => self.network.step(batch, 2.0 * learning_rate),
            "step returns loss after update" => {
                self.network.step(batch, learning_rate)?;
                Ok(self.network.loss_and_gradients(batch)?.0)
            }
            "step updates from NaN" => {
                let (loss, gradients) = self.network.loss_and_gradients(batch)?;
                self.network.apply_gradients(&gradients, learning_rate)?;
                Ok(loss)
            }
            "step hides NaN" => Ok(self.network.step(batch, learning_rate)?.max(0.0)),
            _ => self.network.step(batch, learning_rate),
        }
    }

    fn train_batches(&mut self, train: &Dataset, batches: Batches<'_>, losses: &mut Vec<f32>) -> Result<()> {
        for (indices, rate) in batches {
            let (loss, gradients) = self.network.loss_and_gradients(&train.batch(indices))?;
            losses.push(loss);
            if loss.is_finite() || self.has_fault("train_batches updates from NaN") {
                self.network.apply_gradients(&gradients, rate)?;
            }
            if !loss.is_finite() && !self.has_fault("train_batches continues after NaN") {
                break;
            }
        }
        Ok(())
    }
}
