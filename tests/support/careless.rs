//! A network that breaks one promise of the contract, for the tests of the tests.

use std::cell::Cell;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};

use mlp_parity::classifier::softmax;
use mlp_parity::metrics::{Epoch, Evaluation, History};
use mlp_parity::{
    Batch, Classifier, Dataset, Differentiable, Error, MlpConfig, Observer, Optimizer, Parameters, Result,
    TrainingConfig,
};
use mlp_parity::{BatchReport, OptimizerState};
use mlp_parity_scratch::Mlp;
use ndarray::{Array2, ArrayView2};

/// Makes each of its trainings another one.
static TRAININGS: AtomicU64 = AtomicU64::new(0);

/// Further ways to break promises, behind the name of the test that guards each.
const WAYS: [&str; 11] = [
    "predictions_are_the_largest_probabilities: another loss",
    "an_image_alone_is_answered_as_in_company: alone not a number",
    "training_is_reported_and_can_be_stopped: twice the images",
    "training_is_reported_and_can_be_stopped: another end",
    "training_is_reported_and_can_be_stopped: an epoch fewer",
    "training_is_reported_and_can_be_stopped: ends after the first",
    "training_is_reported_and_can_be_stopped: each epoch twice",
    "fit_takes_the_promised_batches: other losses",
    "parts_of_a_run_are_the_whole: another epoch",
    "parts_of_a_run_are_the_whole: without steps",
    "parts_of_a_run_are_the_whole: any state",
];

/// Every way to break this promise.
pub fn ways(promise: &'static str) -> impl Iterator<Item = &'static str> {
    [promise].into_iter().chain(WAYS.into_iter().filter(move |way| way.split(": ").next() == Some(promise)))
}

pub struct Careless {
    network: Mlp,
    /// How it breaks which promise: see [`ways`].
    broken: &'static str,
    gradients_asked_for: Cell<u8>,
    has_optimizer: bool,
}

impl Careless {
    pub fn new(config: &MlpConfig, parameters: &Parameters<f32>, broken: &'static str) -> Result<Self> {
        let network = Mlp::new(config.clone(), parameters)?;
        Ok(Self { network, broken, gradients_asked_for: Cell::new(0), has_optimizer: false })
    }

    fn breaks(&self, promise: &str) -> bool {
        self.broken == promise
    }

    fn report_otherwise(
        &mut self,
        way: &'static str,
        train: &Dataset,
        plan: &TrainingConfig,
        observer: &mut dyn Observer,
    ) -> Result<History> {
        let epochs = plan.epochs() - usize::from(way == "an epoch fewer");
        let mut between = Between { observer, way };
        let mut history = self.network.fit(train, &plan.with_epochs(epochs), &mut between)?;
        history.stopped ^= way == "another end";
        Ok(history)
    }
}

/// Tells the observer something else.
struct Between<'a> {
    observer: &'a mut dyn Observer,
    way: &'static str,
}

impl Observer for Between<'_> {
    fn batch_ended(&mut self, report: &BatchReport) -> ControlFlow<()> {
        let images = if self.way == "twice the images" { 2 * report.images } else { report.images };
        let loss = if self.way == "other losses" { 1.01 * report.loss } else { report.loss };
        self.observer.batch_ended(&BatchReport { images, loss, ..*report })
    }

    fn epoch_ended(&mut self, epoch: &Epoch, model: &dyn Classifier) -> Result<ControlFlow<()>> {
        if self.way == "each epoch twice" && self.observer.epoch_ended(epoch, model)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
        let flow = self.observer.epoch_ended(epoch, model)?;
        Ok(if self.way == "ends after the first" { ControlFlow::Break(()) } else { flow })
    }
}

impl Classifier for Careless {
    fn config(&self) -> &MlpConfig {
        self.network.config()
    }

    fn fit(&mut self, train: &Dataset, plan: &TrainingConfig, observer: &mut dyn Observer) -> Result<History> {
        if self.breaks("data_that_do_not_fit_are_refused") && train.check_fit(self.config()).is_err() {
            return Ok(History::default());
        }
        if self.breaks("training_is_reported_and_can_be_stopped") {
            return self.network.fit(train, plan, &mut ());
        }
        if let Some(("training_is_reported_and_can_be_stopped" | "fit_takes_the_promised_batches", way)) =
            self.broken.split_once(": ")
        {
            return self.report_otherwise(way, train, plan, observer);
        }
        if self.breaks("parts_of_a_run_are_the_whole: another epoch") {
            let epochs = plan.epochs_to_train();
            return self.network.fit(train, &plan.part(1..=epochs.end() - epochs.start() + 1), observer);
        }
        let before = self.network.parameters()?;
        let other_order = self.breaks("fit_takes_the_promised_batches");
        let history = self.network.fit(train, &plan.with_seed(plan.seed() + u64::from(other_order)), observer)?;
        if self.breaks("training_teaches") {
            self.network.set_parameters(&before)?;
        }
        if self.breaks("training_repeats_itself") {
            let other = Parameters::glorot_uniform(self.config(), TRAININGS.fetch_add(1, Ordering::Relaxed));
            self.network.set_parameters(&other)?;
        }
        Ok(history)
    }

    fn predict_probabilities(&self, images: ArrayView2<'_, f32>) -> Result<Array2<f32>> {
        if self.breaks("images_that_cannot_be_are_refused") {
            let finite = images.mapv(|pixel| if pixel.is_finite() { pixel } else { 0.0 });
            return self.network.predict_probabilities(finite.view());
        }
        let probabilities = self.network.predict_probabilities(images)?;
        let is_alone = images.nrows() == 1;
        Ok(match self.broken {
            "answers_are_probabilities" => 2.0 * probabilities,
            "an_image_alone_is_answered_as_in_company: alone not a number" if is_alone => f32::NAN * probabilities,
            "an_image_alone_is_answered_as_in_company" => softmax(probabilities / images.nrows() as f32),
            "probabilities_are_the_softmax_of_the_logits" => softmax(2.0 * self.network.logits(images)?),
            _ => probabilities,
        })
    }

    fn predict(&self, images: ArrayView2<'_, f32>) -> Result<Vec<usize>> {
        let mut classes = self.network.predict(images)?;
        if self.breaks("predictions_are_the_largest_probabilities") {
            classes.reverse();
        }
        Ok(classes)
    }

    fn evaluate(&self, data: &Dataset) -> Result<Evaluation> {
        let mut evaluation = self.network.evaluate(data)?;
        if self.breaks("predictions_are_the_largest_probabilities: another loss") {
            evaluation.loss *= 1.01;
        }
        Ok(evaluation)
    }
}

impl Differentiable for Careless {
    fn parameters(&self) -> Result<Parameters<f32>> {
        self.network.parameters()
    }

    fn set_parameters(&mut self, parameters: &Parameters<f32>) -> Result<()> {
        if self.breaks("parameters_are_kept_to_the_bit") {
            return self.network.set_parameters(&parameters.ulps_away(1, 0));
        }
        match self.network.set_parameters(parameters) {
            Err(Error::Shape { .. }) if self.breaks("other_shapes_are_refused") => Ok(()),
            other => other,
        }
    }

    fn logits(&self, images: ArrayView2<'_, f32>) -> Result<Array2<f32>> {
        let logits = self.network.logits(images)?;
        let hides = self.breaks("not_a_number_shows");
        Ok(if hides { logits.mapv(|logit| if logit.is_nan() { 0.0 } else { logit }) } else { logits })
    }

    fn loss_and_gradients(&self, batch: &Batch<f32>) -> Result<(f32, Parameters<f32>)> {
        let (loss, gradients) = self.network.loss_and_gradients(batch)?;
        let before = f32::from(self.gradients_asked_for.replace(self.gradients_asked_for.get() + 1));
        let scale = if self.breaks("looking_leaves_no_trace") { 1.0 + before } else { 1.0 };
        Ok((loss, gradients.map(|value| value * scale)))
    }

    fn set_optimizer(&mut self, optimizer: &Optimizer) -> Result<()> {
        if self.breaks("an_optimizer_starts_afresh") && self.has_optimizer {
            return Ok(());
        }
        self.has_optimizer = true;
        match self.network.set_optimizer(optimizer) {
            Err(_) if self.breaks("rules_that_cannot_be_are_refused") => Ok(()),
            other => other,
        }
    }

    fn optimizer_state(&self) -> Result<OptimizerState> {
        self.network.optimizer_state()
    }

    fn set_optimizer_state(&mut self, state: &OptimizerState) -> Result<()> {
        if self.breaks("parts_of_a_run_are_the_whole") {
            return Ok(());
        }
        let state = match self.broken {
            "parts_of_a_run_are_the_whole: without steps" => &OptimizerState { steps: 0, ..state.clone() },
            _ => state,
        };
        match self.network.set_optimizer_state(state) {
            Err(_) if self.breaks("parts_of_a_run_are_the_whole: any state") => Ok(()),
            other => other,
        }
    }

    fn apply_gradients(&mut self, gradients: &Parameters<f32>, learning_rate: f64) -> Result<()> {
        self.network.apply_gradients(gradients, learning_rate)
    }

    fn step(&mut self, batch: &Batch<f32>, learning_rate: f64) -> Result<f32> {
        let factor = if self.breaks("a_step_is_a_gradient_and_its_update") { 2.0 } else { 1.0 };
        self.network.step(batch, factor * learning_rate)
    }
}
