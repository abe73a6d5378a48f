//! Observation of training runs: observers, checkpoints and a callback at the end of each run.

use std::fmt;

use mlp_parity::{Differentiable, Observer};

use super::checkpoint::CheckpointStore;
use super::run::Run;
use crate::{NamedTraining, Result};

/// Identifies a training run to its observer.
#[derive(Clone, Copy, Debug)]
pub struct RunTitle<'a> {
    /// The training configuration.
    pub training: &'a NamedTraining,
    /// Name of the candidate; for a [control](super::control) replica, with its number (`scratch replica 2`), and with
    /// several seeds, with the seed (`scratch seed 5`).
    pub name: &'a str,
    /// Number of training images.
    pub images: usize,
    /// Number of epochs that were restored from a checkpoint, 0 if there was none; `None` without a checkpoint store.
    pub restored_epochs: Option<usize>,
}

/// Function that creates the observer of a training run.
type CreateObserver<'a> = dyn Fn(&RunTitle<'_>) -> Box<dyn Observer + 'a> + Sync + 'a;
/// Function that is called with the result and the trained network at the end of a run.
type RunEnded<'a> = dyn Fn(&Run, &dyn Differentiable) -> Result<()> + Sync + 'a;

/// Function that is called with true before the first run starts, and with false when no run is active any more.
type TrainingChanged<'a> = dyn Fn(bool) + Sync + 'a;

/// Observers, checkpoint store and callbacks for the training runs of a comparison.
///
/// Runs may take place on several threads at the same time. The default monitor observes and stores nothing.
pub struct Monitor<'a> {
    create_observer: Box<CreateObserver<'a>>,
    run_ended: Box<RunEnded<'a>>,
    interrupted: Box<dyn Fn() -> bool + Sync + 'a>,
    training_changed: Box<TrainingChanged<'a>>,
    pub(super) checkpoints: Option<CheckpointStore<'a>>,
}

impl Default for Monitor<'_> {
    fn default() -> Self {
        Self {
            create_observer: Box::new(|_| Box::new(())),
            run_ended: Box::new(|_, _| Ok(())),
            interrupted: Box::new(|| false),
            training_changed: Box::new(|_| ()),
            checkpoints: None,
        }
    }
}

impl<'a> Monitor<'a> {
    /// Sets the function that creates an observer for each run. The observer may stop the run.
    #[must_use]
    pub fn with_observer(self, create: impl Fn(&RunTitle<'_>) -> Box<dyn Observer + 'a> + Sync + 'a) -> Self {
        Self { create_observer: Box::new(create), ..self }
    }

    /// Sets the checkpoint store: each run is restored from its checkpoint, if there is one, and stored after each
    /// epoch.
    #[must_use]
    pub fn with_checkpoints(self, checkpoints: Option<CheckpointStore<'a>>) -> Self {
        Self { checkpoints, ..self }
    }

    /// Sets the function that is called when a candidate's run is complete or was stopped; not called for control
    /// replicas. If it returns an error, no further run starts.
    #[must_use]
    pub fn on_run_end(self, callback: impl Fn(&Run, &dyn Differentiable) -> Result<()> + Sync + 'a) -> Self {
        Self { run_ended: Box::new(callback), ..self }
    }

    /// Sets the function that returns true to prevent further runs from starting. The verdict is then
    /// [`Interrupted`](crate::Verdict::Interrupted), even if the runs that were active became complete.
    #[must_use]
    pub fn with_interrupt(self, interrupted: impl Fn() -> bool + Sync + 'a) -> Self {
        Self { interrupted: Box::new(interrupted), ..self }
    }

    /// Sets the function that [`Comparison::run`](super::Comparison::run) calls with true between the check suite and
    /// the first training run, and with false between the last training run and the comparison of the networks.
    #[must_use]
    pub fn on_training(self, callback: impl Fn(bool) + Sync + 'a) -> Self {
        Self { training_changed: Box::new(callback), ..self }
    }

    pub(super) fn interrupted(&self) -> bool {
        (self.interrupted)()
    }

    pub(super) fn training_changed(&self, is_training: bool) {
        (self.training_changed)(is_training);
    }

    pub(super) fn observer(&self, title: &RunTitle<'_>) -> Box<dyn Observer + 'a> {
        (self.create_observer)(title)
    }

    pub(super) fn run_ended(&self, run: &Run, model: &dyn Differentiable) -> Result<()> {
        (self.run_ended)(run, model)
    }
}

impl fmt::Debug for Monitor<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Monitor").field("checkpoints", &self.checkpoints).finish_non_exhaustive()
    }
}
