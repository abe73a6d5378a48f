//! One candidate, trained under one training.

use std::ops::ControlFlow;

use mlp_parity::metrics::{self, Epoch, Evaluation};
use mlp_parity::{BatchReport, Classifier, Dataset, Differentiable, Observer};

use super::checkpoint::CompletedEpochs;
use super::monitor::{Monitor, RunTitle};
use super::run::Run;
use crate::record::{EpochRecord, RunRecord};
use crate::{Error, Identity, NamedTraining, Result};

/// What is needed to train a candidate.
#[derive(Clone, Copy, Debug)]
pub struct Trial<'a> {
    /// The training.
    pub training: &'a NamedTraining,
    /// The images to train with.
    pub train: &'a Dataset,
    /// The images to test with.
    pub test: &'a Dataset,
    /// Whether to test after each epoch, or after the last alone.
    pub test_each_epoch: bool,
}

impl Trial<'_> {
    /// Trains the model; a run that was stored goes on where it was.
    ///
    /// # Errors
    ///
    /// [`Error::Run`] with what the candidate reports.
    pub fn run(
        &self,
        model: &mut dyn Differentiable,
        identity: &Identity,
        name: &str,
        monitor: &Monitor<'_>,
    ) -> Result<Run> {
        let failed = |source| self.failed(name, source);
        let store = monitor.checkpoints;
        let earlier = store.map(|store| store.restore(self.training, name, model)).transpose()?;
        let complete = earlier.as_ref().map(|earlier| earlier.epochs);
        let title = RunTitle { training: self.training, name, images: self.train.len(), complete };
        let CompletedEpochs { epochs, records } = earlier.unwrap_or_default();
        let observer = monitor.observer(&title);
        let mut follower = Follower { trial: self, epochs: records, evaluation: None, observer, broke: false };
        let Some(store) = store else {
            let history = model.fit(self.train, &self.training.config, &mut follower).map_err(failed)?;
            return self.ended(follower, history.stopped, model, identity, name);
        };
        let last = self.training.config.epochs();
        let mut stopped = false;
        for epoch in epochs + 1..=last {
            let part = self.training.config.part(epoch..=epoch);
            stopped = model.fit(self.train, &part, &mut follower).map_err(failed)?.stopped;
            if !stopped {
                store.keep(
                    self.training,
                    name,
                    &CompletedEpochs { epochs: epoch, records: follower.epochs.clone() },
                    model,
                )?;
                stopped = epoch < last && follower.broke;
            }
            if stopped {
                break;
            }
        }
        self.ended(follower, stopped, model, identity, name)
    }

    fn ended(
        &self,
        follower: Follower<'_>,
        stopped: bool,
        model: &dyn Differentiable,
        identity: &Identity,
        name: &str,
    ) -> Result<Run> {
        let Follower { epochs, evaluation, observer, .. } = follower;
        drop(observer);
        let evaluation = match evaluation {
            // All epochs were complete earlier.
            None if !stopped && !epochs.is_empty() => {
                Some(model.evaluate(self.test).map_err(|source| self.failed(name, source))?)
            }
            other => other,
        };
        let confusion = evaluation.as_ref().map(|evaluation: &Evaluation| {
            let classes = model.config().classes();
            metrics::confusion_matrix(&evaluation.predictions, self.test.labels(), classes)
        });
        let record = RunRecord::new(self.training, identity, epochs, confusion.as_ref(), !stopped);
        Ok(Run { record, evaluation, stopped })
    }

    fn failed(&self, name: &str, source: mlp_parity::Error) -> Error {
        Error::Run { candidate: name.to_owned(), training: self.training.name.clone(), source }
    }
}

/// Evaluates each epoch, tells the run's observer, and ends the run when that wants it.
struct Follower<'a> {
    trial: &'a Trial<'a>,
    epochs: Vec<EpochRecord>,
    evaluation: Option<Evaluation>,
    observer: Box<dyn Observer + 'a>,
    /// Whether the observer wants the run to end.
    broke: bool,
}

impl Observer for Follower<'_> {
    fn batch_ended(&mut self, report: &BatchReport) -> ControlFlow<()> {
        let flow = self.observer.batch_ended(report);
        self.broke |= flow.is_break();
        flow
    }

    fn epoch_ended(&mut self, epoch: &Epoch, model: &dyn Classifier) -> mlp_parity::Result<ControlFlow<()>> {
        if epoch.epoch == self.trial.training.config.epochs() || self.trial.test_each_epoch {
            let evaluation = model.evaluate(self.trial.test)?;
            self.observer.epoch_tested(epoch, &evaluation);
            self.epochs.push(EpochRecord::new(epoch, &evaluation));
            self.evaluation = Some(evaluation);
        }
        let flow = self.observer.epoch_ended(epoch, model)?;
        self.broke |= flow.is_break();
        Ok(flow)
    }
}
