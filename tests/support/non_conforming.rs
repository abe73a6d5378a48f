//! The network by hand with one broken promise of the contract, for the tests of the conformance kit.

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

/// Makes every result of the fault "random result" another one.
static RANDOM: AtomicU64 = AtomicU64::new(0);

pub struct NonConforming {
    network: Mlp,
    other_config: MlpConfig,
    /// One of [`FAULTS`], or another text for none.
    fault: &'static str,
    calls_of_gradients: Cell<u8>,
    has_optimizer: bool,
}

impl NonConforming {
    pub fn new(config: &MlpConfig, parameters: &Parameters<f32>, fault: &'static str) -> Result<Self> {
        let network = match fault {
            "constructor fails" => return Err(Error::NotImplemented { what: "a network".to_owned() }),
            "constructor panics" => panic!("no network"),
            "constructor takes any shape" if parameters.check_fit(config).is_err() => {
                Mlp::new(config.clone(), &Parameters::zeros(config))?
            }
            "initialization of its own" => Mlp::new(config.clone(), &parameters.ulps_away(1, 0))?,
            _ => Mlp::new(config.clone(), parameters)?,
        };
        let other_config = MlpConfig::new(config.inputs(), &[], config.classes(), config.activation())?;
        Ok(Self { network, other_config, fault, calls_of_gradients: Cell::new(0), has_optimizer: false })
    }

    fn has(&self, fault: &str) -> bool {
        self.fault == fault
    }

    /// Images as wide as the network has inputs.
    fn fitted(&self, images: ArrayView2<'_, f32>) -> Array2<f32> {
        let pixel = |(image, pixel)| images.get([image, pixel]).copied().unwrap_or(0.0);
        Array2::from_shape_fn([images.nrows(), self.network.config().inputs()], pixel)
    }

    /// The assertion of ndarray on which an implementation without checks ends.
    fn multiply(&self, images: ArrayView2<'_, f32>) {
        let _ = images.dot(&Array2::<f32>::zeros([self.network.config().inputs(), 1]));
    }

    /// The same with the class of every image that has one.
    fn batch_that_fits(&self, batch: &Batch<f32>) -> Result<Batch<f32>> {
        let labels = batch.labels().iter().map(|label| label % self.network.config().classes()).collect();
        Batch::new(self.fitted(batch.images()), labels)
    }
}

/// Tells the observer something else.
struct Between<'a> {
    observer: &'a mut dyn Observer,
    fault: &'static str,
}

impl Observer for Between<'_> {
    fn batch_ended(&mut self, report: &BatchReport) -> ControlFlow<()> {
        let images = if self.fault == "batches twice" { 2 * report.images } else { report.images };
        let loss = if self.fault == "other losses reported" { 1.01 * report.loss } else { report.loss };
        if self.fault == "last batch not reported" && report.batch == report.batches {
            return ControlFlow::Continue(());
        }
        self.observer.batch_ended(&BatchReport { images, loss, ..*report })
    }

    fn epoch_ended(&mut self, epoch: &Epoch, model: &dyn Classifier) -> Result<ControlFlow<()>> {
        if self.fault == "each epoch twice" && self.observer.epoch_ended(epoch, model)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
        let flow = self.observer.epoch_ended(epoch, model)?;
        Ok(if self.fault == "end after the first epoch" { ControlFlow::Break(()) } else { flow })
    }
}

impl Classifier for NonConforming {
    fn config(&self) -> &MlpConfig {
        if self.has("config of another network") { &self.other_config } else { self.network.config() }
    }

    fn fit(&mut self, train: &Dataset, training: &TrainingConfig, observer: &mut dyn Observer) -> Result<History> {
        let fits = train.check_fit(self.network.config()).is_ok();
        let fits_but_for_labels = train.inputs() == self.network.config().inputs();
        let before = self.network.parameters()?;
        let mut between = Between { observer, fault: self.fault };
        let epochs = training.epochs_to_train();
        let training = &match self.fault {
            "fit on anything" if !fits => return Ok(History::default()),
            "fit on any label" if !fits && fits_but_for_labels => return Ok(History::default()),
            "an epoch fewer" => training.with_epochs(training.epochs() - 1),
            "another epoch" => training.part(1..=epochs.end() - epochs.start() + 1),
            "another order" => training.with_seed(training.seed() + 1),
            _ => *training,
        };
        let mut nobody = ();
        let observer: &mut dyn Observer = if self.has("nothing reported") { &mut nobody } else { &mut between };
        let mut history = match self.network.fit(train, training, observer) {
            Err(Error::Diverged { .. }) if self.has("divergence ignored") => return Ok(History::default()),
            history => history?,
        };
        history.stopped ^= self.has("another end");
        match self.fault {
            "training undone" => self.network.set_parameters(&before)?,
            "random result" => {
                let seed = RANDOM.fetch_add(1, Ordering::Relaxed);
                self.network.set_parameters(&Parameters::glorot_uniform(self.config(), seed))?;
            }
            "fit farther than step" => {
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
        let is_wide = images.ncols() == self.network.config().inputs();
        let mut images = images;
        let changed = match self.fault {
            "NaN as 0" => images.mapv(|pixel| if pixel.is_nan() { 0.0 } else { pixel }),
            "infinity as 1" => images.mapv(|pixel| if pixel.is_infinite() { 1.0 } else { pixel }),
            "pixels in memory order" => {
                let pixels = images.as_slice_memory_order().map(<[f32]>::to_vec).unwrap_or_default();
                Array2::from_shape_vec(images.raw_dim(), pixels).unwrap_or(images.to_owned())
            }
            "pixels as a slice" => {
                images.as_slice().unwrap();
                images.to_owned()
            }
            _ => images.to_owned(),
        };
        images = changed.view();
        match self.fault {
            "probabilities panic" => panic!("no answer"),
            "probabilities fail" => return Err(Error::NotImplemented { what: "an answer".to_owned() }),
            "logits as probabilities" => return self.network.logits(images),
            "width asserted by ndarray" => self.multiply(images),
            "width as an error of the data" if !is_wide => return Err(Error::data("images", "are too narrow")),
            "no image" if images.is_empty() => return Ok(Array2::zeros([0, self.network.config().classes()])),
            _ => {}
        }
        let probabilities = self.network.predict_probabilities(images)?;
        let is_alone = images.nrows() == 1;
        Ok(match self.fault {
            "probabilities doubled" => 2.0 * probabilities,
            "probabilities NaN" => f32::NAN * probabilities,
            "probabilities transposed" => probabilities.reversed_axes(),
            "NaN for one image" if is_alone => f32::NAN * probabilities,
            "probabilities of the batch" => softmax(probabilities / images.nrows() as f32),
            "probabilities without NaN" => probabilities.mapv(|value| if value.is_nan() { 0.1 } else { value }),
            "another temperature" => softmax(2.0 * self.network.logits(images)?),
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
        if self.has("evaluation of anything") && data.check_fit(self.config()).is_err() {
            return Ok(Evaluation { accuracy: 0.0, loss: 0.0, predictions: vec![0; data.len()] });
        }
        let mut evaluation = self.network.evaluate(data)?;
        match self.fault {
            "evaluation in another order" => evaluation.predictions.reverse(),
            "another accuracy" => evaluation.accuracy /= 2.0,
            "another loss" => evaluation.loss *= 1.01,
            _ => {}
        }
        Ok(evaluation)
    }
}

impl Differentiable for NonConforming {
    fn parameters(&self) -> Result<Parameters<f32>> {
        let parameters = self.network.parameters()?;
        let moved = self.has("gradients update") && self.calls_of_gradients.get() > 0;
        Ok(if moved { parameters.ulps_away(1, 0) } else { parameters })
    }

    fn set_parameters(&mut self, parameters: &Parameters<f32>) -> Result<()> {
        let fits = parameters.check_fit(self.network.config()).is_ok();
        match self.fault {
            "set_parameters takes any shape" if !fits => Ok(()),
            "parameters rounded" => self.network.set_parameters(&parameters.ulps_away(1, 0)),
            "NaN not set" => {
                self.network.set_parameters(&parameters.map(|value| if value.is_nan() { 0.0 } else { value }))
            }
            _ => self.network.set_parameters(parameters),
        }
    }

    fn logits(&self, images: ArrayView2<'_, f32>) -> Result<Array2<f32>> {
        if self.has("logits assert") {
            self.multiply(images);
        }
        let logits = self.network.logits(images)?;
        Ok(match self.fault {
            "logits max" => logits.mapv(|logit| logit.max(0.0)),
            "logits compared" => {
                let _ = logits.iter().max_by(|left, right| left.partial_cmp(right).unwrap());
                logits
            }
            _ => logits,
        })
    }

    fn loss_and_gradients(&self, batch: &Batch<f32>) -> Result<(f32, Parameters<f32>)> {
        let fits = batch.images().ncols() == self.network.config().inputs();
        let (loss, gradients) = match self.fault {
            "gradients of any image" if !fits => self.network.loss_and_gradients(&self.batch_that_fits(batch)?)?,
            "gradients of any label" if fits => self.network.loss_and_gradients(&self.batch_that_fits(batch)?)?,
            _ => self.network.loss_and_gradients(batch)?,
        };
        let calls = self.calls_of_gradients.replace(self.calls_of_gradients.get() + 1);
        let scale = if self.has("gradients accumulated") { 1.0 + f32::from(calls) } else { 1.0 };
        Ok(match self.fault {
            "loss max" => (loss.max(0.0), gradients),
            "gradients clipped" => (loss, gradients.map(|value| if value < 1.0 { value } else { 1.0 })),
            _ => (loss, gradients.map(|value| value * scale)),
        })
    }

    fn set_optimizer(&mut self, optimizer: &Optimizer) -> Result<()> {
        if self.has("state kept") && self.has_optimizer {
            return Ok(());
        }
        self.has_optimizer = true;
        if self.has("parameters moved") {
            self.network.set_parameters(&self.network.parameters()?.ulps_away(1, 0))?;
        }
        match self.network.set_optimizer(optimizer) {
            Err(_) if self.has("any optimizer") => Ok(()),
            Err(_) if self.has("any decay") && matches!(optimizer, Optimizer::Adam { .. }) => Ok(()),
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
            "any state" => self.network.set_optimizer_state(state).or(Ok(())),
            _ => self.network.set_optimizer_state(state),
        }
    }

    fn apply_gradients(&mut self, gradients: &Parameters<f32>, learning_rate: f64) -> Result<()> {
        let fits = gradients.check_fit(self.network.config()).is_ok();
        match self.fault {
            "apply_gradients takes any shape" if !fits => return Ok(()),
            "apply_gradients asserts" => {
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
            "step on any image" if !fits => self.network.step(&self.batch_that_fits(batch)?, learning_rate),
            "step on any label" if fits => self.network.step(&self.batch_that_fits(batch)?, learning_rate),
            "step twice as far" => self.network.step(batch, 2.0 * learning_rate),
            "loss after the update" => {
                self.network.step(batch, learning_rate)?;
                Ok(self.network.loss_and_gradients(batch)?.0)
            }
            "step updates always" => {
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
            if loss.is_finite() || self.has("batches update always") {
                self.network.apply_gradients(&gradients, rate)?;
            }
            if !loss.is_finite() && !self.has("batches go on") {
                break;
            }
        }
        Ok(())
    }
}
