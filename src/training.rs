//! The training loop, written once: which image comes when, what is counted, who is told, and what happens when the
//! loss is no longer a number. An implementation supplies the steps ([`Learner`]).

use std::ops::ControlFlow;
use std::ops::Range;
use std::slice::Chunks;
use std::time::{Duration, Instant};

use crate::metrics::{Epoch, History};
use crate::{Classifier, Dataset, Differentiable, Error, MlpConfig, Optimizer, Parameters, Result, TrainingConfig};

/// What the rule of an optimizer remembers between steps.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OptimizerState {
    /// Updates since the rule was set.
    pub steps: usize,
    /// By parameter: the velocity of momentum; the first and the second moment of Adam; nothing for SGD.
    pub moments: Vec<Parameters<f32>>,
}

impl OptimizerState {
    /// How many values a rule remembers for each parameter.
    pub fn moments_of(optimizer: &Optimizer) -> usize {
        match optimizer {
            Optimizer::Sgd { .. } => 0,
            Optimizer::Momentum { .. } => 1,
            Optimizer::Adam { .. } | Optimizer::AdamW { .. } => 2,
        }
    }

    /// `Ok` if it is that of this rule for this network.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] otherwise.
    pub fn check_fit(&self, optimizer: &Optimizer, config: &MlpConfig) -> Result<()> {
        Error::check_shape("the optimizer's state", &[Self::moments_of(optimizer)], &[self.moments.len()])?;
        self.moments.iter().try_for_each(|moments| moments.check_fit(config))
    }
}

/// One batch of a run, after its update.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchReport {
    /// Counted from 1.
    pub epoch: usize,
    /// Counted from 1 in each epoch.
    pub batch: usize,
    /// Batches in the epoch.
    pub batches: usize,
    /// Images in this batch.
    pub images: usize,
    /// Mean loss of the batch before its update.
    pub loss: f32,
}

/// Follows a run, and may end it: progress, records, early stopping and interrupts are observers.
pub trait Observer {
    /// A batch was trained. Where losses are read from a device in groups, so do these calls come. `Break` ends the run.
    fn batch_ended(&mut self, _: &BatchReport) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    /// An epoch is complete. `Break` ends the run.
    ///
    /// # Errors
    ///
    /// An error ends the run too, and becomes its error.
    fn epoch_ended(&mut self, _: &Epoch, _: &dyn Classifier) -> Result<ControlFlow<()>> {
        Ok(ControlFlow::Continue(()))
    }
}

/// Nobody watches.
impl Observer for () {}

/// Batches of a run, one after the other: the indices of the images of each, and its learning rate.
#[derive(Clone, Debug)]
pub struct Batches<'a> {
    plan: &'a TrainingConfig,
    order: &'a [usize],
    /// What comes after `order`.
    rest: &'a [usize],
    /// What is left of `order`.
    chunks: Chunks<'a, usize>,
    /// The step that the next batch is, counted from 0.
    step: usize,
    /// Steps of the whole run.
    steps: usize,
}

impl<'a> Batches<'a> {
    /// All batches of an epoch (from 1), whose [order](Dataset::epoch_order) this is.
    pub fn of_epoch(plan: &'a TrainingConfig, epoch: usize, order: &'a [usize]) -> Self {
        let chunks = order.chunks(plan.batch_size());
        let step = epoch.saturating_sub(1).saturating_mul(chunks.len());
        Self { plan, order, rest: &[], chunks, step, steps: plan.steps(order.len()) }
    }

    /// Some of them, by their position.
    fn part(&self, batches: Range<usize>) -> Self {
        let [start, end] = [batches.start, batches.end]
            .map(|batch| batch.saturating_mul(self.plan.batch_size()).min(self.order.len()));
        let (order, rest) = (&self.order[start..end], &self.order[end..]);
        let chunks = order.chunks(self.plan.batch_size());
        Self { order, rest, chunks, step: self.step + batches.start, ..self.clone() }
    }

    /// The images of the batch after the last of these, if it is of the same epoch: to be asked for in advance.
    pub fn following(&self) -> &'a [usize] {
        &self.rest[..self.rest.len().min(self.plan.batch_size())]
    }
}

impl<'a> Iterator for Batches<'a> {
    type Item = (&'a [usize], f64);

    fn next(&mut self) -> Option<Self::Item> {
        let indices = self.chunks.next()?;
        let learning_rate = self.plan.learning_rate_at(self.step, self.steps);
        self.step += 1;
        Some((indices, learning_rate))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.chunks.size_hint()
    }
}

impl ExactSizeIterator for Batches<'_> {}

/// What an implementation supplies to the training loop [`fit`].
pub trait Learner: Differentiable + Sized {
    /// Enough to come back to the present parameters and optimizer state. Who reads each loss at once, and makes no
    /// update from one that is not finite, has nothing to come back from: `()`.
    type Snapshot;

    /// In how many batches the losses are read once. A device that works ahead of the program wants many.
    const LOSSES_READ_TOGETHER: usize;

    /// One step on each batch, whose indices are those of images of `train`. Appends the loss of each, before its update.
    /// [`fit`] has checked that `train` fits the network; who calls this has to.
    ///
    /// # Errors
    ///
    /// What the device reports. A non-finite loss is no error here.
    fn train(&mut self, train: &Dataset, batches: Batches<'_>, losses: &mut Vec<f32>) -> Result<()>;

    /// Remembers parameters and optimizer state.
    fn snapshot(&self) -> Self::Snapshot;

    /// Goes back to them.
    fn restore(&mut self, snapshot: Self::Snapshot);
}

/// Trains `model` as [`Classifier::fit`] promises.
///
/// # Errors
///
/// As [`Classifier::fit`].
pub fn fit<M: Learner>(
    model: &mut M,
    train: &Dataset,
    plan: &TrainingConfig,
    observer: &mut dyn Observer,
) -> Result<History> {
    train.check_fit(model.config())?;
    let epochs = plan.epochs_to_train();
    if *epochs.start() == 1 {
        model.set_optimizer(plan.optimizer())?;
    }
    let mut history = History::default();
    for epoch in epochs.clone() {
        let order = Dataset::epoch_order(plan.seed(), epoch, train.len());
        let run = EpochRun { epoch, order: &order, train, plan };
        let Some((epoch, stop)) = run.complete(model, observer)? else {
            history.stopped = true;
            break;
        };
        history.epochs.push(epoch);
        if observer.epoch_ended(&epoch, model)?.is_break() || stop {
            history.stopped = epoch.epoch < *epochs.end();
            break;
        }
    }
    Ok(history)
}

struct EpochRun<'a> {
    epoch: usize,
    order: &'a [usize],
    train: &'a Dataset,
    plan: &'a TrainingConfig,
}

impl EpochRun<'_> {
    /// The finished epoch, and whether the observer ends the run with it; `None` if it ended it before.
    fn complete<M: Learner>(&self, model: &mut M, observer: &mut dyn Observer) -> Result<Option<(Epoch, bool)>> {
        let all = Batches::of_epoch(self.plan, self.epoch, self.order);
        let batches = all.len();
        let mut time = Duration::ZERO;
        let mut loss_sum = 0.0;
        let mut done = 0;
        let mut stop = false;
        let mut losses = Vec::with_capacity(M::LOSSES_READ_TOGETHER);
        while done < batches {
            let group = all.part(done..batches.min(done + M::LOSSES_READ_TOGETHER));
            let start = Instant::now();
            losses.clear();
            self.train_group(model, &group, done, &mut losses)?;
            time += start.elapsed();
            for (images, &loss) in group.map(|(indices, _)| indices.len()).zip(&losses) {
                done += 1;
                loss_sum += f64::from(loss) * images as f64;
                let report = BatchReport { epoch: self.epoch, batch: done, batches, images, loss };
                stop |= observer.batch_ended(&report).is_break();
            }
            if stop && done < batches {
                return Ok(None);
            }
        }
        if let Some((tensor, ..)) = model.parameters()?.first_non_finite() {
            return Err(Error::Diverged { epoch: self.epoch, batch: batches, tensor });
        }
        let train_loss = loss_sum / self.order.len() as f64;
        Ok(Some((Epoch { epoch: self.epoch, train_loss, seconds: time.as_secs_f64() }, stop)))
    }

    /// Trains on the batches of `group`; `done` were trained before. If a loss is not finite, goes back and trains
    /// again up to the batch where that happens, so that what is named is the cause and not its consequence.
    fn train_group<M: Learner>(
        &self,
        model: &mut M,
        group: &Batches<'_>,
        done: usize,
        losses: &mut Vec<f32>,
    ) -> Result<()> {
        let snapshot = model.snapshot();
        model.train(self.train, group.clone(), losses)?;
        let Some(broken) = losses.iter().position(|loss| !loss.is_finite()) else {
            return Ok(());
        };
        model.restore(snapshot);
        model.train(self.train, group.part(0..broken), &mut Vec::with_capacity(broken))?;
        let (indices, _) = group.clone().nth(broken).unwrap_or_default();
        let tensor = first_non_finite(model, self.train, indices)?;
        Err(Error::Diverged { epoch: self.epoch, batch: done + broken + 1, tensor })
    }
}

/// The first non-finite tensor on the way from the parameters to the loss of a batch.
fn first_non_finite(model: &impl Differentiable, train: &Dataset, indices: &[usize]) -> Result<String> {
    if let Some((name, ..)) = model.parameters()?.first_non_finite() {
        return Ok(name);
    }
    let logits = model.logits(train.batch(indices).images())?;
    let finite = logits.iter().all(|logit| logit.is_finite());
    Ok(if finite { "loss" } else { "logits" }.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_some_batches_is_the_next_one_of_the_epoch() {
        let plan = TrainingConfig::new(Optimizer::Sgd { weight_decay: 0.0 }, 0.1, 4, 1, 0).unwrap();
        let order: Vec<usize> = (0..10).collect();
        let all = Batches::of_epoch(&plan, 1, &order);
        let following = |batches| all.part(batches).following().to_vec();
        assert_eq!(following(0..1), [4, 5, 6, 7]);
        assert_eq!(following(0..2), [8, 9]);
        assert!(following(2..3).is_empty() && all.following().is_empty());
    }
}
