//! One participant on the ladder, rung by rung.

use mlp_parity::metrics::History;
use mlp_parity::{
    Arithmetic, Batch, Batches, Dataset, Differentiable, Error, Layer, Optimizer, Parameters, Result, Schedule,
    TrainingConfig,
};
use ndarray::{ArrayD, s};

use super::bounds::Estimate;
use super::bounds::Expected;
use super::case::{Case, Plan, every_plan, made_up_gradients};
use super::follower::{Follower, Gradients, Stepped};
use super::judge::{self, equal_to_the_bit, scalar, tensors};
use super::report::{Climb, ORACLE};
use super::tensor_check::{Check, Rung, Sides, Title};

/// Updates from made-up gradients.
const UPDATES: u64 = 3;

/// Added to the biases of the output layer to make logits whose exp is infinite in single precision. Softmax does not change.
const LARGE_LOGITS: f32 = 120.0;

/// Lets one network climb up to the first rung that breaks. Whatever it was before is lost.
///
/// # Errors
///
/// What the network reports, and [`Error::Shape`] if the case is for another one.
pub fn climb(case: &Case, name: &str, model: &mut dyn Differentiable) -> Result<Climb> {
    case.validate()?;
    let mut climber = Climber { case, name, climb: Climb::default() };
    for rung in [
        Climber::parameters,
        Climber::passes,
        Climber::not_a_number,
        Climber::large_logits,
        Climber::updates,
        Climber::trajectories,
        Climber::training_loop,
    ] {
        rung(&mut climber, model)?;
        if climber.climb.first_failure().is_some() {
            break;
        }
    }
    Ok(climber.climb)
}

struct Climber<'a> {
    case: &'a Case,
    name: &'a str,
    climb: Climb,
}

impl Climber<'_> {
    /// As a network is that was just made.
    fn reset(&self, model: &mut dyn Differentiable) -> Result<()> {
        model.set_parameters(&self.case.parameters)?;
        model.set_optimizer(&Optimizer::sgd())
    }

    /// As a network is that was just made, with this rule; false if it has no such rule.
    fn reset_with(&mut self, model: &mut dyn Differentiable, rule: &str, optimizer: &Optimizer) -> Result<bool> {
        model.set_parameters(&self.case.parameters)?;
        match model.set_optimizer(optimizer) {
            Err(Error::NotImplemented { .. }) => {
                let rule = format!("{} ({rule})", self.name);
                if !self.climb.not_implemented.contains(&rule) {
                    self.climb.not_implemented.push(rule);
                }
                Ok(false)
            }
            other => other.map(|()| true),
        }
    }

    fn title<'a>(&'a self, plan: &'a str, rung: Rung, arithmetic: &Arithmetic) -> Title<'a> {
        Title { plan, rung, left: ORACLE, right: self.name, step: None, unit_roundoff: arithmetic.unit_roundoff }
    }

    /// As they were given to it when it was made, and later.
    fn parameters(&mut self, model: &mut dyn Differentiable) -> Result<()> {
        let made = model.parameters()?;
        let other = made_up_gradients(&self.case.config, 0);
        model.set_parameters(&other)?;
        let set = model.parameters()?;
        let title = self.title("", Rung::Parameters, &model.arithmetic());
        let mut checks = Vec::new();
        for (given, has) in [(&self.case.parameters, &made), (&other, &set)] {
            checks.extend(equal_to_the_bit(&title, &given.cast(), &has.cast()));
        }
        self.climb.take(checks);
        Ok(())
    }

    /// Logits, loss and gradients, after another batch of another size, from which nothing may stay.
    fn passes(&mut self, model: &mut dyn Differentiable) -> Result<()> {
        self.reset(model)?;
        let expected = self.expect(model, &self.case.parameters, &self.case.batches[0])?;
        let checks = self.forward_and_backward(model, "", &expected)?;
        self.climb.undecided = expected.undecided;
        self.climb.take(checks);
        Ok(())
    }

    /// A bias that is no number must show in all logits, or be refused.
    fn not_a_number(&mut self, model: &mut dyn Differentiable) -> Result<()> {
        let mut parameters = self.case.parameters.clone();
        if let Some(first) = parameters.layers_mut().first_mut() {
            first.bias.fill(f32::NAN);
        }
        let images = self.case.batches[0].images();
        let shown = match model.set_parameters(&parameters).and_then(|()| model.logits(images)) {
            Ok(logits) => logits.iter().filter(|logit| logit.is_nan()).count() as f64 / logits.len() as f64,
            Err(_) => 1.0,
        };
        let title = self.title("NaN must show", Rung::Logits, &model.arithmetic());
        let check = title.element("logits", Vec::new(), [1.0, shown, 0.0], None, 0);
        self.climb.take(vec![check]);
        Ok(())
    }

    fn large_logits(&mut self, model: &mut dyn Differentiable) -> Result<()> {
        let mut parameters = self.case.parameters.clone();
        if let Some(output) = parameters.layers_mut().last_mut() {
            output.bias += LARGE_LOGITS;
        }
        model.set_parameters(&parameters)?;
        let expected = self.expect(model, &parameters, &self.case.batches[0])?;
        let checks = self.forward_and_backward(model, "large logits", &expected)?;
        self.climb.take(checks);
        Ok(())
    }

    fn expect(&self, model: &dyn Differentiable, parameters: &Parameters<f32>, batch: &Batch<f32>) -> Result<Expected> {
        Expected::new(&self.case.config, &parameters.cast(), &batch.cast(), &model.arithmetic())
    }

    fn forward_and_backward(&self, model: &dyn Differentiable, plan: &str, expected: &Expected) -> Result<Vec<Check>> {
        let batch = &self.case.batches[0];
        model.loss_and_gradients(&part(self.case.batches.last().unwrap_or(batch))?)?;
        let logits = model.logits(batch.images())?.mapv(f64::from);
        let (loss, gradients) = model.loss_and_gradients(batch)?;
        let title = self.title(plan, Rung::Logits, &model.arithmetic());
        Ok(judge::passes(&title, expected, Some(logits.view()), Some(f64::from(loss)), &tensors(&gradients)))
    }

    /// Every rule, from gradients that are given.
    fn updates(&mut self, model: &mut dyn Differentiable) -> Result<()> {
        for plan in every_plan() {
            if !self.reset_with(model, &plan.name, &plan.optimizer)? {
                continue;
            }
            let arithmetic = model.arithmetic();
            let mut follower = Follower::new(&self.case.config, &plan.optimizer, &arithmetic)?;
            let mut before = self.case.parameters.clone();
            for step in 0..UPDATES {
                let gradients = made_up_gradients(&self.case.config, step + 1);
                model.apply_gradients(&gradients, plan.learning_rate)?;
                let stepped = follower.step(&before.cast(), &Gradients::exact(gradients.cast()), plan.learning_rate)?;
                before = model.parameters()?;
                let title = Title { step: Some(step as usize), ..self.title(&plan.name, Rung::Update, &arithmetic) };
                let checks = stepped
                    .iter()
                    .zip(before.cast::<f64>().tensors())
                    .flat_map(|(one, (_, has))| one.checks(&title, has))
                    .collect::<Vec<_>>();
                self.climb.take(checks);
            }
        }
        Ok(())
    }

    /// `fit`, on a network that has already trained, against the same steps one by one, no two of which have the same learning
    /// rate.
    fn training_loop(&mut self, model: &mut dyn Differentiable) -> Result<()> {
        let Some(dataset) = &self.case.dataset else { return Ok(()) };
        let momentum = Optimizer::momentum(0.9);
        let optimizer = match self.reset_with(model, "momentum", &momentum)? {
            true => momentum,
            false => Optimizer::sgd(),
        };
        let batch_size = (dataset.len() * 2 / 7).max(1);
        self.reset(model)?;
        let (_, gradients) = model.loss_and_gradients(&dataset.batch(&[0]))?;
        let rate = modest_rate(&self.case.parameters, &gradients);
        let plan = TrainingConfig::builder()
            .optimizer(optimizer)
            .learning_rate(rate)
            .schedule(Schedule::OneCycle)
            .batch_size(batch_size)
            .epochs(2)
            .seed(1)
            .build()?;
        let (expected, losses) = self.step_by_step(model, dataset, &plan, |_, _, _| Ok(()))?;
        if losses.iter().any(|loss| !loss.is_finite()) || expected.first_non_finite().is_some() {
            // The steps diverge, and so may the loop.
            return Ok(());
        }
        model.set_optimizer(&optimizer)?;
        model.step(&self.case.batches[0], plan.learning_rate())?;
        model.set_parameters(&self.case.parameters)?;
        let history = match model.fit(dataset, &plan, &mut ()) {
            Err(Error::Diverged { .. }) => History::default(),
            history => history?,
        };
        let observed = model.parameters()?.cast::<f64>();
        // Who repeats itself to the bit must do so here.
        let is_exact =
            observed == expected || self.step_by_step(model, dataset, &plan, |_, _, _| Ok(()))?.0 == expected;
        let allowed = if is_exact { None } else { Some(self.allowed_after(model, dataset, &plan)?) };
        let arithmetic = model.arithmetic();
        let title = Title { left: "its own steps", ..self.title("", Rung::Loop, &arithmetic) };
        let mut checks = Vec::new();
        for (index, ((name, has), (_, expected))) in observed.tensors().zip(expected.tensors()).enumerate() {
            let zeros = ArrayD::zeros(expected.raw_dim());
            let allowed = allowed.as_ref().map_or(&zeros, |allowed| &allowed[index]).view();
            checks
                .push(title.check(&name, &Sides { expected, observed: has, allowed, worst_case: None, undecided: 0 }));
        }
        checks.reverse();
        for (epoch, loss) in losses.into_iter().enumerate() {
            let has = history.epochs.get(epoch).map_or(f64::NAN, |epoch| epoch.train_loss);
            let allowed = 64.0 * arithmetic.unit_roundoff * loss.abs();
            checks.push(title.element("loss", Vec::new(), [loss, has, allowed], None, 0));
        }
        self.climb.take(checks);
        Ok(())
    }

    /// Parameters and the mean loss of each epoch after the same steps; `before_each` sees the parameters, the batch and
    /// its learning rate.
    fn step_by_step(
        &self,
        model: &mut dyn Differentiable,
        dataset: &Dataset,
        plan: &TrainingConfig,
        mut before_each: impl FnMut(&dyn Differentiable, &Batch<f32>, f64) -> Result<()>,
    ) -> Result<(Parameters<f64>, Vec<f64>)> {
        model.set_parameters(&self.case.parameters)?;
        model.set_optimizer(plan.optimizer())?;
        let mut losses = Vec::new();
        for epoch in 1..=plan.epochs() {
            let mut sum = 0.0;
            let order = Dataset::epoch_order(plan.seed(), epoch, dataset.len());
            for (indices, rate) in Batches::of_epoch(plan, epoch, &order) {
                let batch = dataset.batch(indices);
                before_each(model, &batch, rate)?;
                sum += f64::from(model.step(&batch, rate)?) * indices.len() as f64;
            }
            losses.push(sum / dataset.len() as f64);
        }
        Ok((model.parameters()?.cast(), losses))
    }

    /// How far apart two runs of the same steps may be where a device does not repeat itself: what each step allows either of
    /// them. How a difference grows from step to step is of second order, and left out.
    fn allowed_after(
        &self,
        model: &mut dyn Differentiable,
        dataset: &Dataset,
        plan: &TrainingConfig,
    ) -> Result<Vec<ArrayD<f64>>> {
        let arithmetic = model.arithmetic();
        let mut follower = Follower::new(&self.case.config, plan.optimizer(), &arithmetic)?;
        let tensors = self.case.parameters.tensors();
        let mut allowed: Vec<ArrayD<f64>> = tensors.map(|(_, values)| ArrayD::zeros(values.raw_dim())).collect();
        self.step_by_step(model, dataset, plan, |model, batch, rate| {
            let before = model.parameters()?.cast();
            if let Some((_, stepped)) = self.expect_step(&mut follower, &before, &batch.cast(), rate, &arithmetic)? {
                allowed.iter_mut().zip(stepped).for_each(|(sum, stepped)| *sum += &(2.0 * stepped.allowed()));
            }
            Ok(())
        })?;
        Ok(allowed)
    }

    /// The loss and the parameters after a step; `None` if they are beyond what the participant can hold.
    fn expect_step(
        &self,
        follower: &mut Follower,
        before: &Parameters<f64>,
        batch: &Batch<f64>,
        learning_rate: f64,
        arithmetic: &Arithmetic,
    ) -> Result<Option<(Estimate, Vec<Stepped>)>> {
        let expected = Expected::new(&self.case.config, before, batch, arithmetic)?;
        if !expected.is_representable(arithmetic) {
            return Ok(None);
        }
        let loss = expected.loss.clone();
        Ok(Some((loss, follower.step(before, &Gradients::of(expected), learning_rate)?)))
    }

    /// `step`, each from the participant's own parameters.
    fn trajectories(&mut self, model: &mut dyn Differentiable) -> Result<()> {
        for plan in &self.case.plans {
            if self.reset_with(model, &plan.name, &plan.optimizer)? {
                let checks = self.trajectory(model, plan)?;
                self.climb.take(checks);
            }
        }
        Ok(())
    }

    fn trajectory(&self, model: &mut dyn Differentiable, plan: &Plan) -> Result<Vec<Check>> {
        let arithmetic = model.arithmetic();
        let mut follower = Follower::new(&self.case.config, &plan.optimizer, &arithmetic)?;
        let mut before = self.case.parameters.cast::<f64>();
        let mut checks = Vec::new();
        for (step, batch) in self.case.batches.iter().enumerate() {
            let title = Title { step: Some(step), ..self.title(&plan.name, Rung::Trajectory, &arithmetic) };
            // A rule that diverges cannot be followed further.
            let Some((expected_loss, stepped)) =
                self.expect_step(&mut follower, &before, &batch.cast(), plan.learning_rate, &arithmetic)?
            else {
                break;
            };
            let loss = model.step(batch, plan.learning_rate)?;
            before = model.parameters()?.cast();
            checks.push(scalar(&title, &expected_loss, f64::from(loss)));
            // From the output layer down, as in the gradients.
            let tensors: Vec<_> = stepped.iter().zip(before.tensors()).collect();
            checks.extend(tensors.into_iter().rev().flat_map(|(one, (_, has))| one.checks(&title, has)));
            if checks.iter().any(|check| !check.passed) {
                // What follows from a wrong step is no other mistake.
                break;
            }
        }
        Ok(checks)
    }
}

/// A little more than half of a batch.
fn part(batch: &Batch<f32>) -> Result<Batch<f32>> {
    let size = batch.len() / 2 + 1;
    Batch::new(
        batch.images().slice(s![..size.min(batch.len()), ..]).to_owned(),
        batch.labels()[..size.min(batch.len())].to_vec(),
    )
}

/// A learning rate of 0.01, or less where a step from these gradients would change a layer by more than a thousandth.
fn modest_rate(parameters: &Parameters<f32>, gradients: &Parameters<f32>) -> f64 {
    let largest = |layer: &Layer<f32>| {
        let values = layer.weight.iter().chain(&layer.bias);
        f64::from(values.fold(0.0_f32, |largest, value| largest.max(value.abs())))
    };
    let layers = parameters.layers().iter().zip(gradients.layers());
    let rates = layers.map(|(layer, gradient)| 1e-3 * largest(layer) / largest(gradient));
    rates.fold(0.01, f64::min)
}
