//! What a white box promises beside.

use std::ops::ControlFlow;

use ndarray::s;

use super::classifier::{BATCH_SIZE, TRAIN, plan};
use super::kit::{Create, Kept, LOOSELY, apart, batch, ensure, images, near, parameters, refused};
use crate::classifier::softmax;
use crate::{
    Batch, BatchReport, Batches, Dataset, Differentiable, Error, MlpConfig, Observer, Optimizer, OptimizerState,
    Parameters, Result, Schedule, TrainingConfig,
};

/// A rule that remembers; plain descent where there is none.
fn rule_of(model: &mut dyn Differentiable) -> Result<Optimizer> {
    let momentum = Optimizer::momentum(0.9);
    match model.set_optimizer(&momentum) {
        Err(Error::NotImplemented { .. }) => Ok(Optimizer::sgd()),
        other => other.map(|()| momentum),
    }
}

fn new(config: &MlpConfig, create: Create<'_, dyn Differentiable>) -> Result<Box<dyn Differentiable>> {
    create(config, &parameters(config))
}

fn equal_to_the_bit(left: &Parameters<f32>, right: &Parameters<f32>) -> bool {
    let bits = |parameters: &Parameters<f32>| -> Vec<u32> {
        parameters
            .tensors()
            .flat_map(|(_, tensor)| tensor.iter().map(|value| value.to_bits()).collect::<Vec<_>>())
            .collect()
    };
    bits(left) == bits(right)
}

/// The largest difference of the changes that two updates made, as a share of the largest change.
fn changes_apart(before: &Parameters<f32>, left: &Parameters<f32>, right: &Parameters<f32>) -> f64 {
    let change = |after: &Parameters<f32>| -> Vec<f32> {
        let pairs = after.tensors().zip(before.tensors());
        pairs.flat_map(|((_, after), (_, before))| (&after - &before).into_iter().collect::<Vec<_>>()).collect()
    };
    apart(&change(left), &change(right))
}

/// As they were given when the network was made, and later, NaN included.
///
/// # Errors
///
/// The promise that is broken.
pub fn parameters_are_kept_to_the_bit(config: &MlpConfig, create: Create<'_, dyn Differentiable>) -> Kept {
    let mut model = new(config, create)?;
    let given = parameters(config);
    ensure(
        equal_to_the_bit(&model.parameters()?, &given),
        "the parameters that it was made with are not those it has",
    )?;
    let mut other = Parameters::<f32>::glorot_uniform(config, 9);
    if let Some(layer) = other.layers_mut().last_mut() {
        layer.bias.fill(f32::NAN);
    }
    model.set_parameters(&other)?;
    ensure(equal_to_the_bit(&model.parameters()?, &other), "the parameters that were set are not those it has")
}

/// Images, labels, parameters and gradients of another network.
///
/// # Errors
///
/// The promise that is broken.
pub fn other_shapes_are_refused(config: &MlpConfig, create: Create<'_, dyn Differentiable>) -> Kept {
    let mut model = new(config, create)?;
    let batch = batch(4)?;
    let other = MlpConfig::new(config.inputs() + 1, config.hidden(), config.classes(), config.activation())?;
    let is_shape = |error: &Error| matches!(error, Error::Shape { .. });
    refused("parameters of another network", model.set_parameters(&parameters(&other)), is_shape)?;
    refused("gradients of another network", model.apply_gradients(&parameters(&other), 0.1), is_shape)?;
    refused("a network with another's parameters", create(config, &parameters(&other)), is_shape)?;
    refused("the logits of narrower images", model.logits(batch.images().slice(s![.., 1..])), is_shape)?;
    let narrow = Batch::new(batch.images().slice(s![.., 1..]).to_owned(), batch.labels().to_vec())?;
    refused("the gradients of narrower images", model.loss_and_gradients(&narrow), is_shape)?;
    refused("a step on narrower images", model.step(&narrow, 0.1), is_shape)?;
    let late = Batch::new(batch.images().to_owned(), vec![config.classes(); batch.len()])?;
    let is_data = |error: &Error| matches!(error, Error::Data { .. });
    refused("the gradients of a label that is no class", model.loss_and_gradients(&late), is_data)
}

/// A NaN among the parameters reaches all logits, the loss and a gradient, and training says so.
///
/// # Errors
///
/// The promise that is broken.
pub fn not_a_number_shows(config: &MlpConfig, create: Create<'_, dyn Differentiable>) -> Kept {
    let mut model = new(config, create)?;
    let mut broken = parameters(config);
    if let Some(layer) = broken.layers_mut().first_mut() {
        layer.bias.fill(f32::NAN);
    }
    model.set_parameters(&broken)?;
    let batch = batch(4)?;
    let logits = model.logits(batch.images())?;
    ensure(
        logits.iter().all(|logit| logit.is_nan()),
        "a NaN in every bias of the first layer does not reach all logits",
    )?;
    let (loss, gradients) = model.loss_and_gradients(&batch)?;
    ensure(loss.is_nan(), format!("the logits are NaN, and the loss is {loss}"))?;
    ensure(gradients.first_non_finite().is_some(), "the loss is NaN, and all gradients are finite")?;
    let is_right = |error: &Error| matches!(error, Error::Diverged { .. });
    refused("training from NaN", model.fit(&images(TRAIN)?, &plan(1)?, &mut ()), is_right)
}

/// exp(zⱼ) / Σ exp(zₖ)
///
/// # Errors
///
/// The promise that is broken.
pub fn probabilities_are_the_softmax_of_the_logits(config: &MlpConfig, create: Create<'_, dyn Differentiable>) -> Kept {
    let model = new(config, create)?;
    let batch = batch(TRAIN)?;
    let expected = softmax(model.logits(batch.images())?);
    let apart = apart(&expected, &model.predict_probabilities(batch.images())?);
    ensure(apart <= LOOSELY, format!("the probabilities are {apart:.1e} from the softmax of the logits"))
}

/// Logits, gradients and answers change nothing: neither the parameters, nor what is answered next.
///
/// # Errors
///
/// The promise that is broken.
pub fn looking_leaves_no_trace(config: &MlpConfig, create: Create<'_, dyn Differentiable>) -> Kept {
    let model = new(config, create)?;
    let (small, large) = (batch(5)?, batch(TRAIN)?);
    let (_, first) = model.loss_and_gradients(&small)?;
    model.loss_and_gradients(&large)?;
    model.logits(large.images())?;
    model.predict(large.images())?;
    let (_, again) = model.loss_and_gradients(&small)?;
    let values = |parameters: &Parameters<f32>| -> Vec<f32> {
        parameters.tensors().flat_map(|(_, tensor)| tensor.iter().copied().collect::<Vec<_>>()).collect()
    };
    let apart = apart(&values(&first), &values(&again));
    ensure(apart <= LOOSELY, format!("the gradients of the same batch are {apart:.1e} apart after others"))?;
    ensure(equal_to_the_bit(&model.parameters()?, &parameters(config)), "looking changed the parameters")
}

/// `step` is `loss_and_gradients` and `apply_gradients`, and returns the loss before the update.
///
/// # Errors
///
/// The promise that is broken.
pub fn a_step_is_a_gradient_and_its_update(config: &MlpConfig, create: Create<'_, dyn Differentiable>) -> Kept {
    let batch = batch(BATCH_SIZE)?;
    let (mut whole, mut parts) = (new(config, create)?, new(config, create)?);
    let loss = whole.step(&batch, 0.1)?;
    let (expected, gradients) = parts.loss_and_gradients(&batch)?;
    parts.apply_gradients(&gradients, 0.1)?;
    ensure(
        near(loss.into(), expected.into()),
        format!("step returns {loss}, where the loss before the update is {expected}"),
    )?;
    let apart = changes_apart(&parameters(config), &parts.parameters()?, &whole.parameters()?);
    ensure(apart <= LOOSELY, format!("step changes the parameters otherwise, by {apart:.1e} of the largest change"))
}

/// `fit` visits [`Dataset::epoch_order`] in batches, the last one smaller, with one update each.
///
/// # Errors
///
/// The promise that is broken.
pub fn fit_takes_the_promised_batches(config: &MlpConfig, create: Create<'_, dyn Differentiable>) -> Kept {
    struct Losses(Vec<f32>);
    impl Observer for Losses {
        fn batch_ended(&mut self, report: &BatchReport) -> ControlFlow<()> {
            self.0.push(report.loss);
            ControlFlow::Continue(())
        }
    }
    let data = images(TRAIN)?;
    let mut observed = Losses(Vec::new());
    let mut fitted = new(config, create)?;
    let plan = TrainingConfig::builder()
        .optimizer(rule_of(fitted.as_mut())?)
        .learning_rate(0.01)
        .schedule(Schedule::OneCycle)
        .batch_size(BATCH_SIZE)
        .epochs(2)
        .seed(3)
        .build()?;
    fitted.fit(&data, &plan, &mut observed)?;
    let mut stepped = new(config, create)?;
    stepped.set_optimizer(plan.optimizer())?;
    let mut expected = Vec::new();
    for epoch in 1..=plan.epochs() {
        for (indices, rate) in Batches::of_epoch(&plan, epoch, &Dataset::epoch_order(plan.seed(), epoch, data.len())) {
            expected.push(stepped.step(&data.batch(indices), rate)?);
        }
    }
    ensure(
        observed.0.len() == expected.len(),
        format!("{} batches were reported, where the plan has {}", observed.0.len(), expected.len()),
    )?;
    let wrong = observed.0.iter().zip(&expected).position(|(&has, &expected)| !near(has.into(), expected.into()));
    ensure(
        wrong.is_none(),
        format!("the loss of batch {} is that of other images or parameters", wrong.map_or(0, |index| index + 1)),
    )?;
    let apart = changes_apart(&parameters(config), &stepped.parameters()?, &fitted.parameters()?);
    ensure(
        apart <= LOOSELY,
        format!("fit changes the parameters otherwise than its steps, by {apart:.1e} of the largest change"),
    )
}

/// `set_optimizer` forgets what the last rule remembered, and leaves the parameters alone.
///
/// # Errors
///
/// The promise that is broken.
pub fn an_optimizer_starts_afresh(config: &MlpConfig, create: Create<'_, dyn Differentiable>) -> Kept {
    let batch = batch(BATCH_SIZE)?;
    let mut fresh = new(config, create)?;
    let rule = rule_of(fresh.as_mut())?;
    fresh.set_optimizer(&rule)?;
    fresh.step(&batch, 0.01)?;
    let mut used = new(config, create)?;
    used.set_optimizer(&rule)?;
    used.step(&batch, 0.01)?;
    used.set_parameters(&parameters(config))?;
    used.set_optimizer(&rule)?;
    ensure(equal_to_the_bit(&used.parameters()?, &parameters(config)), "set_optimizer changed the parameters")?;
    used.step(&batch, 0.01)?;
    let apart = changes_apart(&parameters(config), &fresh.parameters()?, &used.parameters()?);
    ensure(apart <= LOOSELY, "after set_optimizer the last rule's momentum is still there")
}

/// A run that goes on in another network, with the parameters and the optimizer's state of the first, is the run in one; with
/// every rule that there is. Who cannot tell the state is asked for no more.
///
/// # Errors
///
/// The promise that is broken.
pub fn parts_of_a_run_are_the_whole(config: &MlpConfig, create: Create<'_, dyn Differentiable>) -> Kept {
    let data = images(TRAIN)?;
    let rules = [Optimizer::sgd(), Optimizer::momentum(0.9).with_nesterov()?, Optimizer::adam(), Optimizer::adamw()];
    for rule in rules.map(|rule| rule.with_weight_decay(1e-3)) {
        let (mut whole, mut first, mut second) = (new(config, create)?, new(config, create)?, new(config, create)?);
        let plan = TrainingConfig::builder()
            .optimizer(rule)
            .learning_rate(0.01)
            .schedule(Schedule::OneCycle)
            .batch_size(BATCH_SIZE)
            .epochs(3)
            .seed(3)
            .build()?;
        match first.fit(&data, &plan.part(1..=2), &mut ()) {
            Err(Error::NotImplemented { .. }) => continue,
            history => ensure(history?.epochs.len() == 2, "a part of two epochs has another number of them")?,
        }
        let state = match first.optimizer_state() {
            Err(Error::NotImplemented { .. }) => return Ok(()),
            state => state?,
        };
        second.set_parameters(&first.parameters()?)?;
        second.set_optimizer(&rule)?;
        second.set_optimizer_state(&state)?;
        let history = second.fit(&data, &plan.part(3..=3), &mut ())?;
        let epochs: Vec<usize> = history.epochs.iter().map(|epoch| epoch.epoch).collect();
        ensure(epochs == [3] && !history.stopped, format!("the part of epoch 3 reports the epochs {epochs:?}"))?;
        whole.fit(&data, &plan, &mut ())?;
        let apart = changes_apart(&parameters(config), &whole.parameters()?, &second.parameters()?);
        ensure(
            apart <= LOOSELY,
            format!("{rule}: a run in two parts ends elsewhere, by {apart:.1e} of the largest change"),
        )?;
        let other = OptimizerState { moments: vec![Parameters::zeros(config); 3], ..state };
        refused("the state of another rule", second.set_optimizer_state(&other), |error| {
            matches!(error, Error::Shape { .. })
        })?;
    }
    Ok(())
}

/// A negative weight decay, a momentum of 1.
///
/// # Errors
///
/// The promise that is broken.
pub fn rules_that_cannot_be_are_refused(config: &MlpConfig, create: Create<'_, dyn Differentiable>) -> Kept {
    let mut model = new(config, create)?;
    let is_right = |error: &Error| matches!(error, Error::Configuration { .. } | Error::NotImplemented { .. });
    let momentum = Optimizer::momentum(1.0);
    refused("a momentum of 1", model.set_optimizer(&momentum), is_right)?;
    refused("a negative weight decay", model.set_optimizer(&Optimizer::adam().with_weight_decay(-1.0)), is_right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_compared_and_not_what_is_changed() {
        let config = super::super::kit::network(&[], crate::Activation::Relu).unwrap();
        let [before, left, right] = [1.0, 1.5, 1.25].map(|value| Parameters::<f32>::zeros(&config).map(|_| value));
        assert_eq!(changes_apart(&before, &left, &right), 0.5);
        assert_eq!(changes_apart(&before, &left, &left), 0.0);
    }
}
