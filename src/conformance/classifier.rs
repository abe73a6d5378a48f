//! What a black box promises.

use std::ops::ControlFlow;

use ndarray::s;

use super::kit::{Create, Kept, LOOSELY, apart, batch, ensure, images, near, parameters, refused};
use crate::metrics::{Epoch, argmax};
use crate::{BatchReport, Classifier, Error, MlpConfig, Observer, Optimizer, Parameters, Result, TrainingConfig};

/// Images to train with: three batches and a part of one.
pub(super) const TRAIN: usize = 70;

/// Of the batches.
pub(super) const BATCH_SIZE: usize = 20;

/// Ten numbers of single precision that are each off by some ulps sum to 1 within this.
const SUM_OF_PROBABILITIES: f32 = 1e-5;

pub(super) fn plan(epochs: usize) -> Result<TrainingConfig> {
    TrainingConfig::builder()
        .optimizer(Optimizer::sgd())
        .learning_rate(0.1)
        .batch_size(BATCH_SIZE)
        .epochs(epochs)
        .seed(3)
        .build()
}

fn new(config: &MlpConfig, create: Create<'_, dyn Classifier>) -> Result<Box<dyn Classifier>> {
    create(config, &parameters(config))
}

/// Of one image, of some and of many: `[images, classes]`, not negative, and each row sums to 1.
///
/// # Errors
///
/// The promise that is broken.
pub fn answers_are_probabilities(config: &MlpConfig, create: Create<'_, dyn Classifier>) -> Kept {
    let model = new(config, create)?;
    ensure(model.config() == config, format!("it was made as {config} and says it is {}", model.config()))?;
    for count in [1, 7, 600] {
        let probabilities = model.predict_probabilities(batch(count)?.images())?;
        let shape = [count, config.classes()];
        ensure(
            probabilities.shape() == shape,
            format!("the probabilities of {count} images have shape {:?}, expected {shape:?}", probabilities.shape()),
        )?;
        for (image, row) in probabilities.rows().into_iter().enumerate() {
            let is_distribution =
                row.iter().all(|&value| value >= 0.0) && (row.sum() - 1.0).abs() <= SUM_OF_PROBABILITIES;
            ensure(is_distribution, format!("the probabilities of image {image} of {count} are {row}"))?;
        }
    }
    Ok(())
}

/// `predict` names the most probable class, and `evaluate` counts and weighs just these answers.
///
/// # Errors
///
/// The promise that is broken.
pub fn predictions_are_the_largest_probabilities(config: &MlpConfig, create: Create<'_, dyn Classifier>) -> Kept {
    let model = new(config, create)?;
    let data = images(TRAIN)?;
    let batch = batch(TRAIN)?;
    let probabilities = model.predict_probabilities(batch.images())?;
    let expected: Vec<usize> = probabilities.rows().into_iter().map(argmax).collect();
    ensure(model.predict(batch.images())? == expected, "predict does not name the most probable class")?;
    let evaluation = model.evaluate(&data)?;
    let accuracy = crate::metrics::accuracy(&expected, data.labels());
    let loss = crate::metrics::cross_entropy(probabilities.view(), data.labels());
    ensure(evaluation.predictions == expected, "evaluate gives other predictions than predict")?;
    ensure(evaluation.accuracy == accuracy, format!("the accuracy is {accuracy}, not {}", evaluation.accuracy))?;
    ensure(near(evaluation.loss, loss), format!("the loss is {loss}, not {}", evaluation.loss))
}

/// What is answered to an image does not depend on the images beside it.
///
/// # Errors
///
/// The promise that is broken.
pub fn an_image_alone_is_answered_as_in_company(config: &MlpConfig, create: Create<'_, dyn Classifier>) -> Kept {
    let model = new(config, create)?;
    let batch = batch(TRAIN)?;
    let together = model.predict_probabilities(batch.images())?;
    for image in [0, 1, TRAIN - 1] {
        let alone = model.predict_probabilities(batch.images().slice(s![image..=image, ..]))?;
        let apart = apart(together.row(image), alone.row(0));
        ensure(apart <= LOOSELY, format!("image {image} has other probabilities alone: {}", alone.row(0)))?;
    }
    Ok(())
}

/// `fit` makes a network better than it was.
///
/// # Errors
///
/// The promise that is broken.
pub fn training_teaches(config: &MlpConfig, create: Create<'_, dyn Classifier>) -> Kept {
    let mut model = new(config, create)?;
    let data = images(TRAIN)?;
    // A black box may need to be trained before it can answer.
    model.fit(&data, &plan(1)?, &mut ())?;
    model.fit(&data, &plan(20)?, &mut ())?;
    let accuracy = model.evaluate(&data)?.accuracy;
    ensure(accuracy > 0.5, format!("after 20 epochs it classifies {accuracy} of the images that it was shown"))
}

/// The same start, plan and images give the same answers.
///
/// # Errors
///
/// The promise that is broken.
pub fn training_repeats_itself(config: &MlpConfig, create: Create<'_, dyn Classifier>) -> Kept {
    let trained = || {
        let mut model = new(config, create)?;
        model.fit(&images(TRAIN)?, &plan(2)?, &mut ())?;
        model.predict_probabilities(batch(TRAIN)?.images())
    };
    let apart = apart(&trained()?, &trained()?);
    ensure(apart <= LOOSELY, format!("the same training twice gives probabilities that are {apart:.1e} apart"))
}

/// Every epoch is reported and recorded, batches count every image once, and an observer can end the run.
///
/// # Errors
///
/// The promise that is broken.
pub fn training_is_reported_and_can_be_stopped(config: &MlpConfig, create: Create<'_, dyn Classifier>) -> Kept {
    #[derive(Default)]
    struct Counting {
        epochs: Vec<usize>,
        images: usize,
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
    let data = images(TRAIN)?;
    for (last, stopped) in [(3, false), (2, true)] {
        let mut counting = Counting { last, ..Counting::default() };
        let history = new(config, create)?.fit(&data, &plan(3)?, &mut counting)?;
        let expected: Vec<usize> = (1..=last).collect();
        let recorded: Vec<usize> = history.epochs.iter().map(|epoch| epoch.epoch).collect();
        // A solver that knows no epochs reports one.
        let is_solver = recorded == [1] && !history.stopped;
        ensure(
            counting.epochs == recorded && (recorded == expected && history.stopped == stopped || is_solver),
            format!(
                "of 3 epochs, ended by the observer after {last}, {:?} were reported, {recorded:?} recorded, stopped: {}",
                counting.epochs, history.stopped
            ),
        )?;
        // Nor has it batches.
        let is_all = [0, recorded.len() * TRAIN].contains(&counting.images);
        ensure(is_all, format!("{} epochs had {} images", recorded.len(), counting.images))?;
    }
    Ok(())
}

/// NaN, infinity, another width, and no image at all.
///
/// # Errors
///
/// The promise that is broken.
pub fn images_that_cannot_be_are_refused(config: &MlpConfig, create: Create<'_, dyn Classifier>) -> Kept {
    let model = new(config, create)?;
    let batch = batch(4)?;
    for value in [f32::NAN, f32::INFINITY] {
        let mut images = batch.images().to_owned();
        images[[2, 5]] = value;
        let is_right = |error: &Error| matches!(error, Error::NonFiniteInput { .. });
        refused(&format!("an image with {value}"), model.predict_probabilities(images.view()), is_right)?;
    }
    let is_right = |error: &Error| matches!(error, Error::Shape { .. });
    refused("a narrower image", model.predict_probabilities(batch.images().slice(s![.., 1..])), is_right)?;
    refused("no image", model.predict_probabilities(batch.images().slice(s![..0, ..])), is_right)
}

/// Images of another width, and labels that are no class, neither to train with nor to test with.
///
/// # Errors
///
/// The promise that is broken.
pub fn data_that_do_not_fit_are_refused(config: &MlpConfig, create: Create<'_, dyn Classifier>) -> Kept {
    let data = images(TRAIN)?;
    let hidden = config.hidden();
    let narrow = MlpConfig::new(config.inputs() - 1, hidden, config.classes(), config.activation())?;
    let few_classes = MlpConfig::new(config.inputs(), hidden, 2, config.activation())?;
    for (what, config) in [("images that are too wide", narrow), ("labels that are no class", few_classes)] {
        let mut model = create(&config, &Parameters::glorot_uniform(&config, 0))?;
        let is_right = |error: &Error| matches!(error, Error::Data { .. });
        refused(&format!("testing with {what}"), model.evaluate(&data), is_right)?;
        refused(&format!("training with {what}"), model.fit(&data, &plan(1)?, &mut ()), is_right)?;
    }
    Ok(())
}
