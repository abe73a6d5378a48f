//! One participant, trained under one plan.

use std::ops::ControlFlow;

use mlp_parity::BatchReport;
use mlp_parity::metrics::{self, Epoch, Evaluation};
use mlp_parity::{Classifier, Dataset, Differentiable, Observer, TrainingConfig};
use serde::{Deserialize, Serialize};

use crate::record::{EpochRecord, RunRecord};
use crate::{Error, Identity, Result};

/// A plan and what it is called.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NamedPlan {
    /// `from-scratch`, `framework`, `custom`.
    pub name: String,
    /// The plan.
    #[serde(flatten)]
    pub plan: TrainingConfig,
}

impl NamedPlan {
    /// The run with the `index`-th seed, counted from 0 on, beginning with the plan's own.
    pub fn with_seed(&self, index: usize) -> Self {
        let seed = self.plan.seed().wrapping_add(index as u64);
        Self { name: self.name.clone(), plan: self.plan.with_seed(seed) }
    }
}

/// How far a run has come.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SoFar {
    /// Complete epochs.
    pub epochs: usize,
    /// The figures of those that were tested.
    pub records: Vec<EpochRecord>,
}

/// Watches runs; several may go on side by side.
pub trait Watcher: Sync {
    /// A run begins.
    fn run_begins(&self, plan: &NamedPlan, name: &str, images: usize) -> Box<dyn RunWatcher + '_>;

    /// A participant has come to the end of a run, or was interrupted.
    ///
    /// # Errors
    ///
    /// An error ends all runs.
    fn run_ended(&self, _: &Run, _: &dyn Differentiable) -> Result<()> {
        Ok(())
    }

    /// Takes a network to where its run was when it was last kept, and says how far that was; nowhere if it begins. `None` where
    /// runs are not kept.
    ///
    /// # Errors
    ///
    /// An error ends all runs.
    fn restore(&self, _: &NamedPlan, _: &str, _: &mut dyn Differentiable) -> Result<Option<SoFar>> {
        Ok(None)
    }

    /// Keeps a run after an epoch.
    ///
    /// # Errors
    ///
    /// An error ends all runs.
    fn keep(&self, _: &NamedPlan, _: &str, _: &SoFar, _: &dyn Differentiable) -> Result<()> {
        Ok(())
    }

    /// Whether the user wants the program to end.
    fn interrupted(&self) -> bool {
        false
    }
}

/// Watches one run.
pub trait RunWatcher {
    /// A batch was trained.
    fn batch_ended(&mut self, report: &BatchReport);

    /// An epoch was trained and tested.
    fn epoch_ended(&mut self, epoch: &EpochRecord);
}

/// Nobody watches.
impl Watcher for () {
    fn run_begins(&self, _: &NamedPlan, _: &str, _: usize) -> Box<dyn RunWatcher + '_> {
        Box::new(())
    }
}

impl RunWatcher for () {
    fn batch_ended(&mut self, _: &BatchReport) {}

    fn epoch_ended(&mut self, _: &EpochRecord) {}
}

/// What is needed to train a participant.
#[derive(Clone, Copy, Debug)]
pub struct Trial<'a> {
    /// The plan.
    pub plan: &'a NamedPlan,
    /// The images to train with.
    pub train: &'a Dataset,
    /// The images to test with.
    pub test: &'a Dataset,
    /// Whether to test after each epoch, or after the last alone.
    pub test_each_epoch: bool,
}

/// A run that came to its end, or was interrupted.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its figures.
    pub record: RunRecord,
    /// On the test images, after the last complete epoch.
    pub evaluation: Option<Evaluation>,
    /// Whether it was interrupted.
    pub stopped: bool,
}

impl Trial<'_> {
    /// Trains the model.
    ///
    /// # Errors
    ///
    /// [`Error::Run`] with what the participant reports.
    pub fn run(
        &self,
        model: &mut dyn Differentiable,
        identity: &Identity,
        name: &str,
        watcher: &dyn Watcher,
    ) -> Result<Run> {
        let failed = |source| self.failed(name, source);
        let earlier = watcher.restore(self.plan, name, model)?;
        let is_kept = earlier.is_some();
        let SoFar { epochs, records } = earlier.unwrap_or_default();
        let mut follower = self.follower(records, name, watcher);
        if !is_kept {
            let history = model.fit(self.train, &self.plan.plan, &mut follower).map_err(failed)?;
            return self.ended(follower, history.stopped, model, identity, name);
        }
        let last = self.plan.plan.epochs();
        let mut stopped = false;
        for epoch in epochs + 1..=last {
            let part = self.plan.plan.part(epoch..=epoch);
            stopped = model.fit(self.train, &part, &mut follower).map_err(failed)?.stopped;
            if !stopped {
                watcher.keep(self.plan, name, &SoFar { epochs: epoch, records: follower.epochs.clone() }, model)?;
                stopped = epoch < last && watcher.interrupted();
            }
            if stopped {
                break;
            }
        }
        self.ended(follower, stopped, model, identity, name)
    }

    fn follower<'a>(&'a self, epochs: Vec<EpochRecord>, name: &str, watcher: &'a dyn Watcher) -> Follower<'a> {
        let run = watcher.run_begins(self.plan, name, self.train.len());
        Follower { trial: self, epochs, evaluation: None, watcher, run }
    }

    fn ended(
        &self,
        follower: Follower<'_>,
        stopped: bool,
        model: &dyn Differentiable,
        identity: &Identity,
        name: &str,
    ) -> Result<Run> {
        let Follower { epochs, evaluation, run, .. } = follower;
        drop(run);
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
        let record = RunRecord::new(self.plan, identity, epochs, confusion.as_ref(), !stopped);
        Ok(Run { record, evaluation, stopped })
    }

    fn failed(&self, name: &str, source: mlp_parity::Error) -> Error {
        Error::Run { participant: name.to_owned(), plan: self.plan.name.clone(), source }
    }
}

/// Evaluates each epoch, tells the watcher, and ends the run when the user wants it.
struct Follower<'a> {
    trial: &'a Trial<'a>,
    epochs: Vec<EpochRecord>,
    evaluation: Option<Evaluation>,
    watcher: &'a dyn Watcher,
    run: Box<dyn RunWatcher + 'a>,
}

impl Follower<'_> {
    fn proceed(&self) -> ControlFlow<()> {
        if self.watcher.interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

impl Observer for Follower<'_> {
    fn batch_ended(&mut self, report: &BatchReport) -> ControlFlow<()> {
        self.run.batch_ended(report);
        self.proceed()
    }

    fn epoch_ended(&mut self, epoch: &Epoch, model: &dyn Classifier) -> mlp_parity::Result<ControlFlow<()>> {
        if epoch.epoch < self.trial.plan.plan.epochs() && !self.trial.test_each_epoch {
            return Ok(self.proceed());
        }
        let evaluation = model.evaluate(self.trial.test)?;
        let record = EpochRecord::new(epoch, &evaluation);
        self.run.epoch_ended(&record);
        self.epochs.push(record);
        self.evaluation = Some(evaluation);
        Ok(self.proceed())
    }
}
