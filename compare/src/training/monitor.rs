//! What accompanies runs: observers, checkpoints, and what happens when one ends.

use std::fmt;

use mlp_parity::{Differentiable, Observer};

use super::checkpoint::Keeper;
use super::run::Run;
use crate::{NamedPlan, Result};

/// What tells one run from others.
#[derive(Clone, Copy, Debug)]
pub struct RunTitle<'a> {
    /// Its training configuration.
    pub plan: &'a NamedPlan,
    /// The implementation, and where there are several runs of it, which one.
    pub name: &'a str,
    /// Number of training images.
    pub images: usize,
    /// Epochs that were complete before, where runs are stored.
    pub complete: Option<usize>,
}

type Observe<'a> = dyn Fn(&RunTitle<'_>) -> Box<dyn Observer + 'a> + Sync + 'a;
type Ended<'a> = dyn Fn(&Run, &dyn Differentiable) -> Result<()> + Sync + 'a;

/// What accompanies runs, several of which may go on at the same time. By default nothing does.
pub struct Monitor<'a> {
    observe: Box<Observe<'a>>,
    ended: Box<Ended<'a>>,
    pub(super) checkpoints: Option<Keeper<'a>>,
}

impl Default for Monitor<'_> {
    fn default() -> Self {
        Self { observe: Box::new(|_| Box::new(())), ended: Box::new(|_, _| Ok(())), checkpoints: None }
    }
}

impl<'a> Monitor<'a> {
    /// Gives each run an observer of its own, which may end it.
    #[must_use]
    pub fn observe(self, observe: impl Fn(&RunTitle<'_>) -> Box<dyn Observer + 'a> + Sync + 'a) -> Self {
        Self { observe: Box::new(observe), ..self }
    }

    /// Stores each run after each epoch, and restores it before the first.
    #[must_use]
    pub fn store(self, checkpoints: Option<Keeper<'a>>) -> Self {
        Self { checkpoints, ..self }
    }

    /// Does this when a run has come to its end or was interrupted. An error ends all runs.
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
