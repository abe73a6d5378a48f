//! Runs that are interrupted and go on later.

use std::path::{Path, PathBuf};

use mlp_parity::{Checkpoint, Differentiable, MlpConfig, Schedule};
use serde::{Deserialize, Serialize};

use crate::record::{DatasetRecord, EpochRecord};
use crate::{Error, Identity, NamedPlan, Result};

/// The file in a run's folder.
pub const CHECKPOINT: &str = "checkpoint.safetensors";

/// Where a run is kept after each epoch, and which run it is.
#[derive(Clone, Debug)]
pub struct Keeper<'a> {
    path: PathBuf,
    config: &'a MlpConfig,
    plan: &'a NamedPlan,
    run: Notes,
}

/// What stands in a checkpoint beside the run itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Notes {
    #[serde(flatten)]
    identity: Identity,
    dataset: DatasetRecord,
    epochs: Vec<EpochRecord>,
}

impl<'a> Keeper<'a> {
    /// In this folder.
    pub fn new(
        folder: &Path,
        config: &'a MlpConfig,
        plan: &'a NamedPlan,
        identity: &Identity,
        dataset: &DatasetRecord,
    ) -> Self {
        let run = Notes { identity: identity.clone(), dataset: dataset.clone(), epochs: Vec::new() };
        Self { path: folder.join(CHECKPOINT), config, plan, run }
    }

    /// Shows that no run has begun here.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] if one has.
    pub fn check_is_free(&self) -> Result<()> {
        match self.path.exists() {
            true => Err(Error::Usage(format!(
                "{} is there already; --resume goes on with it, or choose another folder",
                self.path.display()
            ))),
            false => Ok(()),
        }
    }

    /// Takes a network to where the run was, and returns the epochs that are complete; none if there is no checkpoint.
    ///
    /// # Errors
    ///
    /// [`Error::Contract`] if the checkpoint cannot be read or is damaged, [`Error::Records`] if it is of another run.
    pub fn restore(&self, model: &mut dyn Differentiable) -> Result<Vec<EpochRecord>> {
        if !self.path.exists() {
            return Ok(Vec::new());
        }
        let checkpoint = Checkpoint::load(&self.path)?;
        let notes: Notes = serde_json::from_value(checkpoint.notes.clone())
            .map_err(|error| self.refused(format!("does not say whose run it is ({error})")))?;
        if let Some((what, was, is)) = self.difference(&checkpoint, &notes) {
            return Err(self.refused(format!("is of another run: {what} {was}, and now {is}; choose another folder")));
        }
        if notes.epochs.len() != checkpoint.epochs {
            return Err(self.refused(format!("has {} epochs and tells of {}", checkpoint.epochs, notes.epochs.len())));
        }
        model.set_parameters(&checkpoint.parameters)?;
        model.set_optimizer(checkpoint.plan.optimizer())?;
        model.set_optimizer_state(&checkpoint.optimizer)?;
        Ok(notes.epochs)
    }

    /// Writes a checkpoint after these epochs.
    ///
    /// # Errors
    ///
    /// [`Error::Contract`] if it cannot be written, or the implementation cannot tell what its optimizer remembers.
    pub fn keep(&self, epochs: &[EpochRecord], model: &dyn Differentiable) -> Result<()> {
        let notes = Notes { epochs: epochs.to_vec(), ..self.run.clone() };
        let checkpoint = Checkpoint {
            config: self.config.clone(),
            plan: self.plan.plan,
            epochs: epochs.len(),
            parameters: model.parameters()?,
            optimizer: model.optimizer_state()?,
            notes: serde_json::to_value(notes).map_err(|error| self.refused(error.to_string()))?,
        };
        Ok(checkpoint.save(&self.path)?)
    }

    /// What is not as it was: what, how it was, how it is.
    fn difference(&self, checkpoint: &Checkpoint, notes: &Notes) -> Option<(&'static str, String, String)> {
        let (was, is) = (&checkpoint.plan, &self.plan.plan);
        // Where the learning rate does not know the end, a run may become longer.
        let is_longer = is.schedule() == Schedule::Constant && is.epochs() >= checkpoint.epochs;
        let was = if is_longer { was.with_epochs(is.epochs()) } else { *was };
        let json = |plan| serde_json::to_string(plan).unwrap_or_default();
        let pairs = [
            ("the implementation was", notes.identity.to_string(), self.run.identity.to_string()),
            ("the network was", checkpoint.config.to_string(), self.config.to_string()),
            ("the plan was", json(&was), json(is)),
            ("the data were", describe(&notes.dataset), describe(&self.run.dataset)),
        ];
        pairs.into_iter().find(|(_, was, is)| was != is)
    }

    fn refused(&self, reason: String) -> Error {
        Error::Records(format!("{} {reason}", self.path.display()))
    }
}

/// But for where they come from.
fn describe(DatasetRecord { digest, train, test, .. }: &DatasetRecord) -> String {
    format!("{train} and {test} images of {digest}")
}
