//! `compare check`: runs the check suite without training, on the candidates and optionally on a trace file.

use std::path::Path;
use std::str::FromStr;

use mlp_parity::mnist::{CLASSES, ORIGINAL_DIGEST};
use mlp_parity::{Checkpoint, Dataset, MlpConfig, Parameters, SafetensorsFile, list_names};
use mlp_parity_compare::check::{Case, NamedOptimizer, Trace};
use mlp_parity_compare::record::Environment;
use mlp_parity_compare::training::checkpoint_dataset;
use mlp_parity_compare::{Error as Harness, NamedTraining, diagnosis};

use crate::args::values::{ADAM, SGD};
use crate::args::{CheckOptions, NetworkOptions, RequiredResults, TrainingOptions};
use crate::error::{Error, Result, verdict_exit_code};
use crate::implementation::candidates;
use crate::input::source::Source;
use crate::memory::{MemoryCost, ensure_loadable};
use crate::output::export::junit;
use crate::output::folder;
use crate::output::html::{self, Provenance};
use crate::output::print::{eprint_line, print_json};
use crate::output::progress::Progress;
use crate::output::terminal::{self, Detail, Page};

/// Number of batches of synthetic images, which are checked if no data set is given. The training-loop stage of the
/// check suite needs three and a half batches; the trajectory stage cycles through all of them.
const SYNTHETIC_BATCHES: usize = 6;

/// The source of the images of a run on MNIST.
const EMBEDDED: &str = "embedded";

/// Height and width of the synthetic images in pixels, those of MNIST.
const IMAGE_SHAPE: [usize; 2] = [28, 28];

/// Runs `compare check` and returns the exit code.
pub(crate) fn run(options: &CheckOptions) -> Result<u8> {
    let threads = options.common.use_threads()?;
    let progress = Progress::new(options.common.quiet);
    let candidates = progress.observe_checks(candidates(&options.framework)?);
    let (junit, html) = (options.junit.as_deref(), options.html.as_deref());
    folder::check_output_files(&[junit, html], options.trace.as_deref())?;
    let mut provenance = Provenance::new(&Environment::current(threads), &candidates);
    let suite = match (&options.trace, &options.from) {
        (Some(path), _) => {
            ensure_loadable(path)?;
            let check = || {
                let trace = Trace::load(path)?;
                reject_incomplete(path, &trace, &options.require)?;
                provenance.add_trace(&trace);
                diagnosis::check_trace(&trace, &candidates, &options.accept)
            };
            progress.spin("trace", "checking and explaining", check)?
        }
        (None, Some(checkpoint)) => {
            diagnosis::check(&trained_case(checkpoint, options.data.as_ref(), &mut provenance)?, &candidates)?
        }
        (None, None) => diagnosis::check(&new_case(options, &mut provenance)?, &candidates)?,
    };
    // The result is worth printing even if it cannot be written.
    let exported = junit.map_or(Ok(()), |path| junit::write_suite(&suite, path));
    let written = html.map_or(Ok(()), |path| html::write_suite(path, &suite, &provenance));
    let detail = Detail::new(options.verbose, options.common.quiet);
    if options.common.json {
        print_json(suite.document())?;
    } else {
        let mut page = Page::new();
        terminal::devices(&mut page, &candidates, detail);
        terminal::suite(&mut page, &suite, detail);
        page.print()?;
    }
    exported.and(written).map(|()| verdict_exit_code(suite.verdict()))
}

/// Rejects a trace that lacks results of the required kinds.
fn reject_incomplete(path: &Path, trace: &Trace, required: &[RequiredResults]) -> mlp_parity::Result<()> {
    let missing = trace.missing();
    let is_required = |tensor: &&str| required.iter().any(|results| results.contain(tensor));
    let lacking: Vec<&str> = missing.iter().map(String::as_str).filter(is_required).collect();
    if lacking.is_empty() {
        return Ok(());
    }
    let reason = format!("these results are missing, which --require demands: {}", list_names(lacking));
    Err(mlp_parity::Error::data(path.display(), reason))
}

/// Creates the case of a new network.
fn new_case(options: &CheckOptions, provenance: &mut Provenance) -> Result<Case> {
    let trainings = options.training.trainings(&[SGD, ADAM])?;
    let initial = options.initial.network(options.network.activation, options.common.quiet)?;
    let images = options.data.as_ref().map(Source::load).transpose()?;
    match (&options.data, &images) {
        (Some(source), Some(images)) => provenance.add_images(source, images),
        _ => provenance.add("images", format!("synthetic, seed {}", options.training.seed)),
    }
    let images = images.map(|images| images.train);
    let case = case(&options.network, initial, &options.training, &trainings, images)?;
    provenance.add_training(&case.config, &trainings);
    Ok(case)
}

/// Creates the case for the check suite or a trace: network, initial parameters, images and training configurations.
/// The parameters are random if `initial` is `None`, and the images are synthetic if `images` is `None`.
pub(super) fn case(
    network: &NetworkOptions,
    initial: Option<(MlpConfig, Parameters<f32>)>,
    training: &TrainingOptions,
    trainings: &[NamedTraining],
    images: Option<Dataset>,
) -> Result<Case> {
    let config = match (&initial, &images) {
        (Some((config, _)), _) => config.clone(),
        (None, Some(images)) => network.config(images)?,
        (None, None) => network.config_for(IMAGE_SHAPE.iter().product(), CLASSES)?,
    };
    let batch_size = images.as_ref().map_or(training.batch_size, |images| training.batch_size.min(images.len()));
    MemoryCost::CHECK.ensure(&config, batch_size, 1)?;
    let dataset = match images {
        Some(images) => images,
        None => synthetic(&config, batch_size.saturating_mul(SYNTHETIC_BATCHES), training.seed)?,
    };
    dataset.check_fit(&config)?;
    let parameters =
        initial.map_or_else(|| Parameters::glorot_uniform(&config, training.seed), |(_, parameters)| parameters);
    let optimizers = trainings.iter().map(NamedOptimizer::from).collect();
    Ok(Case::new(config, parameters, &dataset, training.batch_size, training.seed, optimizers)?)
}

/// Creates the case that continues the training run of a checkpoint. The images are those of `data` or, without it, those of
/// the run, if they are MNIST.
fn trained_case(path: &Path, data: Option<&Source>, provenance: &mut Provenance) -> Result<Case> {
    ensure_loadable(path)?;
    let checkpoint = Checkpoint::load(path).map_err(|error| {
        Harness::Records(format!(
            "{error}; --from reads the checkpoints of 'compare --output' and 'compare train --output', and --initial any \
             saved network, which has no optimizer state"
        ))
    })?;
    MemoryCost::CHECK.ensure(&checkpoint.config, checkpoint.training.batch_size(), 1)?;
    let of_run = checkpoint_dataset(&checkpoint);
    let images = match (data, &of_run) {
        (Some(data), _) => {
            let images = data.load()?;
            provenance.add_images(data, &images);
            if of_run.as_ref().is_some_and(|record| record.digest != images.digest) {
                eprint_line("note: these are not the images of the run");
            }
            images.train
        }
        (None, Some(record)) if record.digest == ORIGINAL_DIGEST => {
            let source = Source::from_str(EMBEDDED).map_err(Error::Usage)?;
            let images = source.load()?;
            provenance.add_images(&source, &images);
            images.train.take(record.train.min(images.train.len()))?
        }
        (None, _) => {
            let path = path.display();
            return Err(Error::Usage(format!("{path}: the run used other images than MNIST; name them with --data")));
        }
    };
    let updates = of_run.map(|record| checkpoint.training.with_epochs(checkpoint.epochs).steps(record.train));
    provenance.add("checkpoint", format!("{}, after epoch {}", path.display(), checkpoint.epochs));
    let training =
        NamedTraining { name: checkpoint.training.optimizer().name().to_owned(), config: checkpoint.training };
    provenance.add_training(&checkpoint.config, &[training]);
    Ok(Case::from_checkpoint(checkpoint, &images, updates)?)
}

/// Generates images for a network, in MNIST's shape if they have as many pixels.
fn synthetic(config: &MlpConfig, count: usize, seed: u64) -> mlp_parity::Result<Dataset> {
    let is_mnist = config.inputs() == IMAGE_SHAPE.iter().product::<usize>();
    let shape = if is_mnist { IMAGE_SHAPE } else { [1, config.inputs()] };
    Dataset::synthetic(count, shape, config.classes(), seed)
}
