//! Runs that are interrupted and go on later: a file for each.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use mlp_parity::{Checkpoint, Differentiable, MlpConfig, SafetensorsFile, Schedule, TrainingConfig};
use serde::{Deserialize, Serialize};

use crate::record::{DatasetRecord, EpochRecord};
use crate::{Error, NamedTraining, Result};

/// What the files' names end with.
const SUFFIX: &str = "checkpoint.safetensors";

/// How far a run has come.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CompletedEpochs {
    /// Complete epochs.
    pub epochs: usize,
    /// The figures of those that were tested.
    pub records: Vec<EpochRecord>,
}

/// Where runs are kept after each epoch, and on what they go.
#[derive(Clone, Copy, Debug)]
pub struct CheckpointStore<'a> {
    /// The folder.
    pub folder: &'a Path,
    /// Whether to go on with what is there.
    pub resumes: bool,
    /// The network.
    pub config: &'a MlpConfig,
    /// The data.
    pub dataset: &'a DatasetRecord,
}

/// What stands in a checkpoint beside the run itself.
#[derive(Serialize, Deserialize)]
struct Notes {
    name: String,
    dataset: DatasetRecord,
    #[serde(flatten)]
    completed: CompletedEpochs,
}

impl CheckpointStore<'_> {
    /// The file of a run: `PLAN.NAME.checkpoint.safetensors`.
    fn path(&self, training: &NamedTraining, name: &str) -> PathBuf {
        self.folder.join(format!("{}.{name}.{SUFFIX}", training.name).replace(['/', ' '], "-"))
    }

    /// The trainings under which this candidate has a checkpoint here, in the order of the alphabet.
    pub fn trainings_of(&self, name: &str) -> Vec<String> {
        let end = format!(".{name}.{SUFFIX}").replace(['/', ' '], "-");
        let files = std::fs::read_dir(self.folder).into_iter().flatten().flatten();
        let names = files.filter_map(|file| file.file_name().into_string().ok());
        let mut trainings: Vec<String> = names.filter_map(|file| file.strip_suffix(&end).map(str::to_owned)).collect();
        trainings.sort_unstable();
        trainings
    }

    /// Takes a network to where its run was, and says how far that is. Without a checkpoint, it begins.
    ///
    /// # Errors
    ///
    /// [`Error::Records`] if the checkpoint cannot be read, is damaged or of another run, [`Error::UnfinishedRun`] if it would be
    /// lost because nobody asked to go on with it.
    pub fn restore(
        &self,
        training: &NamedTraining,
        name: &str,
        model: &mut dyn Differentiable,
    ) -> Result<CompletedEpochs> {
        let path = self.path(training, name);
        if !path.exists() {
            return Ok(CompletedEpochs::default());
        }
        let advised = |error| Error::Records(format!("{error}; remove it to begin again, or choose another folder"));
        let checkpoint = Checkpoint::load(&path).map_err(advised)?;
        let total = checkpoint.training.epochs();
        if !self.resumes {
            return match checkpoint.epochs == total {
                true => Ok(CompletedEpochs::default()),
                false => Err(Error::UnfinishedRun { path, epochs: checkpoint.epochs, total }),
            };
        }
        let refused = |reason: String| Error::Records(format!("{} {reason}", path.display()));
        let notes: Notes = serde_json::from_value(checkpoint.notes.clone())
            .map_err(|error| refused(format!("does not say whose run it is ({error})")))?;
        if let Some((what, was, is)) = self.difference(&checkpoint, &notes, training, name) {
            return Err(refused(format!("is of another run: {what} {was}, and now {is}; choose another folder")));
        }
        if notes.completed.epochs != checkpoint.epochs {
            return Err(refused(format!("has {} epochs and tells of {}", checkpoint.epochs, notes.completed.epochs)));
        }
        model.set_parameters(&checkpoint.parameters)?;
        model.set_optimizer(checkpoint.training.optimizer())?;
        model.set_optimizer_state(&checkpoint.optimizer)?;
        Ok(notes.completed)
    }

    /// Writes a checkpoint of a run that has come so far.
    ///
    /// # Errors
    ///
    /// [`Error::Contract`] if it cannot be written, or the implementation cannot tell what its optimizer remembers.
    pub fn keep(
        &self,
        training: &NamedTraining,
        name: &str,
        completed: &CompletedEpochs,
        model: &dyn Differentiable,
    ) -> Result<()> {
        let path = self.path(training, name);
        let notes = Notes { name: name.to_owned(), dataset: self.dataset.clone(), completed: completed.clone() };
        let notes =
            serde_json::to_value(notes).map_err(|error| Error::Records(format!("{}: {error}", path.display())))?;
        let checkpoint = Checkpoint {
            config: self.config.clone(),
            training: training.config,
            epochs: completed.epochs,
            parameters: model.parameters()?,
            optimizer: model.optimizer_state()?,
            notes,
        };
        Ok(checkpoint.save(&path)?)
    }

    /// What is not as it was: what, how it was, how it is.
    fn difference(
        &self,
        checkpoint: &Checkpoint,
        notes: &Notes,
        training: &NamedTraining,
        name: &str,
    ) -> Option<(&'static str, String, String)> {
        let (was, is) = (&checkpoint.training, &training.config);
        // Where the learning rate does not know the end, a run may become longer.
        let is_longer = is.schedule() == Schedule::Constant && is.epochs() >= checkpoint.epochs;
        let was = if is_longer { was.with_epochs(is.epochs()) } else { *was };
        let json = |training: &TrainingConfig| serde_json::to_string(training).unwrap_or_default();
        let (images, now) = (&notes.dataset, self.dataset);
        let pair = |what, was: &dyn Display, is: &dyn Display| (what, was.to_string(), is.to_string());
        let pairs = [
            pair("the network was", &checkpoint.config, self.config),
            pair("the optimizer was", was.optimizer(), is.optimizer()),
            pair("the learning rate was", &was.learning_rate(), &is.learning_rate()),
            pair("its schedule was", &was.schedule(), &is.schedule()),
            pair("the batch size was", &was.batch_size(), &is.batch_size()),
            pair("the number of epochs was", &was.epochs(), &is.epochs()),
            pair("the seed was", &was.seed(), &is.seed()),
            // What those above leave out.
            pair("the training was", &json(&was), &json(is)),
            pair("the number of training images was", &images.train, &now.train),
            pair("the number of test images was", &images.test, &now.test),
            pair("the data were", &images.digest, &now.digest),
            pair("it was by", &notes.name, &name),
        ];
        pairs.into_iter().find(|(_, was, is)| was != is)
    }
}
