//! Conformance checks of the training steps, optimizers and training runs of a white box ([`Differentiable`]).

use std::ops::ControlFlow;

use super::classifier::{BATCH_SIZE, TRAIN};
use super::difference::{difference_of_changes, first_difference, near};
use super::kit::{
    CheckResult, Create, ModelUnderTest, Rejection, TOLERANCE, Violation, batch, broken, ensure, images_for, parameters,
};
use crate::metrics::History;
use crate::{
    BatchReport, Batches, Dataset, Differentiable, Error, MlpConfig, Observer, Optimizer, OptimizerState, Parameters,
    Schedule, TrainingConfig,
};

/// Returns SGD with momentum, which keeps state between steps, or plain SGD if the implementation does not offer
/// momentum.
fn optimizer_with_state(model: &mut ModelUnderTest<dyn Differentiable>) -> Result<Optimizer, Violation> {
    let momentum = Optimizer::momentum(0.9);
    match model.attempt("`set_optimizer`", "with momentum", |model| model.set_optimizer(&momentum))? {
        Err(Error::NotImplemented { .. }) => Ok(Optimizer::sgd()),
        _ => model.set_optimizer(&momentum).map(|()| momentum),
    }
}

/// Checks that `step` equals `loss_and_gradients` followed by `apply_gradients`.
///
/// # Errors
///
/// A [`Violation`] if the requirement is not met.
pub fn step_equals_gradients_then_update(config: &MlpConfig, create: Create<'_, dyn Differentiable>) -> CheckResult {
    let batch = batch(config, BATCH_SIZE)?;
    let (mut whole, mut parts) = (ModelUnderTest::new(config, create)?, ModelUnderTest::new(config, create)?);
    let loss = whole.step(&batch, 0.1)?;
    let (expected, gradients) = parts.loss_and_gradients(&batch)?;
    parts.apply_gradients(&gradients, 0.1)?;
    ensure(near(loss.into(), expected.into()), || {
        format!(
            "`step` returned loss {loss}, but `loss_and_gradients` returned {expected}; return the mean loss before \
             the update"
        )
    })?;
    let difference = difference_of_changes(&parameters(config), &parts.parameters()?, &whole.parameters()?);
    ensure(difference <= TOLERANCE, || {
        format!(
            "the update of `step` differs from that of `loss_and_gradients` and `apply_gradients` by {difference:.1e} \
             of the largest change; compare it with the default implementation"
        )
    })
}

/// Checks that `fit` visits the images in the order of [`Dataset::epoch_order`], in batches of which the last is
/// smaller, and makes one update per batch with the scheduled learning rate.
///
/// # Errors
///
/// A [`Violation`] if the requirement is not met.
pub fn fit_visits_batches_in_order(config: &MlpConfig, create: Create<'_, dyn Differentiable>) -> CheckResult {
    struct Losses(Vec<f32>);
    impl Observer for Losses {
        fn batch_ended(&mut self, report: &BatchReport) -> ControlFlow<()> {
            self.0.push(report.loss);
            ControlFlow::Continue(())
        }
    }
    let data = images_for(config, TRAIN)?;
    let mut observed = Losses(Vec::new());
    let mut fitted = ModelUnderTest::new(config, create)?;
    let optimizer = optimizer_with_state(&mut fitted)?;
    let training = TrainingConfig::builder()
        .optimizer(optimizer)
        .schedule(Schedule::OneCycle)
        .batch_size(BATCH_SIZE)
        .epochs(2)
        .seed(3)
        .build()?;
    fitted.fit(&data, &training, &mut observed)?;
    let mut stepped = ModelUnderTest::new(config, create)?;
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
            "`fit` reported loss {} for batch {} of two epochs, but `step` returned {} for the same batch; visit the \
             images in the order of `Dataset::epoch_order`, with the learning rates of `Batches`, or call \
             `training::fit`",
            observed.0[batch],
            batch + 1,
            expected[batch]
        ));
    }
    let difference = difference_of_changes(&parameters(config), &stepped.parameters()?, &fitted.parameters()?);
    ensure(difference <= TOLERANCE, || {
        format!(
            "the updates of `fit` differ from those of `step` on the same batches by {difference:.1e} of the largest \
             change; `train_batches` and `step` must make the same updates"
        )
    })
}

/// Checks that `set_optimizer` resets the optimizer state and keeps the parameters.
///
/// # Errors
///
/// A [`Violation`] if the requirement is not met.
pub fn set_optimizer_resets_state(config: &MlpConfig, create: Create<'_, dyn Differentiable>) -> CheckResult {
    let batch = batch(config, BATCH_SIZE)?;
    let mut fresh = ModelUnderTest::new(config, create)?;
    let optimizer = optimizer_with_state(&mut fresh)?;
    fresh.set_optimizer(&optimizer)?;
    fresh.step(&batch, 0.01)?;
    let mut used = ModelUnderTest::new(config, create)?;
    used.set_optimizer(&optimizer)?;
    used.step(&batch, 0.01)?;
    used.set_parameters(&parameters(config))?;
    used.set_optimizer(&optimizer)?;
    if let Some(value) = first_difference(&used.parameters()?, &parameters(config)) {
        return broken(format!("`set_optimizer` changed the parameters: {value}; only reset the optimizer state"));
    }
    used.step(&batch, 0.01)?;
    let difference = difference_of_changes(&parameters(config), &fresh.parameters()?, &used.parameters()?);
    ensure(difference <= TOLERANCE, || {
        format!(
            "`set_optimizer` kept the optimizer state: the next update differs by {difference:.1e} from that of a new \
             model; set all moments and the number of steps to zero"
        )
    })
}

/// Checks that a run that is resumed in another model, with the parameters and the optimizer state of the first, equals
/// the uninterrupted run. Checks every optimizer that the implementation offers, and is skipped if the implementation
/// does not expose its optimizer state.
///
/// # Errors
///
/// A [`Violation`] if the requirement is not met.
pub fn resumed_fit_equals_uninterrupted_fit(config: &MlpConfig, create: Create<'_, dyn Differentiable>) -> CheckResult {
    let data = images_for(config, TRAIN)?;
    let new = || ModelUnderTest::new(config, create);
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
        let (epochs_1_and_2, epoch_3) = (training.with_epoch_range(1..=2), training.with_epoch_range(3..=3));
        match first.attempt("`fit`", "on a range of epochs", |model| model.fit(&data, &epochs_1_and_2, &mut ()))? {
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
                "`fit` with {optimizer}, resumed after two of three epochs, differs from the uninterrupted run by \
                 {difference:.1e} of the largest change; `optimizer_state` and `set_optimizer_state` must transfer \
                 every moment and the number of steps, and `fit` must keep them if its epochs begin after epoch 1"
            )
        })?;
        // No optimizer has three moments.
        let other = OptimizerState { moments: vec![Parameters::zeros(config); 3], ..state };
        let shape = (Rejection::Shape, "as `OptimizerState::check_fit` does");
        second.rejects("`set_optimizer_state`", "the state of another optimizer", shape, |model| {
            model.set_optimizer_state(&other)
        })?;
    }
    Ok(())
}

/// Checks that `fit` trained exactly the expected epochs and was not stopped.
fn ensure_epochs(expected: &[usize], history: &History) -> CheckResult {
    let epochs: Vec<usize> = history.epochs.iter().map(|epoch| epoch.epoch).collect();
    ensure(epochs == expected && !history.stopped, || {
        format!(
            "`fit` on a range of epochs trained epochs {epochs:?} with `stopped: {}`, expected epochs {expected:?}; \
             train the epochs of `TrainingConfig::epochs_to_train`",
            history.stopped
        )
    })
}

/// Checks that `set_optimizer` rejects a momentum of 1 and a negative weight decay.
///
/// # Errors
///
/// A [`Violation`] if the requirement is not met.
pub fn set_optimizer_rejects_invalid_values(config: &MlpConfig, create: Create<'_, dyn Differentiable>) -> CheckResult {
    let mut model = ModelUnderTest::new(config, create)?;
    let momentum = Optimizer::momentum(1.0);
    let rejection = (Rejection::Configuration, "as `Optimizer::validate` does");
    for (argument, optimizer) in
        [("a momentum of 1", momentum), ("a negative weight decay", Optimizer::adam().with_weight_decay(-1.0))]
    {
        model.rejects("`set_optimizer`", argument, rejection, |model| model.set_optimizer(&optimizer))?;
    }
    Ok(())
}
