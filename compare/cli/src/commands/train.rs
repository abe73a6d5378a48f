//! `compare train`: trains one implementation.

use std::path::Path;

use mlp_parity::storage::FolderLock;
use mlp_parity::{Differentiable, MlpConfig, ParameterFile, Parameters, SafetensorsFile};
use mlp_parity_compare::record::{Environment, RunContext};
use mlp_parity_compare::training::{CheckpointStore, document};
use mlp_parity_compare::{Run, Trial, Verdict};

use crate::args::values::{ADAM, SGD};
use crate::args::{ImplementationName, TrainOptions};
use crate::error::{Result, verdict_exit_code};
use crate::implementation;
use crate::memory::MemoryCost;
use crate::output::print::{CONTINUE, eprint_line, print_json};
use crate::output::progress::{Progress, monitor, set_training};
use crate::output::terminal::{self, Page};
use crate::output::{folder, plots};

/// Runs `compare train` and returns the exit code.
pub(crate) fn run(options: &TrainOptions) -> Result<u8> {
    let report_default = match options.implementation {
        ImplementationName::Scratch => SGD,
        ImplementationName::Framework => ADAM,
    };
    let trainings = options.training.trainings(&[report_default])?;
    let threads = options.common.use_threads()?;
    let candidate = implementation::selected(options.implementation, &options.framework)?;
    let _lock = options.prepare_outputs()?;
    let images = options.data.load()?;
    let initial = options.initial.network(options.network.activation, options.common.quiet)?;
    let config =
        initial.as_ref().map_or_else(|| options.network.config(&images.train), |(config, _)| Ok(config.clone()))?;
    images.train.check_fit(&config)?;
    MemoryCost::TRAIN.ensure(&config, options.training.batch_size.min(images.train.len()), 1)?;
    let random = || Parameters::glorot_uniform(&config, options.training.seed);
    let parameters = initial.map_or_else(random, |(_, parameters)| parameters);
    let mut model = candidate.create(&config, &parameters)?;
    let environment = Environment::current(threads);
    let context =
        RunContext { config: &config, trainings: &trainings, dataset: &images.record, environment: &environment };
    let progress = Progress::new(options.common.quiet);
    let checkpoints = options.output.as_deref().map(|folder| CheckpointStore {
        folder,
        resume: options.resume,
        allow_mixed: options.allow_mixed,
        config: &config,
        dataset: &images.record,
    });
    let monitor = monitor(&progress, checkpoints);
    let mut stopped = false;
    let mut records = Vec::new();
    set_training(true);
    for training in &trainings {
        let (train, test, test_each_epoch) = (&images.train, &images.test, !options.test_last);
        let trial = Trial { training, train, test, test_each_epoch, check_after_training: false };
        let name = candidate.identity().to_string();
        let run = trial.run(model.as_mut(), candidate.identity(), &name, &monitor)?;
        if let Some(path) = &options.save {
            save(path, &run, &config, model.as_ref(), &progress)?;
        }
        if let Some(folder) = &options.output {
            plots::write_trained(&images.test, &training.name, &[&run], folder)?;
        }
        stopped |= run.stopped;
        records.push(run.record);
    }
    set_training(false);
    if stopped && options.output.is_some() {
        eprint_line(CONTINUE);
    }
    let records: Vec<_> = records.iter().collect();
    if options.common.json {
        print_json(document(&context, &records, None))?;
    } else {
        let mut page = Page::new();
        page.table("", terminal::epochs(&records));
        page.print()?;
    }
    Ok(if stopped { verdict_exit_code(Verdict::Interrupted) } else { 0 })
}

/// Writes the parameters of a network to the file of `--save`, and warns if its run was interrupted. An existing file is
/// then kept: it may contain a completely trained network, which is worth more.
fn save(path: &Path, run: &Run, config: &MlpConfig, model: &dyn Differentiable, progress: &Progress) -> Result<()> {
    let file = path.display();
    if run.stopped && path.exists() {
        eprint_line(format_args!("warning: {file} is not overwritten, because this run was interrupted"));
        return Ok(());
    }
    if run.stopped {
        eprint_line(format_args!("warning: {file} contains the network of an interrupted run"));
    }
    ParameterFile { parameters: model.parameters()?, activation: Some(config.activation()) }.save(path)?;
    progress.print_line(&format!("{file}: parameters saved"));
    Ok(())
}

impl TrainOptions {
    /// Prepares and locks the output folder, and checks that the file of `--save` can be written.
    fn prepare_outputs(&self) -> Result<Option<FolderLock>> {
        let folder = self.output.as_deref();
        folder.map_or(Ok(()), folder::prepare)?;
        // The file may be in the output folder, which now exists.
        self.save.as_deref().map_or(Ok(()), |path| folder::check_output_file(path, None))?;
        Ok(folder.map(FolderLock::acquire).transpose()?)
    }
}
