//! What a white box promises beyond a black box.

use std::ops::ControlFlow;

use ndarray::s;

use super::classifier::{AS_CHECK_IMAGES, BATCH_SIZE, TRAIN, sgd};
use super::kit::{
    Candidate, Create, Kept, Rejection, TOLERANCE, Violation, batch, broken, difference, ensure, images_for, near,
    parameters, rejects,
};
use crate::classifier::softmax;
use crate::metrics::History;
use crate::{
    Batch, BatchReport, Batches, Dataset, Differentiable, Error, MlpConfig, Observer, Optimizer, OptimizerState,
    Parameters, Schedule, TrainingConfig,
};

const AS_CHECK_FIT: &str = "as `Parameters::check_fit` does";
const AS_BATCH_CHECK_FIT: &str = "as `Batch::check_fit` does";

/// Returns momentum, which has a state, or SGD where the candidate does not implement momentum.
fn optimizer_with_state(model: &mut Candidate<dyn Differentiable>) -> Result<Optimizer, Violation> {
    let momentum = Optimizer::momentum(0.9);
    match model.attempt("`set_optimizer`", "with momentum", |model| model.set_optimizer(&momentum))? {
        Err(Error::NotImplemented { .. }) => Ok(Optimizer::sgd()),
        _ => model.set_optimizer(&momentum).map(|()| momentum),
    }
}

/// Describes the first value that differs in its bits.
fn first_difference(actual: &Parameters<f32>, expected: &Parameters<f32>) -> Option<String> {
    actual.tensors().zip(expected.tensors()).find_map(|((name, actual), (_, expected))| {
        if actual.shape() != expected.shape() {
            return Some(format!("{name} has the shape {:?}, expected {:?}", actual.shape(), expected.shape()));
        }
        let pairs = actual.iter().zip(&expected).enumerate();
        let (index, (actual, expected)) = pairs.into_iter().find(|(_, (a, e))| a.to_bits() != e.to_bits())?;
        Some(format!("{name} is {actual:e} at value {index}, expected {expected:e}"))
    })
}

/// Returns the largest difference of the changes that two updates made, relative to the largest change.
fn difference_of_changes(before: &Parameters<f32>, left: &Parameters<f32>, right: &Parameters<f32>) -> f64 {
    let change = |after: &Parameters<f32>| -> Vec<f32> {
        let pairs = after.tensors().zip(before.tensors());
        pairs.flat_map(|((_, after), (_, before))| (&after - &before).into_iter().collect::<Vec<_>>()).collect()
    };
    difference(&change(left), &change(right))
}

/// Checks that the parameters are returned bit for bit as the model was created with them and as they were set, NaN
/// included.
///
/// # Errors
///
/// The broken promise.
pub fn parameters_are_kept_bit_for_bit(config: &MlpConfig, create: Create<'_, dyn Differentiable>) -> Kept {
    let mut model = Candidate::new(config, create)?;
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
pub fn other_shapes_are_rejected(config: &MlpConfig, create: Create<'_, dyn Differentiable>) -> Kept {
    let mut model = Candidate::new(config, create)?;
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

/// Checks that a NaN among the parameters reaches all logits, the loss and the gradients, and that `fit` reports it.
///
/// # Errors
///
/// The broken promise.
pub fn nan_is_not_hidden(config: &MlpConfig, create: Create<'_, dyn Differentiable>) -> Kept {
    let mut model = Candidate::new(config, create)?;
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
pub fn non_finite_loss_updates_nothing(config: &MlpConfig, create: Create<'_, dyn Differentiable>) -> Kept {
    let mut model = Candidate::new(config, create)?;
    model.set_parameters(&with_nan(config))?;
    let loss = model.step(&batch(config, BATCH_SIZE)?, 0.1)?;
    ensure(!loss.is_finite(), || {
        format!("`step` returned the loss {loss} with NaN in every bias of the first layer; return the loss as it is")
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
    let mut stepped = Candidate::new(config, create)?;
    let mut trained = Candidate::new(config, create)?;
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
pub fn probabilities_are_softmax_of_logits(config: &MlpConfig, create: Create<'_, dyn Differentiable>) -> Kept {
    let mut model = Candidate::new(config, create)?;
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
pub fn inference_and_gradients_change_nothing(config: &MlpConfig, create: Create<'_, dyn Differentiable>) -> Kept {
    let mut model = Candidate::new(config, create)?;
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

/// Checks that `step` is `loss_and_gradients` followed by `apply_gradients`.
///
/// # Errors
///
/// The broken promise.
pub fn step_is_gradients_and_update(config: &MlpConfig, create: Create<'_, dyn Differentiable>) -> Kept {
    let batch = batch(config, BATCH_SIZE)?;
    let (mut whole, mut parts) = (Candidate::new(config, create)?, Candidate::new(config, create)?);
    let loss = whole.step(&batch, 0.1)?;
    let (expected, gradients) = parts.loss_and_gradients(&batch)?;
    parts.apply_gradients(&gradients, 0.1)?;
    ensure(near(loss.into(), expected.into()), || {
        format!(
            "`step` returned the loss {loss}, `loss_and_gradients` {expected}; return the mean loss before the update"
        )
    })?;
    let difference = difference_of_changes(&parameters(config), &parts.parameters()?, &whole.parameters()?);
    ensure(difference <= TOLERANCE, || {
        format!(
            "`step` changes the parameters otherwise than `apply_gradients` with the gradients of `loss_and_gradients`, by \
             {difference:.1e} of the largest change; the provided method is right"
        )
    })
}

/// Checks that `fit` visits [`Dataset::epoch_order`] in batches, the last one smaller, with one update each.
///
/// # Errors
///
/// The broken promise.
pub fn fit_steps_through_the_batches_in_order(config: &MlpConfig, create: Create<'_, dyn Differentiable>) -> Kept {
    struct Losses(Vec<f32>);
    impl Observer for Losses {
        fn batch_ended(&mut self, report: &BatchReport) -> ControlFlow<()> {
            self.0.push(report.loss);
            ControlFlow::Continue(())
        }
    }
    let data = images_for(config, TRAIN)?;
    let mut observed = Losses(Vec::new());
    let mut fitted = Candidate::new(config, create)?;
    let optimizer = optimizer_with_state(&mut fitted)?;
    let training = TrainingConfig::builder()
        .optimizer(optimizer)
        .schedule(Schedule::OneCycle)
        .batch_size(BATCH_SIZE)
        .epochs(2)
        .seed(3)
        .build()?;
    fitted.fit(&data, &training, &mut observed)?;
    let mut stepped = Candidate::new(config, create)?;
    stepped.set_optimizer(training.optimizer())?;
    let mut expected = Vec::new();
    for epoch in 1..=training.epochs() {
        let order = Dataset::epoch_order(training.seed(), epoch, data.len());
        for (indices, rate) in Batches::of_epoch(&training, epoch, &order) {
            expected.push(stepped.step(&data.batch(indices), rate)?);
        }
    }
    ensure(observed.0.len() == expected.len(), || {
        format!(
            "`fit` reported {} batches, but two epochs have {}; train the smaller last batch too, and call \
             `Observer::batch_ended` after each",
            observed.0.len(),
            expected.len()
        )
    })?;
    let mut pairs = observed.0.iter().zip(&expected);
    if let Some(batch) = pairs.position(|(&actual, &expected)| !near(actual.into(), expected.into())) {
        return broken(format!(
            "`fit` reported the loss {} for batch {} of two epochs, but `step` in the promised order has {}; visit the \
             images in `Dataset::epoch_order`, with the rates of `Batches`, or use `training::fit`",
            observed.0[batch],
            batch + 1,
            expected[batch]
        ));
    }
    let difference = difference_of_changes(&parameters(config), &stepped.parameters()?, &fitted.parameters()?);
    ensure(difference <= TOLERANCE, || {
        format!(
            "`fit` changes the parameters otherwise than `step` on the same batches, by {difference:.1e} of the largest \
             change; `train_batches` and `step` must make the same update"
        )
    })
}

/// Checks that `set_optimizer` resets the optimizer state and leaves the parameters alone.
///
/// # Errors
///
/// The broken promise.
pub fn set_optimizer_resets_state(config: &MlpConfig, create: Create<'_, dyn Differentiable>) -> Kept {
    let batch = batch(config, BATCH_SIZE)?;
    let mut fresh = Candidate::new(config, create)?;
    let optimizer = optimizer_with_state(&mut fresh)?;
    fresh.set_optimizer(&optimizer)?;
    fresh.step(&batch, 0.01)?;
    let mut used = Candidate::new(config, create)?;
    used.set_optimizer(&optimizer)?;
    used.step(&batch, 0.01)?;
    used.set_parameters(&parameters(config))?;
    used.set_optimizer(&optimizer)?;
    if let Some(value) = first_difference(&used.parameters()?, &parameters(config)) {
        return broken(format!("`set_optimizer` changed the parameters: {value}; leave them as they are"));
    }
    used.step(&batch, 0.01)?;
    let difference = difference_of_changes(&parameters(config), &fresh.parameters()?, &used.parameters()?);
    ensure(difference <= TOLERANCE, || {
        format!(
            "`set_optimizer` kept the optimizer state: the next update differs by {difference:.1e} from that of a new \
             model; set momentum, moments and the number of steps to zero"
        )
    })
}

/// Checks that a run resumed in another model, with the parameters and the optimizer state of the first, equals the
/// uninterrupted run, for every optimizer. Skipped for an implementation that does not expose its optimizer state.
///
/// # Errors
///
/// The broken promise.
pub fn resumed_fit_equals_uninterrupted_fit(config: &MlpConfig, create: Create<'_, dyn Differentiable>) -> Kept {
    let data = images_for(config, TRAIN)?;
    let new = || Candidate::new(config, create);
    let momentum = Optimizer::momentum(0.9).with_nesterov()?.with_weight_decay(1e-3);
    for optimizer in [
        Optimizer::sgd().with_weight_decay(1e-3),
        momentum,
        Optimizer::adam().with_weight_decay(1e-3),
        Optimizer::adamw().with_weight_decay(1e-3),
    ] {
        let (mut whole, mut first, mut second) = (new()?, new()?, new()?);
        let training = TrainingConfig::builder()
            .optimizer(optimizer)
            .schedule(Schedule::OneCycle)
            .batch_size(BATCH_SIZE)
            .epochs(3)
            .seed(3)
            .build()?;
        let (epochs_1_and_2, epoch_3) = (training.part(1..=2), training.part(3..=3));
        match first.attempt("`fit`", "on a part of a run", |model| model.fit(&data, &epochs_1_and_2, &mut ()))? {
            Err(Error::NotImplemented { .. }) => continue,
            Ok(history) => ensure_epochs(&[1, 2], &history)?,
            Err(source) => return Err(Violation::Failed { call: format!("`fit` with {optimizer}"), source }),
        }
        let state = match first.attempt("`optimizer_state`", "after `fit`", |model| model.optimizer_state())? {
            Err(Error::NotImplemented { .. }) => return Ok(()),
            Ok(state) => state,
            Err(source) => return Err(Violation::Failed { call: "`optimizer_state`".to_owned(), source }),
        };
        second.set_parameters(&first.parameters()?)?;
        second.set_optimizer(&optimizer)?;
        second.set_optimizer_state(&state)?;
        ensure_epochs(&[3], &second.fit(&data, &epoch_3, &mut ())?)?;
        whole.fit(&data, &training, &mut ())?;
        let difference = difference_of_changes(&parameters(config), &whole.parameters()?, &second.parameters()?);
        ensure(difference <= TOLERANCE, || {
            format!(
                "`fit` with {optimizer}, resumed after two of three epochs, ends {difference:.1e} of the largest change away \
                 from the uninterrupted run; `optimizer_state` and `set_optimizer_state` must carry every moment and the \
                 number of steps, and `fit` must keep them when its part begins after epoch 1"
            )
        })?;
        let other = OptimizerState { moments: vec![Parameters::zeros(config); 3], ..state };
        let shape = (Rejection::Shape, "as `OptimizerState::check_fit` does");
        second.rejects("`set_optimizer_state`", "the state of another optimizer", shape, |model| {
            model.set_optimizer_state(&other)
        })?;
    }
    Ok(())
}

fn ensure_epochs(expected: &[usize], history: &History) -> Kept {
    let epochs: Vec<usize> = history.epochs.iter().map(|epoch| epoch.epoch).collect();
    ensure(epochs == expected && !history.stopped, || {
        format!(
            "`fit` on a part of a run trained the epochs {epochs:?} with `stopped: {}`, expected {expected:?}; train \
             `TrainingConfig::epochs_to_train`",
            history.stopped
        )
    })
}

/// Checks that a negative weight decay and a momentum of 1 are rejected.
///
/// # Errors
///
/// The broken promise.
pub fn set_optimizer_rejects_invalid_values(config: &MlpConfig, create: Create<'_, dyn Differentiable>) -> Kept {
    let mut model = Candidate::new(config, create)?;
    let momentum = Optimizer::momentum(1.0);
    let rejection = (Rejection::Configuration, "as `Optimizer::validate` does");
    for (argument, optimizer) in
        [("a momentum of 1", momentum), ("a negative weight decay", Optimizer::adam().with_weight_decay(-1.0))]
    {
        model.rejects("`set_optimizer`", argument, rejection, |model| model.set_optimizer(&optimizer))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::network;

    #[test]
    fn difference_of_changes_ignores_what_is_changed() {
        let config = network(&[], crate::Activation::Relu).unwrap();
        let [before, left, right] = [1.0, 1.5, 1.25].map(|value| Parameters::<f32>::zeros(&config).map(|_| value));
        assert_eq!(difference_of_changes(&before, &left, &right), 0.5);
        assert_eq!(difference_of_changes(&before, &left, &left), 0.0);
    }

    #[test]
    fn first_difference_names_tensor_and_value() {
        let config = network(&[3], crate::Activation::Relu).unwrap();
        let expected = Parameters::<f32>::zeros(&config);
        let mut actual = expected.clone();
        assert_eq!(first_difference(&actual, &expected), None);
        actual.layers_mut()[1].bias[4] = -0.0;
        let message = "output_layer.bias is -0e0 at value 4, expected 0e0";
        assert_eq!(first_difference(&actual, &expected).as_deref(), Some(message));
        let other = Parameters::<f32>::zeros(&network(&[4], crate::Activation::Relu).unwrap());
        assert!(
            first_difference(&other, &expected).is_some_and(|message| message.contains("[36, 4], expected [36, 3]"))
        );
    }
}
