//! Conversion of options to the types of the library: network and training configurations, data sets, parameters.

use mlp_parity::{Activation, Dataset, MlpConfig, Optimizer, TrainingConfig};
use mlp_parity_compare::NamedTraining;
use mlp_parity_compare::record::DatasetRecord;

use crate::args::{BenchOptions, CommonOptions, DataOptions, NetworkOptions, TrainingOptions};
use crate::error::{Error, Result};
use crate::input::source::Source;

/// Name (as printed) and optimizer of the SGD configuration, with which the report trained its hand-written
/// implementation.
pub(crate) const SGD: (&str, Optimizer) = ("sgd", Optimizer::sgd());

/// Name (as printed) and optimizer of the Adam configuration, with which the report trained its framework
/// implementation.
pub(crate) const ADAM: (&str, Optimizer) = ("adam", Optimizer::adam().with_weight_decay(1e-4));

/// Learning rate of both configurations of the report, and default of `--learning-rate`.
const LEARNING_RATE: f64 = 0.01;

/// Largest value of `--threads`. Starting more threads takes longer than they could save.
const MAX_THREADS: usize = 1024;

impl NetworkOptions {
    /// Returns the configuration of a network whose inputs and classes fit `images`.
    pub(crate) fn config(&self, images: &Dataset) -> Result<MlpConfig> {
        self.config_for(images.inputs(), images.classes())
    }

    /// Returns the configuration of a network with these numbers of inputs and classes.
    pub(crate) fn config_for(&self, inputs: usize, classes: usize) -> Result<MlpConfig> {
        let activation = self.activation.unwrap_or(Activation::Relu);
        Ok(MlpConfig::new(inputs, &self.hidden.0, classes, activation)?)
    }
}

impl TrainingOptions {
    /// Returns the training configurations to run: one named `custom` if an option selects the optimizer or one of its
    /// settings, otherwise one for each of `report_defaults` (name and optimizer). The other options apply to all of
    /// them.
    pub(crate) fn trainings(&self, report_defaults: &[(&str, Optimizer)]) -> Result<Vec<NamedTraining>> {
        let named = |name: &str, optimizer, learning_rate| -> Result<NamedTraining> {
            let config = TrainingConfig::builder()
                .optimizer(optimizer)
                .learning_rate(learning_rate)
                .schedule(self.schedule)
                .batch_size(self.batch_size)
                .epochs(self.epochs)
                .seed(self.seed)
                .build()?;
            Ok(NamedTraining { name: name.to_owned(), config })
        };
        match self.custom_optimizer()? {
            Some(optimizer) => Ok(vec![named("custom", optimizer, self.learning_rate.unwrap_or(LEARNING_RATE))?]),
            None => report_defaults.iter().map(|&(name, optimizer)| named(name, optimizer, LEARNING_RATE)).collect(),
        }
    }

    /// Returns the optimizer that the options select, or `None` if no option concerns the optimizer.
    fn custom_optimizer(&self) -> Result<Option<Optimizer>> {
        let with_momentum = self.momentum.is_some() || self.nesterov;
        let is_custom = with_momentum || self.learning_rate.is_some() || self.weight_decay.is_some();
        let name = match self.optimizer.as_deref() {
            Some(name) => name,
            None if with_momentum => "momentum",
            None if is_custom => "sgd",
            None => return Ok(None),
        };
        let mut optimizer: Optimizer = name.parse()?;
        if let Some(momentum) = self.momentum {
            optimizer = optimizer.with_momentum(momentum)?;
        }
        if self.nesterov {
            optimizer = optimizer.with_nesterov()?;
        }
        if let Some(weight_decay) = self.weight_decay {
            optimizer = optimizer.with_weight_decay(weight_decay);
        }
        Ok(Some(optimizer))
    }
}

impl BenchOptions {
    /// Returns the training configurations to measure: one for each value of `--batch-size`, with one epoch each.
    pub(crate) fn trainings(&self) -> Result<Vec<TrainingConfig>> {
        let optimizer = match self.optimizer.parse::<Optimizer>()? {
            adam @ (Optimizer::Adam { .. } | Optimizer::AdamW { .. }) => adam.with_weight_decay(1e-4),
            other => other,
        };
        let training = TrainingConfig::builder().optimizer(optimizer).learning_rate(LEARNING_RATE).epochs(1);
        self.batch_sizes.iter().map(|&size| Ok(training.batch_size(size).build()?)).collect()
    }
}

/// The training and test images that a command uses.
pub(crate) struct Images {
    pub(crate) train: Dataset,
    pub(crate) test: Dataset,
    /// Source, digest and sizes of the data set, as stored in records.
    pub(crate) record: DatasetRecord,
}

impl DataOptions {
    /// Reads the data set of `--data`, reduced to `--train-size` and `--test-size` images.
    pub(crate) fn load(&self) -> Result<Images> {
        load(&self.source.data, self.train_size, self.test_size)
    }
}

/// Reads a data set and keeps the first `train_size` training images and the first `test_size` test images; `None`
/// keeps all.
///
/// # Errors
///
/// [`Error::Usage`] if a size is 0 or exceeds the number of images, and any error of [`Source::load`].
pub(crate) fn load(source: &Source, train_size: Option<usize>, test_size: Option<usize>) -> Result<Images> {
    let sets = source.load()?;
    let train = first_images(&sets.train, "--train-size", train_size)?;
    let test = first_images(&sets.test, "--test-size", test_size)?;
    let record =
        DatasetRecord { source: source.to_string(), digest: sets.digest, train: train.len(), test: test.len() };
    Ok(Images { train, test, record })
}

/// Returns the first `size` images, or all if `size` is `None`; `option` names the command-line option in errors.
fn first_images(images: &Dataset, option: &str, size: Option<usize>) -> Result<Dataset> {
    match size {
        Some(size) if size == 0 || size > images.len() => {
            Err(Error::Usage(format!("{option}: {size} is out of range; expected 1 to {}", images.len())))
        }
        Some(size) => Ok(images.take(size)?),
        None => Ok(images.clone()),
    }
}

impl CommonOptions {
    /// Sets the number of threads of the global rayon pool to `--threads`, by default the number of CPU cores, and
    /// returns it. Must be called before rayon is first used, and only once.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] if the number is not between 1 and [`MAX_THREADS`], or the pool has already been started.
    pub(crate) fn use_threads(&self) -> Result<usize> {
        let threads = match self.threads {
            Some(threads) if !(1..=MAX_THREADS).contains(&threads) => {
                return Err(Error::Usage(format!("--threads: {threads} is out of range; expected 1 to {MAX_THREADS}")));
            }
            Some(threads) => threads,
            None => std::thread::available_parallelism().map_or(1, usize::from),
        };
        let built = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
        built.map_err(|error| Error::Usage(format!("--threads: {error}")))?;
        Ok(threads)
    }
}

#[cfg(feature = "full")]
#[cfg(test)]
mod tests {
    use clap::Parser;
    use mlp_parity::Schedule;
    use mlp_parity::mnist::CLASSES;
    use mlp_parity_compare::reproduction::Grid;

    use super::*;
    use crate::args::Cli;

    fn trainings(options: &[&str]) -> Result<Vec<NamedTraining>> {
        let cli = Cli::try_parse_from([&["compare"], options].concat()).unwrap();
        cli.agree.training.trainings(&[SGD, ADAM])
    }

    #[test]
    fn optimizer_options_replace_report_configurations() {
        let report = trainings(&["--epochs", "2", "--seed", "5"]).unwrap();
        let names: Vec<&str> = report.iter().map(|training| training.name.as_str()).collect();
        assert_eq!(names, ["sgd", "adam"]);
        assert!(report.iter().all(|training| training.config.epochs() == 2 && training.config.seed() == 5));
        let custom = trainings(&["--nesterov", "--learning-rate", "0.1"]).unwrap();
        let nesterov = Optimizer::momentum(0.9).with_nesterov().unwrap();
        assert_eq!((custom.len(), custom[0].config.optimizer(), custom[0].config.learning_rate()), (1, &nesterov, 0.1));
        assert_eq!(
            trainings(&["--weight-decay", "0.5"]).unwrap()[0].config.optimizer(),
            &Optimizer::sgd().with_weight_decay(0.5)
        );
    }

    #[test]
    fn schedule_applies_to_both_report_configurations() {
        let scheduled = trainings(&["--schedule", "one-cycle"]).unwrap();
        assert!(
            scheduled.len() == 2 && scheduled.iter().all(|training| training.config.schedule() == Schedule::OneCycle)
        );
        let grid = Grid::report().unwrap();
        let config = MlpConfig::new(784, &MlpConfig::REPORT_HIDDEN, CLASSES, Activation::Relu).unwrap();
        let mut rows = grid.tables.iter().flat_map(|table| &table.rows);
        assert!(!rows.any(|row| row.matches_training(&config, &scheduled[0].config)));
        assert!(
            Cli::try_parse_from(["compare", "--schedule", "linear"]).unwrap_err().to_string().contains("one-cycle")
        );
    }

    #[test]
    fn report_configurations_match_rows_of_its_tables() {
        let grid = Grid::report().unwrap();
        let config = |activation| MlpConfig::new(784, &MlpConfig::REPORT_HIDDEN, CLASSES, activation).unwrap();
        let matching_rows = |activation, training: &NamedTraining| -> Vec<(&str, &str)> {
            let rows = grid.tables.iter().flat_map(|table| table.rows.iter().map(|row| (table.name.as_str(), row)));
            let found = rows.filter(|(_, row)| row.matches_training(&config(activation), &training.config));
            found.map(|(table, row)| (table, row.name.as_str())).collect()
        };
        let [sgd, adam] = trainings(&[]).unwrap().try_into().unwrap();
        assert_eq!(matching_rows(Activation::Relu, &sgd), [("table-4", "ReLU")]);
        assert_eq!(matching_rows(Activation::Relu, &adam), [("table-3", "0.0001")]);
        assert_eq!(matching_rows(Activation::Sigmoid, &adam), []);
        for changed in ["--epochs=14", "--batch-size=32", "--learning-rate=0.02", "--weight-decay=0.5"] {
            assert_eq!(matching_rows(Activation::Relu, &trainings(&[changed]).unwrap()[0]), [], "{changed}");
        }
    }

    #[test]
    fn momentum_option_is_rejected_for_adam() {
        assert_eq!(trainings(&["--optimizer", "adam", "--momentum", "0.5"]).unwrap_err().exit_code(), 2);
    }
}
