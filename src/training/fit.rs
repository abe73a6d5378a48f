//! The training loop, written once: which image comes when, what is counted, who is told, and what happens when the
//! loss is no longer a number. An implementation supplies the steps ([`Learner`]).

use std::time::{Duration, Instant};

use crate::metrics::{Epoch, History};
use crate::{BatchReport, Batches, Dataset, Differentiable, Error, Observer, Result, TrainingConfig};

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

/// Trains `model` as [`Classifier::fit`](crate::Classifier::fit) promises.
///
/// # Errors
///
/// As [`Classifier::fit`](crate::Classifier::fit).
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
