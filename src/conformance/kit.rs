//! Shared parts of the conformance checks: networks, images, and a wrapper that calls the implementation under test and
//! turns its errors and panics into violations.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use ndarray::{Array2, ArrayView2};

use crate::metrics::{Evaluation, History};
use crate::{
    Activation, Batch, Batches, Classifier, Dataset, Differentiable, Error, MlpConfig, Observer, Optimizer,
    OptimizerState, Parameters, Result, TrainingConfig,
};

/// Height and width of the kit's generated images, in pixels.
const SIDE: usize = 6;

/// Number of classes of the kit's generated images.
const CLASSES: usize = 10;

/// Largest relative difference between two results that counts as rounding: 0.1 %. A violation of the contract changes
/// leading digits.
pub(super) const TOLERANCE: f64 = 1e-3;

/// Function that creates a model with a network configuration and initial parameters. A black box may ignore the
/// parameters.
pub type Create<'a, M> = &'a dyn Fn(&MlpConfig, &Parameters<f32>) -> Result<Box<M>>;

/// A violation of the contract. Its message names the method, its mistake and the likely fix.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// A method behaves differently than the contract requires.
    #[error("{0}")]
    Broken(String),
    /// A method returns an error for valid arguments.
    #[error("{call} failed: {source}")]
    Failed {
        /// Method and arguments, such as "`logits` on 7 valid images".
        call: String,
        /// The error that the method returned.
        source: Error,
    },
    /// A method panics.
    #[error("{method} panicked {arguments} ({message}); {advice}")]
    Panicked {
        /// Name of the method in backquotes, or "the constructor".
        method: String,
        /// Description of the method's arguments, such as "on images of another width".
        arguments: String,
        /// The message of the panic, or "without a message".
        message: String,
        /// Advice, such as "return an `Error` instead".
        advice: String,
    },
    /// The kit cannot create its networks or images, so nothing was checked.
    #[error("cannot set up the check: {0}")]
    Setup(#[from] Error),
}

/// Result of a check: `Ok` if the implementation meets the requirement.
pub type CheckResult = Result<(), Violation>;

/// Creates the network configuration of the generated tests: 36 inputs, 10 classes, and the given hidden layers.
///
/// # Errors
///
/// [`Error::Configuration`] if a hidden layer has width 0.
pub fn network(hidden: &[usize], activation: Activation) -> Result<MlpConfig> {
    MlpConfig::new(SIDE * SIDE, hidden, CLASSES, activation)
}

/// Creates `count` learnable 6×6 images of ten classes: each class has bright pixels of its own, over a pattern of
/// noise.
///
/// # Errors
///
/// [`Error::Data`] if `count` is 0.
pub fn images(count: usize) -> Result<Dataset> {
    images_of(count, CLASSES, [SIDE, SIDE])
}

/// Creates learnable images that fit a network: as many pixels as it has inputs, and as many classes.
pub(super) fn images_for(config: &MlpConfig, count: usize) -> Result<Dataset> {
    images_of(count, config.classes(), [1, config.inputs()])
}

/// Creates `count` learnable images of the given number of classes and shape `[rows, columns]`.
pub(super) fn images_of(count: usize, classes: usize, shape: [usize; 2]) -> Result<Dataset> {
    // A stride that shares no factor with the number of classes, so that every class occurs.
    let stride = if classes.is_multiple_of(7) { 1 } else { 7 };
    let label = |image: usize| image * stride % classes;
    let pixel = |image: usize, pixel: usize| {
        let noise = (image * 31 + pixel * 17 + image * pixel * 13) % 97;
        let is_lit = pixel % classes == label(image);
        (if is_lit { 150 + noise } else { noise }) as u8
    };
    let pixels = (0..count).flat_map(|image| (0..shape[0] * shape[1]).map(move |index| pixel(image, index)));
    Dataset::new(pixels.collect(), (0..count).map(label).collect(), shape, classes)
}

/// Creates a batch of `count` learnable images that fit a network.
pub(super) fn batch(config: &MlpConfig, count: usize) -> Result<Batch<f32>> {
    Ok(images_for(config, count)?.batch(&(0..count).collect::<Vec<_>>()))
}

/// Creates the initial parameters of the checks. Their biases are not zero, so that a forgotten bias is detected.
pub(super) fn parameters(config: &MlpConfig) -> Parameters<f32> {
    Parameters::glorot_uniform_with_biases(config, 1)
}

/// The [`Error`] variant with which a method must reject its arguments.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rejection {
    Shape,
    NonFiniteInput,
    Data,
    Diverged,
    /// [`Error::NotImplemented`] is accepted as well.
    Configuration,
}

impl Rejection {
    /// Returns true if `error` is of the required variant.
    fn matches(self, error: &Error) -> bool {
        match self {
            Self::Shape => matches!(error, Error::Shape { .. }),
            Self::NonFiniteInput => matches!(error, Error::NonFiniteInput { .. }),
            Self::Data => matches!(error, Error::Data { .. }),
            Self::Diverged => matches!(error, Error::Diverged { .. }),
            Self::Configuration => matches!(error, Error::Configuration { .. } | Error::NotImplemented { .. }),
        }
    }
}

/// Model of the implementation under test. All checks call its methods through this wrapper, which turns errors and
/// panics into violations.
pub(super) struct ModelUnderTest<M: ?Sized> {
    model: Box<M>,
    /// State of the model, as violations describe it: "with NaN in every bias of the first layer". Empty at first.
    state: &'static str,
}

impl<M: ?Sized> ModelUnderTest<M> {
    /// Creates a model with the initial [parameters] of the checks.
    pub(super) fn new(config: &MlpConfig, create: Create<'_, M>) -> Result<Self, Violation> {
        let [method, arguments] = ["the constructor", "on parameters that fit"];
        match attempt(method, arguments, "return a `Result`", || create(config, &parameters(config)))? {
            Ok(model) => Ok(Self { model, state: "" }),
            Err(source) => Err(Violation::Failed { call: format!("{method} {arguments} {config}"), source }),
        }
    }

    /// Sets the description of the model's state that the messages of later violations contain.
    pub(super) fn in_state(&mut self, state: &'static str) {
        self.state = state;
    }

    /// Joins the description of a call's arguments and the state of the model, for a message: "on 4 valid images with
    /// NaN in every bias of the first layer".
    fn describe(&self, arguments: &str) -> String {
        [arguments, self.state].join(" ").trim().to_owned()
    }

    /// Calls a method that may return an error but must not panic. `method` and `arguments` are the beginning of the
    /// message: "`fit` panicked on a range of epochs (index out of bounds); return an `Error` instead".
    pub(super) fn attempt<T>(
        &mut self,
        method: &str,
        arguments: &str,
        call: impl FnOnce(&mut M) -> Result<T>,
    ) -> Result<Result<T>, Violation> {
        attempt(method, &self.describe(arguments), "return an `Error` instead", || call(&mut self.model))
    }

    /// Calls a method that must succeed. An error is a violation, such as "`fit` on valid images with sgd failed: …".
    fn call<T>(
        &mut self,
        method: &str,
        arguments: &str,
        call: impl FnOnce(&mut M) -> Result<T>,
    ) -> Result<T, Violation> {
        let result = self.attempt(method, arguments, call)?;
        let description = || [method, &self.describe(arguments)].join(" ").trim().to_owned();
        result.map_err(|source| Violation::Failed { call: description(), source })
    }

    /// Calls a method that must return the error in `rejection`. The message is composed of `method`, `argument`, the
    /// error and the advice beside it: "`logits` accepted images of another width; return `Error::Shape`, as
    /// `check_images` does".
    pub(super) fn rejects<T>(
        &mut self,
        method: &str,
        argument: &str,
        rejection: (Rejection, &str),
        call: impl FnOnce(&mut M) -> Result<T>,
    ) -> CheckResult {
        rejects(method, &self.describe(argument), rejection, || call(&mut self.model))
    }
}

/// Runs a call of the implementation, and turns a panic into a violation.
fn attempt<T>(
    method: &str,
    arguments: &str,
    advice: &str,
    call: impl FnOnce() -> Result<T>,
) -> Result<Result<T>, Violation> {
    // Unwind safety: the model is not used after a panic, because the check ends with the violation.
    catch_unwind(AssertUnwindSafe(call)).map_err(|panic| Violation::Panicked {
        method: method.to_owned(),
        arguments: arguments.to_owned(),
        message: panic_message(panic.as_ref()).to_owned(),
        advice: advice.to_owned(),
    })
}

/// Returns the message of a panic, or "without a message".
fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a message")
}

/// Checks that `call` returns the error in `rejection`. Otherwise returns a violation, such as "`logits` accepted
/// images of another width; return `Error::Shape`, as `check_images` does".
pub(super) fn rejects<T>(
    method: &str,
    argument: &str,
    (rejection, advice): (Rejection, &str),
    call: impl FnOnce() -> Result<T>,
) -> CheckResult {
    let advice = format!("return `Error::{rejection:?}`, {advice}");
    match attempt(method, &format!("on {argument}"), &advice, call)? {
        Err(error) if rejection.matches(&error) => Ok(()),
        Ok(_) => broken(format!("{method} accepted {argument}; {advice}")),
        Err(error) => broken(format!("{method} rejected {argument} with the wrong error ({error}); {advice}")),
    }
}

impl<M: Classifier + ?Sized> ModelUnderTest<M> {
    pub(super) fn config(&self) -> &MlpConfig {
        self.model.config()
    }

    pub(super) fn fit(
        &mut self,
        train: &Dataset,
        training: &TrainingConfig,
        observer: &mut dyn Observer,
    ) -> Result<History, Violation> {
        let arguments = format!("on valid images with {}", training.optimizer());
        self.call("`fit`", &arguments, |model| model.fit(train, training, observer))
    }

    pub(super) fn predict_probabilities(&mut self, images: ArrayView2<'_, f32>) -> Result<Array2<f32>, Violation> {
        self.call("`predict_probabilities`", &valid(images), |model| model.predict_probabilities(images))
    }

    pub(super) fn predict(&mut self, images: ArrayView2<'_, f32>) -> Result<Vec<usize>, Violation> {
        self.call("`predict`", &valid(images), |model| model.predict(images))
    }

    pub(super) fn evaluate(&mut self, data: &Dataset) -> Result<Evaluation, Violation> {
        self.call("`evaluate`", "on valid images", |model| model.evaluate(data))
    }
}

/// Describes valid images in a message: "on 7 valid images".
fn valid(images: ArrayView2<'_, f32>) -> String {
    format!("on {} valid image{}", images.nrows(), if images.nrows() == 1 { "" } else { "s" })
}

impl<M: Differentiable + ?Sized> ModelUnderTest<M> {
    pub(super) fn parameters(&mut self) -> Result<Parameters<f32>, Violation> {
        self.call("`parameters`", "", |model| model.parameters())
    }

    pub(super) fn set_parameters(&mut self, parameters: &Parameters<f32>) -> CheckResult {
        self.call("`set_parameters`", "on parameters that fit", |model| model.set_parameters(parameters))
    }

    pub(super) fn logits(&mut self, images: ArrayView2<'_, f32>) -> Result<Array2<f32>, Violation> {
        self.call("`logits`", &valid(images), |model| model.logits(images))
    }

    pub(super) fn loss_and_gradients(&mut self, batch: &Batch<f32>) -> Result<(f32, Parameters<f32>), Violation> {
        self.call("`loss_and_gradients`", "on a valid batch", |model| model.loss_and_gradients(batch))
    }

    pub(super) fn set_optimizer(&mut self, optimizer: &Optimizer) -> CheckResult {
        self.call("`set_optimizer`", &format!("with {optimizer}"), |model| model.set_optimizer(optimizer))
    }

    pub(super) fn set_optimizer_state(&mut self, state: &OptimizerState) -> CheckResult {
        let arguments = "on the state that `optimizer_state` returned";
        self.call("`set_optimizer_state`", arguments, |model| model.set_optimizer_state(state))
    }

    pub(super) fn apply_gradients(&mut self, gradients: &Parameters<f32>, learning_rate: f64) -> CheckResult {
        let arguments = "on gradients that fit";
        self.call("`apply_gradients`", arguments, |model| model.apply_gradients(gradients, learning_rate))
    }

    pub(super) fn step(&mut self, batch: &Batch<f32>, learning_rate: f64) -> Result<f32, Violation> {
        self.call("`step`", "on a valid batch", |model| model.step(batch, learning_rate))
    }

    pub(super) fn train_batches(&mut self, train: &Dataset, batches: Batches<'_>) -> Result<Vec<f32>, Violation> {
        let mut losses = Vec::new();
        self.call("`train_batches`", "on valid images", |model| model.train_batches(train, batches, &mut losses))?;
        Ok(losses)
    }
}

/// Returns a violation with this message.
pub(super) fn broken(message: impl Into<String>) -> CheckResult {
    Err(Violation::Broken(message.into()))
}

/// Returns a violation with this message unless the requirement is met.
pub(super) fn ensure(is_met: bool, message: impl FnOnce() -> String) -> CheckResult {
    if is_met { Ok(()) } else { broken(message()) }
}

/// Converts a function that creates a white box into one that creates the same model as a black box, for the checks
/// that need only a [`Classifier`].
pub fn as_classifier(
    create: Create<'_, dyn Differentiable>,
) -> impl Fn(&MlpConfig, &Parameters<f32>) -> Result<Box<dyn Classifier>> {
    move |config, parameters| Ok(create(config, parameters)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejects_helper_passes_only_for_specified_error() {
        let message = |result: Result<()>| {
            let checked = rejects("`call`", "a vector", (Rejection::Shape, "as others do"), || result);
            checked.err().map_or_else(String::new, |violation| violation.to_string())
        };
        assert_eq!(message(Error::check_shape("a vector", &[1], &[2])), "");
        assert_eq!(message(Ok(())), "`call` accepted a vector; return `Error::Shape`, as others do");
        assert_eq!(
            message(Err(Error::configuration("epochs", "none"))),
            "`call` rejected a vector with the wrong error (epochs: none); return `Error::Shape`, as others do"
        );
    }

    #[test]
    fn rejects_helper_reports_panic_message() {
        let message = |panic: fn() -> Result<()>| {
            rejects("`call`", "a vector", (Rejection::Shape, "as others do"), panic).unwrap_err().to_string()
        };
        let end = "; return `Error::Shape`, as others do";
        assert_eq!(message(|| panic!("too {}", "long")), format!("`call` panicked on a vector (too long){end}"));
        assert_eq!(message(|| panic!("long")), format!("`call` panicked on a vector (long){end}"));
        let without_text = message(|| std::panic::panic_any(1));
        assert_eq!(without_text, format!("`call` panicked on a vector (without a message){end}"));
    }

    #[test]
    fn conformance_images_fit_network_and_contain_every_class() {
        for classes in 2..=CLASSES {
            let config = MlpConfig::new(11, &[], classes, Activation::Relu).unwrap();
            let data = images_for(&config, 3 * classes).unwrap();
            data.check_fit(&config).unwrap();
            let count = |class: usize| data.labels().iter().filter(|&&label| label == class).count();
            assert!((0..classes).all(|class| count(class) == 3));
        }
    }
}
