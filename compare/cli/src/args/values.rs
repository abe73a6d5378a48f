//! From options to what the contract takes.

use mlp_parity::{
    Checkpoint, Dataset, MlpConfig, Optimizer, ParameterFile, Parameters, SafetensorsFile, TrainingConfig,
};
use mlp_parity_compare::NamedTraining;
use mlp_parity_compare::record::DatasetRecord;

use crate::args::{BenchOptions, CommonOptions, DataOptions, NetworkOptions, SavedOptions, TrainingOptions};
use crate::error::{Error, Result};
use crate::input::source::Source;

/// The report's training for the implementation by hand.
pub(crate) const SGD: (&str, Optimizer) = ("sgd", Optimizer::sgd());

/// The report's training for the framework.
pub(crate) const ADAM: (&str, Optimizer) = ("adam", Optimizer::adam().with_weight_decay(1e-4));

/// The learning rate of both.
const LEARNING_RATE: f64 = 0.01;

/// Starting more takes longer than they could ever save.
const MOST_THREADS: usize = 1024;

impl NetworkOptions {
    /// A network for these images.
    pub(crate) fn config(&self, images: &Dataset) -> Result<MlpConfig> {
        Ok(MlpConfig::new(images.inputs(), &self.hidden.0, images.classes(), self.activation)?)
    }
}

impl SavedOptions {
    /// The network, and its parameters.
    pub(crate) fn network(&self) -> Result<(MlpConfig, Parameters<f32>)> {
        let bytes = std::fs::read(&self.file).map_err(mlp_parity::Error::io("read", &self.file))?;
        let origin = self.file.display().to_string();
        let file = if Checkpoint::is_one(&bytes) {
            let Checkpoint { config, parameters, .. } = Checkpoint::from_bytes(&bytes, &origin)?;
            ParameterFile { parameters, activation: Some(config.activation()) }
        } else {
            ParameterFile::from_bytes(&bytes, &origin)?
        };
        Ok((file.config(self.activation)?, file.parameters))
    }
}

impl TrainingOptions {
    /// The training of the user's own, or else these of the report.
    pub(crate) fn trainings(&self, of_the_report: &[(&str, Optimizer)]) -> Result<Vec<NamedTraining>> {
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
        match self.own_optimizer()? {
            Some(optimizer) => Ok(vec![named("custom", optimizer, self.learning_rate.unwrap_or(LEARNING_RATE))?]),
            None => of_the_report.iter().map(|&(name, optimizer)| named(name, optimizer, LEARNING_RATE)).collect(),
        }
    }

    /// `None` if no option asks for one.
    fn own_optimizer(&self) -> Result<Option<Optimizer>> {
        let with_momentum = self.momentum.is_some() || self.nesterov;
        let asked = with_momentum || self.learning_rate.is_some() || self.weight_decay.is_some();
        let name = match self.optimizer.as_deref() {
            Some(name) => name,
            None if with_momentum => "momentum",
            None if asked => "sgd",
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
    /// How everyone is trained, with a batch of each size.
    pub(crate) fn trainings(&self) -> Result<Vec<TrainingConfig>> {
        let rule = match self.optimizer.parse::<Optimizer>()? {
            adam @ (Optimizer::Adam { .. } | Optimizer::AdamW { .. }) => adam.with_weight_decay(1e-4),
            other => other,
        };
        let training = TrainingConfig::builder().optimizer(rule).learning_rate(LEARNING_RATE).epochs(1);
        self.batch_sizes.iter().map(|&size| Ok(training.batch_size(size).build()?)).collect()
    }
}

/// The images that a command works on.
pub(crate) struct Images {
    pub(crate) train: Dataset,
    pub(crate) test: Dataset,
    pub(crate) record: DatasetRecord,
}

impl DataOptions {
    /// Reads the data, and takes as much of them as was asked for.
    pub(crate) fn load(&self) -> Result<Images> {
        load(&self.source.data, self.train_size, self.test_size)
    }
}

/// Reads the data, and takes as much of them as was asked for.
pub(crate) fn load(source: &Source, train_size: Option<usize>, test_size: Option<usize>) -> Result<Images> {
    let mnist = source.load()?;
    let train = first(&mnist.train, "--train-size", train_size)?;
    let test = first(&mnist.test, "--test-size", test_size)?;
    let record =
        DatasetRecord { source: source.to_string(), digest: mnist.digest, train: train.len(), test: test.len() };
    Ok(Images { train, test, record })
}

fn first(images: &Dataset, option: &str, size: Option<usize>) -> Result<Dataset> {
    match size {
        Some(size) if size == 0 || size > images.len() => {
            Err(Error::Usage(format!("{option}: {size} is not from 1 to {}, the number of images", images.len())))
        }
        Some(size) => Ok(images.take(size)?),
        None => Ok(images.clone()),
    }
}

impl CommonOptions {
    /// Sets the number of threads for everything that uses rayon, and returns it.
    pub(crate) fn use_threads(&self) -> Result<usize> {
        let threads = match self.threads {
            Some(threads) if !(1..=MOST_THREADS).contains(&threads) => {
                return Err(Error::Usage(format!("--threads: {threads} is not from 1 to {MOST_THREADS}")));
            }
            Some(threads) => threads,
            None => std::thread::available_parallelism().map_or(1, usize::from),
        };
        let built = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
        built.map_err(|error| Error::Usage(format!("--threads: {error}")))?;
        Ok(threads)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use mlp_parity::mnist::CLASSES;
    use mlp_parity::{Activation, Schedule};
    use mlp_parity_compare::reproduction::Grid;

    use super::*;
    use crate::args::Cli;

    fn trainings(options: &[&str]) -> Result<Vec<NamedTraining>> {
        let cli = Cli::try_parse_from([&["compare"], options].concat()).unwrap();
        cli.agree.training.trainings(&[SGD, ADAM])
    }

    #[test]
    fn options_of_the_rule_replace_the_plans_of_the_report_and_others_change_them() {
        let report = trainings(&["--epochs", "2", "--seed", "5"]).unwrap();
        let names: Vec<&str> = report.iter().map(|training| training.name.as_str()).collect();
        assert_eq!(names, ["sgd", "adam"]);
        assert!(report.iter().all(|training| training.config.epochs() == 2 && training.config.seed() == 5));
        let own = trainings(&["--nesterov", "--learning-rate", "0.1"]).unwrap();
        let nesterov = Optimizer::momentum(0.9).with_nesterov().unwrap();
        assert_eq!((own.len(), own[0].config.optimizer(), own[0].config.learning_rate()), (1, &nesterov, 0.1));
        assert_eq!(
            trainings(&["--weight-decay", "0.5"]).unwrap()[0].config.optimizer(),
            &Optimizer::sgd().with_weight_decay(0.5)
        );
    }

    #[test]
    fn a_schedule_belongs_to_every_plan_and_to_no_row_of_the_report() {
        let scheduled = trainings(&["--schedule", "one-cycle"]).unwrap();
        assert!(
            scheduled.len() == 2 && scheduled.iter().all(|training| training.config.schedule() == Schedule::OneCycle)
        );
        let grid = Grid::report().unwrap();
        let config = MlpConfig::new(784, &MlpConfig::REPORT_HIDDEN, CLASSES, Activation::Relu).unwrap();
        let mut rows = grid.tables.iter().flat_map(|table| &table.rows);
        assert!(!rows.any(|row| row.is_run_as(&config, &scheduled[0].config)));
        assert!(
            Cli::try_parse_from(["compare", "--schedule", "linear"]).unwrap_err().to_string().contains("one-cycle")
        );
    }

    #[test]
    fn the_plans_of_the_report_stand_in_its_tables() {
        let grid = Grid::report().unwrap();
        let config = |activation| MlpConfig::new(784, &MlpConfig::REPORT_HIDDEN, CLASSES, activation).unwrap();
        let stated = |activation, training: &NamedTraining| -> Vec<(&str, &str)> {
            let rows = grid.tables.iter().flat_map(|table| table.rows.iter().map(|row| (table.name.as_str(), row)));
            let found = rows.filter(|(_, row)| row.is_run_as(&config(activation), &training.config));
            found.map(|(table, row)| (table, row.name.as_str())).collect()
        };
        let [sgd, adam] = trainings(&[]).unwrap().try_into().unwrap();
        assert_eq!(stated(Activation::Relu, &sgd), [("table-4", "ReLU")]);
        assert_eq!(stated(Activation::Relu, &adam), [("table-3", "0.0001")]);
        assert_eq!(stated(Activation::Sigmoid, &adam), []);
        for changed in ["--epochs=14", "--batch-size=32", "--learning-rate=0.02", "--weight-decay=0.5"] {
            assert_eq!(stated(Activation::Relu, &trainings(&[changed]).unwrap()[0]), [], "{changed}");
        }
    }

    #[test]
    fn momentum_belongs_to_momentum() {
        assert_eq!(trainings(&["--optimizer", "adam", "--momentum", "0.5"]).unwrap_err().exit_code(), 2);
    }
}
