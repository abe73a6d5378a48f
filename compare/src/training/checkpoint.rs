//! Checkpoints of training runs: one file per run, from which an interrupted run is resumed.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use mlp_parity::{Checkpoint, Differentiable, MlpConfig, SafetensorsFile, Schedule, TrainingConfig};
use serde::{Deserialize, Serialize};

use crate::record::{DatasetRecord, EpochRecord, check_epochs};
use crate::{Error, Identity, NamedTraining, Result};

/// The completed epochs of a training run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CompletedEpochs {
    /// Number of completed epochs.
    pub epochs: usize,
    /// Losses, accuracies and times of those epochs after which the network was tested.
    pub records: Vec<EpochRecord>,
}

/// A folder of checkpoints, one file per run, for a given network shape and data set.
#[derive(Clone, Copy, Debug)]
pub struct CheckpointStore<'a> {
    /// The folder, which must exist.
    pub folder: &'a Path,
    /// True to continue runs from their checkpoints; false to reject runs that have a checkpoint.
    pub resume: bool,
    /// True to accept checkpoints that another version of the program, or another machine, wrote.
    pub allow_mixed: bool,
    /// Shape of the network.
    pub config: &'a MlpConfig,
    /// The data set.
    pub dataset: &'a DatasetRecord,
}

/// The program and the hardware that computed a checkpoint. Elsewhere, the same training gives other rounding errors.
#[derive(Serialize, Deserialize)]
struct Origin {
    /// Version of this crate.
    version: String,
    /// Architecture and instruction set of the processor, such as `x86_64 avx2`.
    processor: String,
    /// Name of the device that the implementation computes on, such as `cpu`.
    device: String,
}

impl Origin {
    /// Returns the origin of a checkpoint that this process writes for a candidate.
    fn current(candidate: &Identity) -> Self {
        let instruction_set = mlp_parity_scratch::kernels::instruction_set().unwrap_or("unknown");
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            processor: format!("{} {instruction_set}", std::env::consts::ARCH),
            device: candidate.device.clone(),
        }
    }

    /// Returns the first property in which two origins differ, with its values; `None` if they are equal.
    fn difference(self, other: Self) -> Option<(&'static str, String, String)> {
        let pairs = [
            ("version of the program", self.version, other.version),
            ("processor", self.processor, other.processor),
            ("device", self.device, other.device),
        ];
        pairs.into_iter().find(|(_, first, second)| first != second)
    }
}

/// The [notes](Checkpoint::notes) that this program stores in a checkpoint: the candidate, the data set and the results
/// so far.
#[derive(Serialize, Deserialize)]
struct Notes {
    /// Name of the candidate, with the number of a control replica (`scratch replica 2`) or, if there are several
    /// seeds, the seed (`scratch seed 5`).
    name: String,
    /// The data set of the run.
    dataset: DatasetRecord,
    origin: Origin,
    #[serde(flatten)]
    completed: CompletedEpochs,
}

/// Returns the data set of the run that a checkpoint belongs to; `None` if another program wrote the checkpoint.
pub fn checkpoint_dataset(checkpoint: &Checkpoint) -> Option<DatasetRecord> {
    serde_json::from_value(checkpoint.notes.clone()).ok().map(|Notes { dataset, .. }| dataset)
}

impl CheckpointStore<'_> {
    /// Ending of the file names of all checkpoints.
    const SUFFIX: &'static str = "checkpoint.safetensors";

    /// Returns the path of a run's checkpoint, `TRAINING.NAME.checkpoint.safetensors`, with slashes and spaces replaced
    /// by dashes.
    fn path(&self, training: &NamedTraining, name: &str) -> PathBuf {
        self.folder.join(format!("{}.{name}.{}", training.name, Self::SUFFIX).replace(['/', ' '], "-"))
    }

    /// Returns true if a file of this name may be the checkpoint of a run.
    pub fn is_checkpoint(name: &str) -> bool {
        name.ends_with(&format!(".{}", Self::SUFFIX))
    }

    /// Returns the names of the training configurations for which the candidate `name` has a checkpoint in this folder,
    /// in alphabetical order. A folder that cannot be read has none.
    pub fn trainings_with_checkpoint(&self, name: &str) -> Vec<String> {
        let ending = format!(".{name}.{}", Self::SUFFIX).replace(['/', ' '], "-");
        let files = std::fs::read_dir(self.folder).into_iter().flatten().flatten();
        let names = files.filter_map(|file| file.file_name().into_string().ok());
        let mut trainings: Vec<String> =
            names.filter_map(|file| file.strip_suffix(&ending).map(str::to_owned)).collect();
        trainings.sort_unstable();
        trainings
    }

    /// Restores the parameters and the optimizer state of `model` from the checkpoint of its run, and returns the
    /// completed epochs.
    ///
    /// If the run has no checkpoint, `model` is unchanged and the result contains no epochs.
    ///
    /// A longer run may continue a shorter one if the learning rate is constant. With any other schedule, the learning
    /// rates depend on the total number of epochs, which must then be the same.
    ///
    /// # Errors
    ///
    /// - [`Error::Records`] if the checkpoint cannot be read, is damaged, or belongs to a different run.
    /// - [`Error::ExistingRun`] if there is a checkpoint, and [`resume`](Self::resume) is false.
    /// - [`Error::MixedCheckpoint`] if another version of the program, processor or device wrote the checkpoint, and
    ///   [`allow_mixed`](Self::allow_mixed) is false.
    /// - [`Error::Contract`] if the model does not accept the parameters or the optimizer state.
    pub fn restore(
        &self,
        training: &NamedTraining,
        candidate: &Identity,
        name: &str,
        model: &mut dyn Differentiable,
    ) -> Result<CompletedEpochs> {
        let path = self.path(training, name);
        if !path.exists() {
            return Ok(CompletedEpochs::default());
        }
        let unreadable =
            |error| Error::Records(format!("{error}; delete the file to start again, or choose another folder"));
        let checkpoint = Checkpoint::load(&path).map_err(unreadable)?;
        if !self.resume {
            return Err(Error::ExistingRun { path, epochs: checkpoint.epochs, total: checkpoint.training.epochs() });
        }
        let rejected = |reason: String| Error::Records(format!("{}: {reason}", path.display()));
        let notes: Notes = serde_json::from_value(checkpoint.notes.clone()).map_err(|error| {
            rejected(format!("the checkpoint was not written by this program ({error}); choose another folder"))
        })?;
        if let Some((property, stored, current)) = self.difference(&checkpoint, &notes, training, name) {
            return Err(rejected(format!(
                "the checkpoint belongs to a different run: its {property} is {stored}, this run's is {current}; \
                 choose another folder"
            )));
        }
        if notes.completed.epochs != checkpoint.epochs {
            return Err(rejected(format!(
                "the checkpoint contradicts itself: it was written after epoch {}, but lists {} completed epochs; \
                 delete the file to start again",
                checkpoint.epochs, notes.completed.epochs
            )));
        }
        check_epochs(&notes.completed.records, checkpoint.epochs)
            .map_err(|reason| rejected(format!("{reason}; delete the file to start again")))?;
        if !self.allow_mixed
            && let Some((property, stored, current)) = notes.origin.difference(Origin::current(candidate))
        {
            return Err(Error::MixedCheckpoint { path, property, stored, current });
        }
        model.set_parameters(&checkpoint.parameters)?;
        model.set_optimizer(checkpoint.training.optimizer())?;
        model.set_optimizer_state(&checkpoint.optimizer)?;
        Ok(notes.completed)
    }

    /// Writes the checkpoint of a run after its last completed epoch, replacing the previous one.
    ///
    /// # Errors
    ///
    /// [`Error::Contract`] if the file cannot be written, or if the implementation does not return its parameters or
    /// optimizer state.
    pub fn save(
        &self,
        training: &NamedTraining,
        candidate: &Identity,
        name: &str,
        completed: &CompletedEpochs,
        model: &dyn Differentiable,
    ) -> Result<()> {
        let path = self.path(training, name);
        let notes = Notes {
            name: name.to_owned(),
            dataset: self.dataset.clone(),
            origin: Origin::current(candidate),
            completed: completed.clone(),
        };
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

    /// Returns the first property in which the run of the checkpoint differs from the current run, with the stored and
    /// the current value; `None` if the run can be continued.
    fn difference(
        &self,
        checkpoint: &Checkpoint,
        notes: &Notes,
        training: &NamedTraining,
        name: &str,
    ) -> Option<(&'static str, String, String)> {
        let (stored, current) = (&checkpoint.training, &training.config);
        // A constant learning rate does not depend on the number of epochs, so the run may be extended.
        let is_extension = current.schedule() == Schedule::Constant && current.epochs() >= checkpoint.epochs;
        let stored = if is_extension { stored.with_epochs(current.epochs()) } else { *stored };
        let json = |training: &TrainingConfig| serde_json::to_string(training).unwrap_or_default();
        let (stored_data, current_data) = (&notes.dataset, self.dataset);
        let pair =
            |property, stored: &dyn Display, current: &dyn Display| (property, stored.to_string(), current.to_string());
        let pairs = [
            pair("network", &checkpoint.config, self.config),
            pair("optimizer", stored.optimizer(), current.optimizer()),
            pair("learning rate", &stored.learning_rate(), &current.learning_rate()),
            pair("learning-rate schedule", &stored.schedule(), &current.schedule()),
            pair("batch size", &stored.batch_size(), &current.batch_size()),
            pair("number of epochs", &stored.epochs(), &current.epochs()),
            pair("seed", &stored.seed(), &current.seed()),
            // Catches every hyper-parameter that has no line of its own above.
            pair("training configuration", &json(&stored), &json(current)),
            pair("number of training images", &stored_data.train, &current_data.train),
            pair("number of test images", &stored_data.test, &current_data.test),
            pair("data digest", &stored_data.digest, &current_data.digest),
            pair("candidate", &notes.name, &name),
        ];
        pairs.into_iter().find(|(_, stored, current)| stored != current)
    }
}
