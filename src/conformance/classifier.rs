//! Conformance checks that need only a black box ([`Classifier`]): they observe its training and its predictions.

use std::ops::ControlFlow;

use ndarray::{Array2, ArrayView1, ShapeBuilder, s};

use super::difference::{difference, near};
use super::kit::{
    CheckResult, Create, ModelUnderTest, Rejection, TOLERANCE, batch, broken, ensure, images_for, images_of,
};
use crate::metrics::{Epoch, accuracy, argmax, cross_entropy};
use crate::{BatchReport, Classifier, Dataset, MlpConfig, Observer, Result, TrainingConfig};

/// Number of training images: three full batches and a smaller last one.
pub(super) const TRAIN: usize = 70;

/// Number of images per batch.
pub(super) const BATCH_SIZE: usize = 20;

/// Largest accepted deviation from 1 of the sum of ten single-precision probabilities, each with an error of a few
/// ulps.
const SUM_OF_PROBABILITIES: f32 = 1e-5;

/// Advice for a method that accepts invalid images, the end of the message: "`logits` accepted images of another width;
/// return `Error::Shape`, as `check_images` does".
pub(super) const AS_CHECK_IMAGES: &str = "as `check_images` does";

/// Returns the training configuration of the checks: plain SGD, learning rate 0.1, batches of [`BATCH_SIZE`] images.
pub(super) fn sgd(epochs: usize) -> Result<TrainingConfig> {
    TrainingConfig::builder().learning_rate(0.1).batch_size(BATCH_SIZE).epochs(epochs).seed(3).build()
}

/// Checks that `predict_probabilities` returns a matrix `[images, classes]` whose rows are not negative and sum to 1,
/// for 1, 7 and 600 images.
///
/// # Errors
///
/// A [`Violation`](super::Violation) if the requirement is not met.
pub fn predict_probabilities_returns_distributions(
    config: &MlpConfig,
    create: Create<'_, dyn Classifier>,
) -> CheckResult {
    let mut model = ModelUnderTest::new(config, create)?;
    ensure(model.config() == config, || {
        format!(
            "`config` returned {}, but the model was created with {config}; return the configuration that \
             the constructor was given",
            model.config()
        )
    })?;
    for count in [1, 7, 600] {
        let probabilities = model.predict_probabilities(batch(config, count)?.images())?;
        let expected = [count, config.classes()];
        ensure(probabilities.shape() == expected, || {
            let actual = probabilities.shape();
            format!(
                "`predict_probabilities` returned shape {actual:?} for {count} images, expected {expected:?}; return \
                 one row per image and one column per class"
            )
        })?;
        for (image, row) in probabilities.rows().into_iter().enumerate() {
            check_distribution(image, count, row)?;
        }
    }
    Ok(())
}

/// Checks one row of probabilities, that of `image` in a batch of `count` images.
fn check_distribution(image: usize, count: usize, row: ArrayView1<'_, f32>) -> CheckResult {
    let message =
        |reason: String| format!("`predict_probabilities` returned {row} for image {image} of {count}: {reason}");
    if let Some(class) = row.iter().position(|value| value.is_nan()) {
        return broken(message(format!(
            "class {class} is NaN; subtract the largest logit before exponentiation, as `softmax` does"
        )));
    }
    if let Some(class) = row.iter().position(|&value| value < 0.0) {
        return broken(message(format!("class {class} is negative; if these are logits, apply `softmax` to them")));
    }
    let sum = row.sum();
    ensure((sum - 1.0).abs() <= SUM_OF_PROBABILITIES, || {
        message(format!("the row sums to {sum} instead of 1; apply `softmax` to each row of the logits"))
    })
}

/// Checks that `predict` and `evaluate` are consistent with `predict_probabilities`.
///
/// # Errors
///
/// A [`Violation`](super::Violation) if the requirement is not met.
pub fn predict_and_evaluate_match_probabilities(config: &MlpConfig, create: Create<'_, dyn Classifier>) -> CheckResult {
    let mut model = ModelUnderTest::new(config, create)?;
    let data = images_for(config, TRAIN)?;
    let batch = batch(config, TRAIN)?;
    let probabilities = model.predict_probabilities(batch.images())?;
    let expected: Vec<usize> = probabilities.rows().into_iter().map(argmax).collect();
    let predictions = model.predict(batch.images())?;
    ensure(predictions.len() == expected.len(), || {
        format!("`predict` returned {} classes for {TRAIN} images; return one class per image", predictions.len())
    })?;
    let mut pairs = predictions.iter().zip(&expected);
    if let Some(image) = pairs.position(|(actual, expected)| actual != expected) {
        return broken(format!(
            "`predict` returned class {} for image {image}, whose most probable class is {}; the default \
             implementation returns the most probable class",
            predictions[image], expected[image]
        ));
    }
    let evaluation = model.evaluate(&data)?;
    ensure(evaluation.predictions == expected, || {
        "`evaluate` and `predict` returned different predictions for the same images; keep the order of the data set"
            .to_owned()
    })?;
    let expected_accuracy = accuracy(&expected, data.labels());
    ensure(evaluation.accuracy == expected_accuracy, || {
        format!(
            "`evaluate` returned accuracy {}, but the fraction of correct predictions is {expected_accuracy}; \
             `Evaluation::new` computes it",
            evaluation.accuracy
        )
    })?;
    let loss = cross_entropy(probabilities.view(), data.labels());
    ensure(near(evaluation.loss, loss), || {
        format!(
            "`evaluate` returned loss {}, but the mean cross-entropy is {loss}; `Evaluation::new` computes it",
            evaluation.loss
        )
    })
}

/// Checks that the prediction for an image does not depend on the other images of the batch.
///
/// # Errors
///
/// A [`Violation`](super::Violation) if the requirement is not met.
pub fn prediction_is_independent_of_batch(config: &MlpConfig, create: Create<'_, dyn Classifier>) -> CheckResult {
    let mut model = ModelUnderTest::new(config, create)?;
    let batch = batch(config, TRAIN)?;
    let together = model.predict_probabilities(batch.images())?;
    for image in [0, 1, TRAIN - 1] {
        let alone = model.predict_probabilities(batch.images().slice(s![image..=image, ..]))?;
        ensure(difference(together.row(image), alone.row(0)) <= TOLERANCE, || {
            format!(
                "`predict_probabilities` returned {} for image {image} alone, but {} in a batch of {TRAIN}; normalize \
                 each row separately, and keep no state between calls",
                alone.row(0),
                together.row(image)
            )
        })?;
    }
    Ok(())
}

/// Checks that a matrix of images in column-major order gives the same probabilities as in row-major order.
///
/// # Errors
///
/// A [`Violation`](super::Violation) if the requirement is not met.
pub fn prediction_is_independent_of_memory_layout(
    config: &MlpConfig,
    create: Create<'_, dyn Classifier>,
) -> CheckResult {
    let mut model = ModelUnderTest::new(config, create)?;
    let batch = batch(config, TRAIN)?;
    let expected = model.predict_probabilities(batch.images())?;
    let mut columns = Array2::zeros(batch.images().raw_dim().f());
    columns.assign(&batch.images());
    model.in_state("in column-major order");
    let actual = model.predict_probabilities(columns.view())?;
    ensure(difference(&expected, &actual) <= TOLERANCE, || {
        "`predict_probabilities` returned different values for the same images in column-major order; read pixels \
         through `as_standard_layout`, or by index"
            .to_owned()
    })
}

/// Checks that `fit` learns its training images: the accuracy must come at least half way from guessing to perfect.
///
/// # Errors
///
/// A [`Violation`](super::Violation) if the requirement is not met.
pub fn fit_learns(config: &MlpConfig, create: Create<'_, dyn Classifier>) -> CheckResult {
    let mut model = ModelUnderTest::new(config, create)?;
    let data = images_for(config, TRAIN)?;
    // `fit` is called twice: a trained model can be trained again.
    model.fit(&data, &sgd(1)?, &mut ())?;
    model.fit(&data, &sgd(20)?, &mut ())?;
    let accuracy = model.evaluate(&data)?.accuracy;
    // Half way between guessing and perfect accuracy.
    let required = 0.5 + 0.5 / config.classes() as f64;
    ensure(accuracy >= required, || {
        format!(
            "`fit` reached accuracy {accuracy} on its {TRAIN} training images after 20 epochs, expected at least \
             {required}; check that each update subtracts the learning rate times the mean gradient, and that images \
             and labels keep their order"
        )
    })
}

/// Checks that training twice with the same initial parameters, training configuration and images gives the same
/// probabilities.
///
/// # Errors
///
/// A [`Violation`](super::Violation) if the requirement is not met.
pub fn fit_is_reproducible(config: &MlpConfig, create: Create<'_, dyn Classifier>) -> CheckResult {
    let trained = || {
        let mut model = ModelUnderTest::new(config, create)?;
        model.fit(&images_for(config, TRAIN)?, &sgd(2)?, &mut ())?;
        model.predict_probabilities(batch(config, TRAIN)?.images())
    };
    let difference = difference(&trained()?, &trained()?);
    ensure(difference <= TOLERANCE, || {
        format!(
            "`fit`, run twice from the same initial parameters, gave probabilities that differ by {difference:.1e}; \
             derive every random choice from `TrainingConfig::seed`"
        )
    })
}

/// Checks that `fit` reports every epoch to the observer and in its history, that the reported batches contain every
/// image once per epoch, and that the observer can stop the run.
///
/// # Errors
///
/// A [`Violation`](super::Violation) if the requirement is not met.
pub fn fit_reports_to_observer(config: &MlpConfig, create: Create<'_, dyn Classifier>) -> CheckResult {
    #[derive(Default)]
    struct Counting {
        /// Reported epochs.
        epochs: Vec<usize>,
        /// Number of images in all reported batches.
        images: usize,
        /// Epoch after which the observer stops the run.
        last: usize,
    }
    impl Observer for Counting {
        fn batch_ended(&mut self, report: &BatchReport) -> ControlFlow<()> {
            self.images += report.images;
            ControlFlow::Continue(())
        }

        fn epoch_ended(&mut self, epoch: &Epoch, _: &dyn Classifier) -> Result<ControlFlow<()>> {
            self.epochs.push(epoch.epoch);
            Ok(if epoch.epoch == self.last { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        }
    }
    let data = images_for(config, TRAIN)?;
    for (last, stopped) in [(3, false), (2, true)] {
        let mut counting = Counting { last, ..Counting::default() };
        let history = ModelUnderTest::new(config, create)?.fit(&data, &sgd(3)?, &mut counting)?;
        let expected: Vec<usize> = (1..=last).collect();
        let recorded: Vec<usize> = history.epochs.iter().map(|epoch| epoch.epoch).collect();
        ensure(counting.epochs == recorded, || {
            format!(
                "`fit` called `Observer::epoch_ended` for epochs {:?}, but returned epochs {recorded:?} in its \
                 history; report each epoch once, as `training::fit` does",
                counting.epochs
            )
        })?;
        // A solver without epochs reports a single epoch and no batches.
        let is_solver = recorded == [1] && !history.stopped;
        ensure(recorded == expected && history.stopped == stopped || is_solver, || {
            format!(
                "`fit` for 3 epochs, with an observer that returns `Break` after epoch {last}, trained epochs \
                 {recorded:?} with `stopped: {}`; expected {expected:?} with `stopped: {stopped}`",
                history.stopped
            )
        })?;
        ensure([0, recorded.len() * TRAIN].contains(&counting.images), || {
            format!(
                "`fit` reported {} images to `Observer::batch_ended` in {} epochs of {TRAIN} images; report each batch \
                 once",
                counting.images,
                recorded.len()
            )
        })?;
    }
    Ok(())
}

/// Checks that `predict_probabilities` rejects images that contain NaN or infinity, images of another width, and a
/// matrix without images.
///
/// # Errors
///
/// A [`Violation`](super::Violation) if the requirement is not met.
pub fn predict_probabilities_rejects_invalid_images(
    config: &MlpConfig,
    create: Create<'_, dyn Classifier>,
) -> CheckResult {
    let mut model = ModelUnderTest::new(config, create)?;
    let batch = batch(config, 4)?;
    let method = "`predict_probabilities`";
    for value in [f32::NAN, f32::INFINITY] {
        let mut images = batch.images().to_owned();
        images[[2, config.inputs() - 1]] = value;
        let rejection = (Rejection::NonFiniteInput, AS_CHECK_IMAGES);
        let argument = format!("an image with {value}");
        model.rejects(method, &argument, rejection, |model| model.predict_probabilities(images.view()))?;
    }
    let rejection = (Rejection::Shape, AS_CHECK_IMAGES);
    for (argument, images) in [
        ("images of another width", batch.images().slice(s![.., 1..])),
        ("a matrix without images", batch.images().slice(s![..0, ..])),
    ] {
        model.rejects(method, argument, rejection, |model| model.predict_probabilities(images))?;
    }
    Ok(())
}

/// Checks that `fit` and `evaluate` reject images of another width and labels that are out of range.
///
/// # Errors
///
/// A [`Violation`](super::Violation) if the requirement is not met.
pub fn fit_and_evaluate_reject_mismatched_data(config: &MlpConfig, create: Create<'_, dyn Classifier>) -> CheckResult {
    let (inputs, hidden, activation) = (config.inputs(), config.hidden(), config.activation());
    let few_classes = MlpConfig::new(inputs, hidden, 2, activation)?;
    let too_wide = images_of(TRAIN, config.classes(), [1, inputs + 1])?;
    let too_many_classes = images_of(TRAIN, config.classes().max(3), [1, inputs])?;
    let cases: [(&str, &MlpConfig, Dataset); 2] =
        [("images of another width", config, too_wide), ("labels out of range", &few_classes, too_many_classes)];
    for (argument, config, data) in cases {
        let mut model = ModelUnderTest::new(config, create)?;
        let advice = "as `Dataset::check_fit` does";
        model.rejects("`evaluate`", argument, (Rejection::Data, advice), |model| model.evaluate(&data))?;
        let advice = "as `training::fit` and `Dataset::check_fit` do";
        let training = sgd(1)?;
        model.rejects("`fit`", argument, (Rejection::Data, advice), |model| model.fit(&data, &training, &mut ()))?;
    }
    Ok(())
}
