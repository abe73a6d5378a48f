//! The networks, images and comparisons that all checks share, and the calls of the candidate, whose errors and panics
//! become violations that name the method.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use ndarray::{Array2, ArrayView2};

use crate::metrics::{Evaluation, History};
use crate::{
    Activation, Batch, Batches, Classifier, Dataset, Differentiable, Error, MlpConfig, Observer, Optimizer,
    OptimizerState, Parameters, Result, TrainingConfig,
};

/// Side of the images.
const SIDE: usize = 6;

/// Classes of the images.
const CLASSES: usize = 10;

/// Largest relative difference of numbers that are equal but for rounding: a broken promise shows in the first digits.
pub(super) const TOLERANCE: f64 = 1e-3;

/// Creates a model of this network with these parameters. A black box may begin where it likes.
pub type Create<'a, M> = &'a dyn Fn(&MlpConfig, &Parameters<f32>) -> Result<Box<M>>;

/// How an implementation breaks the contract. The message names the method, what it did, and the likely cause.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// A method does something else than the contract promises.
    #[error("{0}")]
    Broken(String),
    /// A method returns an error for valid arguments.
    #[error("{call} failed: {source}")]
    Failed {
        /// The method and its arguments: "`logits` on 7 valid images".
        call: String,
        /// The error that it returned.
        source: Error,
    },
    /// A method panics.
    #[error("{method} panicked {arguments} ({message}); {advice}")]
    Panicked {
        /// The method.
        method: String,
        /// Its arguments: "on images of another width".
        arguments: String,
        /// The message of the panic.
        message: String,
        /// What to do instead.
        advice: String,
    },
    /// The kit cannot make its networks or images, so that nothing was checked.
    #[error("cannot set up the check: {0}")]
    Setup(#[from] Error),
}

/// `Ok` if the promise is kept.
pub type CheckResult = Result<(), Violation>;

/// Creates a network as the tests use it: 36 inputs, 10 classes.
///
/// # Errors
///
/// [`Error::Configuration`] if a width is 0.
pub fn network(hidden: &[usize], activation: Activation) -> Result<MlpConfig> {
    MlpConfig::new(SIDE * SIDE, hidden, CLASSES, activation)
}

/// Creates 6×6 images of ten classes that can be learned: each class lights up its own pixels, over a pattern of noise.
///
/// # Errors
///
/// [`Error::Data`] if `count` is 0.
pub fn images(count: usize) -> Result<Dataset> {
    images_of(count, CLASSES, [SIDE, SIDE])
}

/// Creates such images for a network: of as many pixels as it has inputs, and of its classes.
pub(super) fn images_for(config: &MlpConfig, count: usize) -> Result<Dataset> {
    images_of(count, config.classes(), [1, config.inputs()])
}

pub(super) fn images_of(count: usize, classes: usize, shape: [usize; 2]) -> Result<Dataset> {
    // Any order of the classes will do in which each of them occurs.
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

/// Creates a batch of the first `count` images for a network.
pub(super) fn batch(config: &MlpConfig, count: usize) -> Result<Batch<f32>> {
    Ok(images_for(config, count)?.batch(&(0..count).collect::<Vec<_>>()))
}

/// Creates parameters with biases that are not zero, so that a forgotten bias shows.
pub(super) fn parameters(config: &MlpConfig) -> Parameters<f32> {
    Parameters::glorot_uniform_with_biases(config, 1)
}

/// The error with which a method must reject its arguments.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rejection {
    Shape,
    NonFiniteInput,
    Data,
    Diverged,
    /// [`Error::NotImplemented`] will do too.
    Configuration,
}

impl Rejection {
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

/// The implementation under test. Its methods are called here and nowhere else.
pub(super) struct ModelUnderTest<M: ?Sized> {
    model: Box<M>,
    /// What is special about its state, for messages: "with NaN among the parameters", say.
    state: &'static str,
}

impl<M: ?Sized> ModelUnderTest<M> {
    /// Creates a candidate with the parameters of the [checks](parameters).
    pub(super) fn new(config: &MlpConfig, create: Create<'_, M>) -> Result<Self, Violation> {
        let [method, arguments] = ["the constructor", "on parameters that fit"];
        match attempt(method, arguments, "return a `Result`", || create(config, &parameters(config)))? {
            Ok(model) => Ok(Self { model, state: "" }),
            Err(source) => Err(Violation::Failed { call: format!("{method} {arguments} {config}"), source }),
        }
    }

    /// Adds to the messages of later violations what is special about the state of the candidate.
    pub(super) fn in_state(&mut self, state: &'static str) {
        self.state = state;
    }

    fn describe(&self, arguments: &str) -> String {
        [arguments, self.state].join(" ").trim().to_owned()
    }

    /// Calls a method that may return an error, but not panic. `arguments` make the message: "`fit` panicked on a part of a
    /// run".
    pub(super) fn attempt<T>(
        &mut self,
        method: &str,
        arguments: &str,
        call: impl FnOnce(&mut M) -> Result<T>,
    ) -> Result<Result<T>, Violation> {
        attempt(method, &self.describe(arguments), "return an `Error` instead", || call(&mut self.model))
    }

    /// Calls a method that must succeed.
    fn call<T>(
        &mut self,
        method: &str,
        arguments: &str,
        call: impl FnOnce(&mut M) -> Result<T>,
    ) -> Result<T, Violation> {
        let result = self.attempt(method, arguments, call)?;
        let call = || [method, &self.describe(arguments)].join(" ").trim().to_owned();
        result.map_err(|source| Violation::Failed { call: call(), source })
    }

    /// Calls a method that must return this error. `method` and `argument` make the message: "`logits` accepted images of
    /// another width". The advice says what to do: "as `check_images` does".
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

/// Calls the candidate, and reports a panic as a violation.
fn attempt<T>(
    method: &str,
    arguments: &str,
    advice: &str,
    call: impl FnOnce() -> Result<T>,
) -> Result<Result<T>, Violation> {
    // Nothing is used after a panic: the check ends with the violation.
    catch_unwind(AssertUnwindSafe(call)).map_err(|panic| Violation::Panicked {
        method: method.to_owned(),
        arguments: arguments.to_owned(),
        message: panic_message(panic.as_ref()).to_owned(),
        advice: advice.to_owned(),
    })
}

fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a message")
}

/// `Ok` if `call` returns the right error; otherwise says what it does and which error it should return.
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
        Err(error) => broken(format!("{method} rejected {argument} with another error ({error}); {advice}")),
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
        let arguments = "on what `optimizer_state` returned";
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

pub(super) fn broken(message: impl Into<String>) -> CheckResult {
    Err(Violation::Broken(message.into()))
}

/// `Ok` if the promise is kept; otherwise a violation with this message.
pub(super) fn ensure(is_kept: bool, message: impl FnOnce() -> String) -> CheckResult {
    if is_kept { Ok(()) } else { broken(message()) }
}

/// Returns whether a number equals the expected one but for rounding.
pub(super) fn near(actual: f64, expected: f64) -> bool {
    (actual - expected).abs() <= TOLERANCE * expected.abs()
}

/// Returns the largest difference relative to the largest value; infinite if a value is not finite.
pub(super) fn difference<'a>(left: impl IntoIterator<Item = &'a f32>, right: impl IntoIterator<Item = &'a f32>) -> f64 {
    let (mut difference, mut largest) = (0.0_f64, f64::MIN_POSITIVE);
    for (&left, &right) in left.into_iter().zip(right) {
        if !left.is_finite() || !right.is_finite() {
            return f64::INFINITY;
        }
        difference = difference.max((f64::from(left) - f64::from(right)).abs());
        largest = largest.max(f64::from(left).abs());
    }
    difference / largest
}

/// Lets the checks of a black box run on a white box.
pub fn as_classifier(
    create: Create<'_, dyn Differentiable>,
) -> impl Fn(&MlpConfig, &Parameters<f32>) -> Result<Box<dyn Classifier>> {
    move |config, parameters| Ok(create(config, parameters)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_allows_a_relative_difference() {
        for expected in [0.01, 1.0, -100.0] {
            assert!(near(expected * (1.0 + 0.9 * TOLERANCE), expected));
            assert!(!near(expected * (1.0 - 1.1 * TOLERANCE), expected));
        }
        assert!(near(0.0, 0.0) && !near(f64::NAN, 1.0) && !near(1.0, f64::NAN));
    }

    #[test]
    fn difference_is_relative_to_the_largest_value() {
        assert_eq!(difference(&[1.0, -8.0, 2.0], &[1.0, -8.0, 4.0]), 0.25);
        assert_eq!(difference(&[0.0; 3], &[0.0; 3]), 0.0);
        for (left, right) in [(1.0, f32::NAN), (f32::NAN, 1.0), (f32::INFINITY, f32::INFINITY)] {
            assert_eq!(difference(&[0.0, left], &[0.0, right]), f64::INFINITY);
        }
    }

    #[test]
    fn rejects_takes_the_right_error_only() {
        let rejected = |result: Result<()>| {
            let kept = rejects("`call`", "a vector", (Rejection::Shape, "as others do"), || result);
            kept.err().map_or_else(String::new, |violation| violation.to_string())
        };
        assert_eq!(rejected(Error::check_shape("a vector", &[1], &[2])), "");
        assert_eq!(rejected(Ok(())), "`call` accepted a vector; return `Error::Shape`, as others do");
        assert_eq!(
            rejected(Err(Error::configuration("epochs", "none"))),
            "`call` rejected a vector with another error (epochs: none); return `Error::Shape`, as others do"
        );
    }

    #[test]
    fn rejects_reports_a_panic_with_its_message() {
        let panics = |panic: fn() -> Result<()>| {
            rejects("`call`", "a vector", (Rejection::Shape, "as others do"), panic).unwrap_err().to_string()
        };
        let end = "; return `Error::Shape`, as others do";
        assert_eq!(panics(|| panic!("too {}", "long")), format!("`call` panicked on a vector (too long){end}"));
        assert_eq!(panics(|| panic!("long")), format!("`call` panicked on a vector (long){end}"));
        let other = panics(|| std::panic::panic_any(1));
        assert_eq!(other, format!("`call` panicked on a vector (without a message){end}"));
    }

    #[test]
    fn images_have_every_class_and_fit_the_network() {
        for classes in 2..=CLASSES {
            let config = MlpConfig::new(11, &[], classes, Activation::Relu).unwrap();
            let data = images_for(&config, 3 * classes).unwrap();
            data.check_fit(&config).unwrap();
            let count = |class: usize| data.labels().iter().filter(|&&label| label == class).count();
            assert!((0..classes).all(|class| count(class) == 3));
        }
    }
}
