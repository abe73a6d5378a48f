//! Training and testing of one network.

use std::ops::ControlFlow;

use mlp_parity::metrics::{self, Epoch, Evaluation};
use mlp_parity::{BatchReport, Classifier, Dataset, Differentiable, Observer};

use super::checkpoint::CompletedEpochs;
use super::monitor::{Monitor, RunTitle};
use super::run::Run;
use crate::check::{Case, CheckReport, TrainedState, check_candidate};
use crate::record::{CheckSummary, EpochRecord, RunRecord};
use crate::{Error, Identity, NamedTraining, Result};

/// The training configuration and the images of a training run.
#[derive(Clone, Copy, Debug)]
pub struct Trial<'a> {
    /// The training configuration.
    pub training: &'a NamedTraining,
    /// The training images.
    pub train: &'a Dataset,
    /// The test images.
    pub test: &'a Dataset,
    /// True to evaluate the network on the test images after every epoch; false to do so only after the last one.
    pub test_each_epoch: bool,
    /// True to run the [checks from the trained state](crate::check::Case::after_training) after the last epoch.
    pub check_after_training: bool,
}

impl Trial<'_> {
    /// Trains `model` and evaluates it on the test images.
    ///
    /// If the monitor has a checkpoint store, the run continues after the last completed epoch of its checkpoint, and
    /// is stored after each epoch. `name` identifies the network in messages and in the file name of the checkpoint.
    ///
    /// # Errors
    ///
    /// [`Error::Run`] with the error of the network if training or evaluation fails, and the errors of
    /// [`CheckpointStore`](super::CheckpointStore).
    pub fn run(
        &self,
        model: &mut dyn Differentiable,
        identity: &Identity,
        name: &str,
        monitor: &Monitor<'_>,
    ) -> Result<Run> {
        let failed = |source| self.run_error(name, source);
        let store = monitor.checkpoints;
        let restored = store.map(|store| store.restore(self.training, identity, name, model)).transpose()?;
        let restored_epochs = restored.as_ref().map(|restored| restored.epochs);
        let title = RunTitle { training: self.training, name, images: self.train.len(), restored_epochs };
        let CompletedEpochs { epochs, records } = restored.unwrap_or_default();
        let observer = monitor.observer(&title);
        let mut recorder = EpochRecorder {
            trial: self,
            epochs: records,
            trained: Vec::new(),
            evaluation: None,
            observer,
            stop_requested: false,
        };
        let Some(store) = store else {
            let history = model.fit(self.train, &self.training.config, &mut recorder).map_err(failed)?;
            return self.finish(recorder, history.stopped, model, identity, name);
        };
        let last = self.training.config.epochs();
        let mut stopped = false;
        for epoch in epochs + 1..=last {
            // One call of `fit` per epoch, so that the state between two epochs can be stored.
            let part = self.training.config.with_epoch_range(epoch..=epoch);
            stopped = model.fit(self.train, &part, &mut recorder).map_err(failed)?.stopped;
            if !stopped {
                store.save(
                    self.training,
                    identity,
                    name,
                    &CompletedEpochs { epochs: epoch, records: recorder.epochs.clone() },
                    model,
                )?;
                // If the observer stops at the end of the epoch, `fit` regards its single epoch as complete.
                stopped = epoch < last && recorder.stop_requested;
            }
            if stopped {
                break;
            }
        }
        self.finish(recorder, stopped, model, identity, name)
    }

    /// Assembles the result of a run, and checks the trained network. One that was restored from the checkpoint of a
    /// complete run is evaluated here.
    fn finish(
        &self,
        recorder: EpochRecorder<'_>,
        stopped: bool,
        model: &mut dyn Differentiable,
        identity: &Identity,
        name: &str,
    ) -> Result<Run> {
        let EpochRecorder { epochs, trained: trained_epochs, evaluation, observer, .. } = recorder;
        // An observer shows the end of the run when it is dropped.
        drop(observer);
        let failed = |source| self.run_error(name, source);
        let evaluation = match evaluation {
            // The checkpoint was of a complete run, so no epoch was trained or tested now.
            None if !stopped && !epochs.is_empty() => Some(evaluate(model, self.test).map_err(failed)?),
            other => other,
        };
        let confusion = evaluation.as_ref().map(|evaluation: &Evaluation| {
            let classes = model.config().classes();
            metrics::confusion_matrix(&evaluation.predictions, self.test.labels(), classes)
        });
        let is_checked = self.check_after_training && !stopped;
        let checks = is_checked.then(|| self.check(model, identity)).transpose().map_err(failed)?;
        let checked = checks.as_ref().map(CheckSummary::new);
        let record = RunRecord::new(self.training, identity, epochs, confusion.as_ref(), !stopped, checked);
        Ok(Run { record, trained_epochs, evaluation, checks, stopped })
    }

    /// Runs the check suite from the state that the network has after training, and restores its parameters.
    fn check(&self, model: &mut dyn Differentiable, identity: &Identity) -> mlp_parity::Result<CheckReport> {
        let NamedTraining { name, config: training } = self.training;
        let optimizer = match model.optimizer_state() {
            Err(mlp_parity::Error::NotImplemented { .. }) => None,
            state => Some(state?),
        };
        let updates = Some(training.steps(self.train.len()));
        let trained = TrainedState { training: *training, epochs: training.epochs(), updates, optimizer };
        let (config, parameters) = (model.config().clone(), model.parameters()?);
        let case = Case::after_training(config, parameters, self.train, name, trained)?;
        let report = check_candidate(&case, &identity.to_string(), model)?;
        model.set_parameters(&case.parameters)?;
        Ok(report)
    }

    fn run_error(&self, name: &str, source: mlp_parity::Error) -> Error {
        Error::Run { candidate: name.to_owned(), training: self.training.name.clone(), source }
    }
}

/// Evaluates a network, and checks the result, because the implementation may have computed it in its own way.
///
/// # Errors
///
/// The error of the network, and the errors of [`Evaluation::check`]. In particular, a result that depends on NaN is an
/// error: [`mlp_parity::Error::NonFiniteOutput`].
pub fn evaluate(model: &dyn Classifier, dataset: &Dataset) -> mlp_parity::Result<Evaluation> {
    let evaluation = model.evaluate(dataset)?;
    evaluation.check(model.config().classes(), dataset)?;
    Ok(evaluation)
}

/// Adds the number of the epoch to the error of an evaluation whose result is not finite.
fn after_epoch(epoch: usize, error: mlp_parity::Error) -> mlp_parity::Error {
    match error {
        mlp_parity::Error::NonFiniteOutput { what, value } => {
            mlp_parity::Error::NonFiniteOutput { what: format!("after epoch {epoch}, {what}"), value }
        }
        other => other,
    }
}

/// Tests the network after an epoch, records the result, and forwards all events to the observer of the run.
struct EpochRecorder<'a> {
    trial: &'a Trial<'a>,
    /// All tested epochs, including those of the checkpoint.
    epochs: Vec<EpochRecord>,
    /// All epochs that were trained in this process.
    trained: Vec<Epoch>,
    /// The evaluation after the last epoch that was tested in this process.
    evaluation: Option<Evaluation>,
    /// The observer that the monitor created for this run.
    observer: Box<dyn Observer + 'a>,
    /// True once the observer has asked to stop the run.
    stop_requested: bool,
}

impl Observer for EpochRecorder<'_> {
    fn batch_ended(&mut self, report: &BatchReport) -> ControlFlow<()> {
        let flow = self.observer.batch_ended(report);
        self.stop_requested |= flow.is_break();
        flow
    }

    fn epoch_ended(&mut self, epoch: &Epoch, model: &dyn Classifier) -> mlp_parity::Result<ControlFlow<()>> {
        self.trained.push(*epoch);
        if epoch.epoch == self.trial.training.config.epochs() || self.trial.test_each_epoch {
            let evaluation = evaluate(model, self.trial.test).map_err(|error| after_epoch(epoch.epoch, error))?;
            self.observer.epoch_tested(epoch, &evaluation);
            self.epochs.push(EpochRecord::new(epoch, &evaluation));
            self.evaluation = Some(evaluation);
        }
        let flow = self.observer.epoch_ended(epoch, model)?;
        self.stop_requested |= flow.is_break();
        Ok(flow)
    }
}
