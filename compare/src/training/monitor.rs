//! Observers, checkpoint store and callbacks of runs.

use std::fmt;

use mlp_parity::{Differentiable, Observer};

use super::checkpoint::CheckpointStore;
use super::run::Run;
use crate::{NamedTraining, Result};

/// Identifies a run.
#[derive(Clone, Copy, Debug)]
pub struct RunTitle<'a> {
    /// The training configuration.
    pub training: &'a NamedTraining,
    /// The implementation, with the number of the control replica or the seed where there are several runs.
    pub name: &'a str,
    /// Number of training images.
    pub images: usize,
    /// Number of epochs restored from a checkpoint; `None` without a checkpoint store.
    pub complete: Option<usize>,
}

type Observe<'a> = dyn Fn(&RunTitle<'_>) -> Box<dyn Observer + 'a> + Sync + 'a;
type Ended<'a> = dyn Fn(&Run, &dyn Differentiable) -> Result<()> + Sync + 'a;

/// Observers, checkpoint store and callbacks of runs, several of which may go on at the same time. The default has none.
pub struct Monitor<'a> {
    observe: Box<Observe<'a>>,
    ended: Box<Ended<'a>>,
    pub(super) checkpoints: Option<CheckpointStore<'a>>,
}

impl Default for Monitor<'_> {
    fn default() -> Self {
        Self { observe: Box::new(|_| Box::new(())), ended: Box::new(|_, _| Ok(())), checkpoints: None }
    }
}

impl<'a> Monitor<'a> {
    /// Creates an observer for each run, which may end the run.
    #[must_use]
    pub fn observe(self, observe: impl Fn(&RunTitle<'_>) -> Box<dyn Observer + 'a> + Sync + 'a) -> Self {
        Self { observe: Box::new(observe), ..self }
    }

    /// Restores each run before its first epoch, and stores it after each epoch.
    #[must_use]
    pub fn store(self, checkpoints: Option<CheckpointStore<'a>>) -> Self {
        Self { checkpoints, ..self }
    }

    /// Calls this when a run has ended or was interrupted. An error ends all runs.
    #[must_use]
    pub fn when_ended(self, ended: impl Fn(&Run, &dyn Differentiable) -> Result<()> + Sync + 'a) -> Self {
        Self { ended: Box::new(ended), ..self }
    }

    pub(super) fn observer(&self, title: &RunTitle<'_>) -> Box<dyn Observer + 'a> {
        (self.observe)(title)
    }

    pub(super) fn run_ended(&self, run: &Run, model: &dyn Differentiable) -> Result<()> {
        (self.ended)(run, model)
    }
}

impl fmt::Debug for Monitor<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Monitor").field("checkpoints", &self.checkpoints).finish_non_exhaustive()
    }
}
