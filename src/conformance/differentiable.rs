//! What a white box promises beyond a black box.

use ndarray::s;

use super::classifier::{AS_CHECK_IMAGES, BATCH_SIZE, TRAIN, sgd};
use super::difference::{difference_of_changes, first_difference};
use super::kit::{
    CheckResult, Create, ModelUnderTest, Rejection, TOLERANCE, batch, broken, difference, ensure, images_for,
    parameters, rejects,
};
use crate::classifier::softmax;
use crate::{Batch, Batches, Dataset, Differentiable, MlpConfig, Parameters, TrainingConfig};

const AS_CHECK_FIT: &str = "as `Parameters::check_fit` does";
const AS_BATCH_CHECK_FIT: &str = "as `Batch::check_fit` does";

/// Checks that the parameters are returned bit for bit as the model was created with them and as they were set, NaN
/// included.
///
/// # Errors
///
/// The broken promise.
pub fn parameters_are_kept_bit_for_bit(config: &MlpConfig, create: Create<'_, dyn Differentiable>) -> CheckResult {
    let mut model = ModelUnderTest::new(config, create)?;
    if let Some(value) = first_difference(&model.parameters()?, &parameters(config)) {
        return broken(format!(
            "`parameters` does not return what the model was created with: {value}; keep a copy, without a cast or an \
             initialization of your own"
        ));
    }
    let mut other = Parameters::<f32>::glorot_uniform(config, 9);
    if let Some(layer) = other.layers_mut().last_mut() {
        layer.bias.fill(f32::NAN);
    }
    model.set_parameters(&other)?;
    match first_difference(&model.parameters()?, &other) {
        None => Ok(()),
        Some(value) => broken(format!(
            "`parameters` does not return what `set_parameters` was given: {value}; copy every weight and bias bit for bit, \
             NaN included"
        )),
    }
}

/// Checks that images, labels, parameters and gradients of another shape are rejected.
///
/// # Errors
///
/// The broken promise.
pub fn other_shapes_are_rejected(config: &MlpConfig, create: Create<'_, dyn Differentiable>) -> CheckResult {
    let mut model = ModelUnderTest::new(config, create)?;
    let batch = batch(config, 4)?;
    let other = MlpConfig::new(config.inputs() + 1, config.hidden(), config.classes(), config.activation())?;
    let other = parameters(&other);
    let shape = (Rejection::Shape, AS_CHECK_FIT);
    rejects("the constructor", "parameters of another shape", shape, || create(config, &other))?;
    model.rejects("`set_parameters`", "parameters of another shape", shape, |model| model.set_parameters(&other))?;
    model.rejects("`apply_gradients`", "gradients of another shape", shape, |model| {
        model.apply_gradients(&other, 0.1)
    })?;
    let narrow = batch.images().slice(s![.., 1..]).to_owned();
    model.rejects("`logits`", "images of another width", (Rejection::Shape, AS_CHECK_IMAGES), |model| {
        model.logits(narrow.view())
    })?;
    let narrow = Batch::new(narrow, batch.labels().to_vec())?;
    let shape = (Rejection::Shape, AS_BATCH_CHECK_FIT);
    model
        .rejects("`loss_and_gradients`", "images of another width", shape, |model| model.loss_and_gradients(&narrow))?;
    model.rejects("`step`", "images of another width", shape, |model| model.step(&narrow, 0.1))?;
    let late = Batch::new(batch.images().to_owned(), vec![config.classes(); batch.len()])?;
    let argument = format!("label {} of a network with {0} classes", config.classes());
    let data = (Rejection::Data, AS_BATCH_CHECK_FIT);
    model.rejects("`loss_and_gradients`", &argument, data, |model| model.loss_and_gradients(&late))?;
    model.rejects("`step`", &argument, data, |model| model.step(&late, 0.1))
}

/// Checks that a NaN among the parameters reaches all logits, probabilities, the loss and the gradients, and that `fit` reports it.
///
/// # Errors
///
/// The broken promise.
pub fn nan_is_not_hidden(config: &MlpConfig, create: Create<'_, dyn Differentiable>) -> CheckResult {
    let mut model = ModelUnderTest::new(config, create)?;
    model.set_parameters(&with_nan(config))?;
    model.in_state("with NaN in every bias of the first layer");
    let batch = batch(config, 4)?;
    let logits = model.logits(batch.images())?;
    if let Some((at, logit)) = logits.indexed_iter().find(|(_, logit)| !logit.is_nan()) {
        return broken(format!(
            "`logits` replaced NaN by a number: every bias of the first layer is NaN, and the logit at {at:?} is {logit}; \
             `f32::max` drops NaN, compare with `<` instead"
        ));
    }
    let images = batch.images();
    let probabilities =
        model.attempt("`predict_probabilities`", "on 4 valid images", |model| model.predict_probabilities(images))?;
    if let Some(probability) = probabilities.iter().flatten().find(|probability| !probability.is_nan()) {
        return broken(format!(
            "`predict_probabilities` replaced NaN by a number: the logits are NaN, and a probability is {probability}; \
             return `softmax` of the logits as they are"
        ));
    }
    let (loss, gradients) = model.loss_and_gradients(&batch)?;
    ensure(loss.is_nan(), || {
        format!(
            "`loss_and_gradients` replaced NaN by a number: the logits are NaN, and the loss is {loss}; `f32::max` drops \
             NaN, compare with `<` where you limit a probability or a logit"
        )
    })?;
    ensure(gradients.first_non_finite().is_some(), || {
        "`loss_and_gradients` replaced NaN by numbers: the loss is NaN, and every gradient is finite; clip no \
         gradient, and use no `f32::max` or `f32::min`, which drop NaN"
            .to_owned()
    })?;
    let data = images_for(config, TRAIN)?;
    let training = sgd(1)?;
    model.rejects("`fit`", "a model", (Rejection::Diverged, "as `training::fit` does"), |model| {
        model.fit(&data, &training, &mut ())
    })
}

/// Parameters of which every bias of the first layer is NaN.
fn with_nan(config: &MlpConfig) -> Parameters<f32> {
    let mut parameters = parameters(config);
    if let Some(layer) = parameters.layers_mut().first_mut() {
        layer.bias.fill(f32::NAN);
    }
    parameters
}

/// Checks that a loss that is not finite is the last, and that no update follows from it: in `step`, and in the middle of
/// the batches of `train_batches`.
///
/// # Errors
///
/// The broken promise.
pub fn non_finite_loss_updates_nothing(config: &MlpConfig, create: Create<'_, dyn Differentiable>) -> CheckResult {
    let mut model = ModelUnderTest::new(config, create)?;
    model.set_parameters(&with_nan(config))?;
    let loss = model.step(&batch(config, BATCH_SIZE)?, 0.1)?;
    ensure(!loss.is_finite(), || {
        format!(
            "`step` returned the loss {loss} with NaN in every bias of the first layer; look for what replaces NaN in the forward pass or the loss, as `f32::max` does"
        )
    })?;
    if let Some(value) = first_difference(&model.parameters()?, &with_nan(config)) {
        return broken(format!(
            "`step` updated the parameters from a loss that is not finite: {value}; return the loss before the update, as \
             the provided method does"
        ));
    }

    // This rate is infinite in single precision, so that the second loss cannot be finite.
    let training = TrainingConfig::builder().learning_rate(1e300).batch_size(BATCH_SIZE).epochs(1).seed(3).build()?;
    let data = images_for(config, TRAIN)?;
    let order = Dataset::epoch_order(training.seed(), 1, data.len());
    let batches = Batches::of_epoch(&training, 1, &order);
    let mut expected = Vec::new();
    let mut stepped = ModelUnderTest::new(config, create)?;
    let mut trained = ModelUnderTest::new(config, create)?;
    stepped.in_state("at a learning rate of 1e300");
    trained.in_state("at a learning rate of 1e300");
    for (indices, rate) in batches.clone() {
        let (loss, gradients) = stepped.loss_and_gradients(&data.batch(indices))?;
        expected.push(loss);
        if !loss.is_finite() {
            break;
        }
        stepped.apply_gradients(&gradients, rate)?;
    }
    let losses = trained.train_batches(&data, batches)?;
    ensure(losses.len() == expected.len(), || {
        format!(
            "`train_batches` returned the losses {losses:?}, of which the first that is not finite must be the last; \
             expected {expected:?}"
        )
    })?;
    let is_same = |(actual, expected): (&f32, &f32)| actual == expected || actual.is_nan() && expected.is_nan();
    let (actual, expected) = (trained.parameters()?, stepped.parameters()?);
    let mut pairs = actual.tensors().zip(expected.tensors());
    ensure(pairs.all(|((_, actual), (_, expected))| actual.iter().zip(&expected).all(is_same)), || {
        "`train_batches` updated the parameters from a loss that is not finite; check each loss before the update, or go \
         back to a copy of the state"
            .to_owned()
    })
}

/// Checks that the probabilities are the softmax of the logits.
///
/// # Errors
///
/// The broken promise.
pub fn probabilities_are_softmax_of_logits(config: &MlpConfig, create: Create<'_, dyn Differentiable>) -> CheckResult {
    let mut model = ModelUnderTest::new(config, create)?;
    let batch = batch(config, TRAIN)?;
    let expected = softmax(model.logits(batch.images())?);
    let difference = difference(&expected, &model.predict_probabilities(batch.images())?);
    ensure(difference <= TOLERANCE, || {
        format!(
            "`predict_probabilities` differs by {difference:.1e} from the softmax of `logits`; return \
             `softmax(self.logits(images)?)`, and no probabilities as logits"
        )
    })
}

/// Checks that computing gradients, logits and predictions changes neither the parameters nor the next result.
///
/// # Errors
///
/// The broken promise.
pub fn inference_and_gradients_change_nothing(
    config: &MlpConfig,
    create: Create<'_, dyn Differentiable>,
) -> CheckResult {
    let mut model = ModelUnderTest::new(config, create)?;
    let (small, large) = (batch(config, 5)?, batch(config, TRAIN)?);
    let (_, first) = model.loss_and_gradients(&small)?;
    model.loss_and_gradients(&large)?;
    model.logits(large.images())?;
    model.predict(large.images())?;
    let (_, second) = model.loss_and_gradients(&small)?;
    let difference = difference_of_changes(&Parameters::zeros(config), &first, &second);
    ensure(difference <= TOLERANCE, || {
        format!(
            "`loss_and_gradients` returned other gradients for the same batch after larger ones, by {difference:.1e} of the \
             largest; start from zero gradients, and keep nothing of earlier batches"
        )
    })?;
    match first_difference(&model.parameters()?, &parameters(config)) {
        None => Ok(()),
        Some(value) => broken(format!(
            "`loss_and_gradients`, `logits` or `predict` changed the parameters: {value}; only `apply_gradients` updates"
        )),
    }
}
