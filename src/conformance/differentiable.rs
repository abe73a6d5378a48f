//! Conformance checks of the parameters, logits and gradients of a white box ([`Differentiable`]).

use ndarray::s;

use super::classifier::{AS_CHECK_IMAGES, BATCH_SIZE, TRAIN, sgd};
use super::difference::{difference, difference_of_changes, first_difference};
use super::kit::{
    CheckResult, Create, ModelUnderTest, Rejection, TOLERANCE, batch, broken, ensure, images_for, parameters, rejects,
};
use crate::classifier::softmax;
use crate::{Batch, Batches, Dataset, Differentiable, MlpConfig, Parameters, TrainingConfig};

/// Advice for a method that accepts parameters or gradients of another shape, the end of the message: "`set_parameters`
/// accepted parameters of another shape; return `Error::Shape`, as `Parameters::check_fit` does".
const AS_CHECK_FIT: &str = "as `Parameters::check_fit` does";

/// Advice for a method that accepts a batch that does not fit the network, the end of the message: "`step` accepted
/// images of another width; return `Error::Shape`, as `Batch::check_fit` does".
const AS_BATCH_CHECK_FIT: &str = "as `Batch::check_fit` does";

/// Checks that `parameters` returns the values given to the constructor or to `set_parameters`, bit for bit, NaN
/// included.
///
/// # Errors
///
/// A [`Violation`](super::Violation) if the requirement is not met.
pub fn parameters_round_trip_bit_for_bit(config: &MlpConfig, create: Create<'_, dyn Differentiable>) -> CheckResult {
    let mut model = ModelUnderTest::new(config, create)?;
    if let Some(value) = first_difference(&model.parameters()?, &parameters(config)) {
        return broken(format!(
            "`parameters` differs from what the constructor was given: {value}; store the parameters without \
             conversion or new initialization"
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
            "`parameters` differs from what `set_parameters` was given: {value}; copy every weight and bias bit for \
             bit, NaN included"
        )),
    }
}

/// Checks that every method rejects parameters, gradients, images and labels that do not fit the network.
///
/// # Errors
///
/// A [`Violation`](super::Violation) if the requirement is not met.
pub fn mismatched_shapes_are_rejected(config: &MlpConfig, create: Create<'_, dyn Differentiable>) -> CheckResult {
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
    let out_of_range = Batch::new(batch.images().to_owned(), vec![config.classes(); batch.len()])?;
    let argument = format!("label {} of a network with {0} classes", config.classes());
    let data = (Rejection::Data, AS_BATCH_CHECK_FIT);
    model.rejects("`loss_and_gradients`", &argument, data, |model| model.loss_and_gradients(&out_of_range))?;
    model.rejects("`step`", &argument, data, |model| model.step(&out_of_range, 0.1))
}

/// Checks that NaN in the first layer's biases propagates to all logits and probabilities, to the loss and the
/// gradients, and that `fit` returns [`Error::Diverged`](crate::Error::Diverged).
///
/// # Errors
///
/// A [`Violation`](super::Violation) if the requirement is not met.
pub fn nan_parameters_propagate(config: &MlpConfig, create: Create<'_, dyn Differentiable>) -> CheckResult {
    let mut model = ModelUnderTest::new(config, create)?;
    model.set_parameters(&with_nan(config))?;
    model.in_state("with NaN in every bias of the first layer");
    let batch = batch(config, 4)?;
    let logits = model.logits(batch.images())?;
    if let Some(((image, class), logit)) = logits.indexed_iter().find(|(_, logit)| !logit.is_nan()) {
        return broken(format!(
            "`logits` hides NaN: every bias of the first layer is NaN, but the logit at [{image}, {class}] is {logit}; \
             `f32::max` drops NaN, and so does a ReLU that asks whether z > 0: ask whether z < 0 instead"
        ));
    }
    let images = batch.images();
    let probabilities =
        model.attempt("`predict_probabilities`", "on 4 valid images", |model| model.predict_probabilities(images))?;
    if let Some(probability) = probabilities.iter().flatten().find(|probability| !probability.is_nan()) {
        return broken(format!(
            "`predict_probabilities` hides NaN: the logits are NaN, but a probability is {probability}; return the \
             `softmax` of the unchanged logits"
        ));
    }
    let (loss, gradients) = model.loss_and_gradients(&batch)?;
    ensure(loss.is_nan(), || {
        format!(
            "`loss_and_gradients` hides NaN: the logits are NaN, but the loss is {loss}; `f32::max` drops NaN, so \
             compare with `<` where a probability or a logit is limited"
        )
    })?;
    ensure(gradients.first_non_finite().is_some(), || {
        "`loss_and_gradients` hides NaN: the loss is NaN, but every gradient is finite; do not clip gradients, and \
         avoid `f32::max` and `f32::min`, which drop NaN"
            .to_owned()
    })?;
    let data = images_for(config, TRAIN)?;
    let training = sgd(1)?;
    model.rejects("`fit`", "a model", (Rejection::Diverged, "as `training::fit` does"), |model| {
        model.fit(&data, &training, &mut ())
    })
}

/// Creates parameters in which every bias of the first layer is NaN.
fn with_nan(config: &MlpConfig) -> Parameters<f32> {
    let mut parameters = parameters(config);
    if let Some(layer) = parameters.layers_mut().first_mut() {
        layer.bias.fill(f32::NAN);
    }
    parameters
}

/// Checks that no update is made from a loss that is not finite, neither by `step` nor by `train_batches`, and that
/// `train_batches` stops after such a loss.
///
/// # Errors
///
/// A [`Violation`](super::Violation) if the requirement is not met.
pub fn non_finite_loss_prevents_update(config: &MlpConfig, create: Create<'_, dyn Differentiable>) -> CheckResult {
    let mut model = ModelUnderTest::new(config, create)?;
    model.set_parameters(&with_nan(config))?;
    let loss = model.step(&batch(config, BATCH_SIZE)?, 0.1)?;
    ensure(!loss.is_finite(), || {
        format!(
            "`step` returned loss {loss} with NaN in every bias of the first layer; look for an operation that drops \
             NaN in the forward pass or the loss, such as `f32::max`"
        )
    })?;
    if let Some(value) = first_difference(&model.parameters()?, &with_nan(config)) {
        return broken(format!(
            "`step` updated the parameters from a loss that is not finite: {value}; return such a loss without an \
             update, as the default implementation does"
        ));
    }

    // An update at this learning rate overflows single precision, so that a later loss is NaN or infinite.
    let training = TrainingConfig::builder().learning_rate(3e38).batch_size(BATCH_SIZE).epochs(1).seed(3).build()?;
    let data = images_for(config, TRAIN)?;
    let order = Dataset::epoch_order(training.seed(), 1, data.len());
    let batches = Batches::of_epoch(&training, 1, &order);
    let mut expected = Vec::new();
    let mut stepped = ModelUnderTest::new(config, create)?;
    let mut trained = ModelUnderTest::new(config, create)?;
    stepped.in_state("at a learning rate of 3e38");
    trained.in_state("at a learning rate of 3e38");
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
            "`train_batches` returned losses {losses:?}, expected {expected:?}; stop after the first loss that is not \
             finite"
        )
    })?;
    let is_same = |(actual, expected): (&f32, &f32)| actual == expected || actual.is_nan() && expected.is_nan();
    let (actual, expected) = (trained.parameters()?, stepped.parameters()?);
    let mut pairs = actual.tensors().zip(expected.tensors());
    ensure(pairs.all(|((_, actual), (_, expected))| actual.iter().zip(&expected).all(is_same)), || {
        "`train_batches` updated the parameters from a loss that is not finite; check each loss before the update, or \
         restore a copy of the state"
            .to_owned()
    })
}

/// Checks that the probabilities are the softmax of the logits.
///
/// # Errors
///
/// A [`Violation`](super::Violation) if the requirement is not met.
pub fn probabilities_are_softmax_of_logits(config: &MlpConfig, create: Create<'_, dyn Differentiable>) -> CheckResult {
    let mut model = ModelUnderTest::new(config, create)?;
    let batch = batch(config, TRAIN)?;
    let expected = softmax(model.logits(batch.images())?);
    let difference = difference(&expected, &model.predict_probabilities(batch.images())?);
    ensure(difference <= TOLERANCE, || {
        format!(
            "`predict_probabilities` differs by {difference:.1e} from the softmax of `logits`; return \
             `softmax(self.logits(images)?)`, and do not apply softmax in `logits`"
        )
    })
}

/// Checks that `loss_and_gradients`, `logits` and `predict` change neither the parameters nor later gradients.
///
/// # Errors
///
/// A [`Violation`](super::Violation) if the requirement is not met.
pub fn inference_and_gradients_have_no_side_effects(
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
            "`loss_and_gradients` returned different gradients for the same batch after a larger batch, by \
             {difference:.1e} of the largest gradient; start from zero gradients, and keep no state between batches"
        )
    })?;
    match first_difference(&model.parameters()?, &parameters(config)) {
        None => Ok(()),
        Some(value) => broken(format!(
            "`loss_and_gradients`, `logits` or `predict` changed the parameters: {value}; update parameters only in \
             `apply_gradients`, `step` and training"
        )),
    }
}
