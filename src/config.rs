//! Hyper-parameters: of the network ([`MlpConfig`]), of the rule that updates it ([`Optimizer`]), of a run
//! ([`TrainingConfig`]). Nothing has a hidden default; a value that exists is valid.

mod optimizer;
mod schedule;

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use optimizer::Optimizer;
use optimizer::at_least_zero;
pub use schedule::Schedule;

use crate::{Error, Result};

/// The function f of a hidden layer, a = f(z). The output layer has none: softmax belongs to the loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// 1 / (1 + exp(−z))
    Sigmoid,
    /// max(z, 0); NaN stays NaN
    Relu,
    /// tanh(z)
    Tanh,
    /// tanh(z) with a **wrong** derivative, on purpose: the report's listing 4 applies `1 - tanh(x)**2` to the
    /// activation a = tanh(z), which gives 1 − tanh(a)² where 1 − a² is right. It trains all the same, and
    /// reproduces the report's numbers. Only an implementation by hand can offer it.
    TanhAsPrinted,
}

impl Activation {
    /// Every activation.
    pub const ALL: [Self; 4] = [Self::Sigmoid, Self::Relu, Self::Tanh, Self::TanhAsPrinted];

    /// The name in options, records and files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sigmoid => "sigmoid",
            Self::Relu => "relu",
            Self::Tanh => "tanh",
            Self::TanhAsPrinted => "tanh-as-printed",
        }
    }
}

impl fmt::Display for Activation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Activation {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|activation| activation.name() == name);
        found.ok_or_else(|| {
            let known = Self::ALL.map(Self::name).join(", ");
            Error::configuration("activation", format!("there is no '{name}'; there are {known}"))
        })
    }
}

/// The shape of the network: 784 → 500 → 250 → 100 → 10 with ReLU, say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "UncheckedMlp")]
pub struct MlpConfig {
    inputs: usize,
    hidden: Vec<usize>,
    classes: usize,
    activation: Activation,
}

impl MlpConfig {
    /// More weights than this are refused: with gradients and moments they would take 32 GB.
    pub const MOST_WEIGHTS: usize = 1 << 31;

    /// The widths of the report's hidden layers.
    pub const REPORT_HIDDEN: [usize; 3] = [500, 250, 100];

    /// A network with `hidden` layers of these widths; none makes a linear classifier.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if a width is 0 there are fewer than two classes, or the weights are
    /// too many to keep.
    pub fn new(inputs: usize, hidden: &[usize], classes: usize, activation: Activation) -> Result<Self> {
        if inputs == 0 {
            return Err(Error::configuration("inputs", "the network needs at least one input"));
        }
        if let Some(layer) = hidden.iter().position(|&width| width == 0) {
            let reason = format!("layer {} has width 0; every hidden layer needs at least one unit", layer + 1);
            return Err(Error::configuration("hidden", reason));
        }
        if classes < 2 {
            return Err(Error::configuration("classes", "a classifier needs at least two classes"));
        }
        let config = Self { inputs, hidden: hidden.to_vec(), classes, activation };
        let sizes = config.sizes();
        let weights = sizes.iter().zip(&sizes[1..]).try_fold(0_usize, |sum, (&inputs, &outputs)| {
            sum.checked_add(inputs.checked_mul(outputs)?).filter(|&sum| sum <= Self::MOST_WEIGHTS)
        });
        if weights.is_none() {
            let reason = format!("{config} has more than {} weights", Self::MOST_WEIGHTS);
            return Err(Error::configuration("hidden", reason));
        }
        Ok(config)
    }

    /// Values of one image.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Widths of the hidden layers.
    pub fn hidden(&self) -> &[usize] {
        &self.hidden
    }

    /// Width of the output layer.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The function of the hidden layers.
    pub fn activation(&self) -> Activation {
        self.activation
    }

    /// Inputs, hidden widths and classes in one row: `[784, 500, 250, 100, 10]`.
    pub fn sizes(&self) -> Vec<usize> {
        let mut sizes = vec![self.inputs];
        sizes.extend(&self.hidden);
        sizes.push(self.classes);
        sizes
    }
}

/// As it stands in a file.
#[derive(Deserialize)]
struct UncheckedMlp {
    inputs: usize,
    hidden: Vec<usize>,
    classes: usize,
    activation: Activation,
}

impl TryFrom<UncheckedMlp> for MlpConfig {
    type Error = Error;

    fn try_from(UncheckedMlp { inputs, hidden, classes, activation }: UncheckedMlp) -> Result<Self> {
        Self::new(inputs, &hidden, classes, activation)
    }
}

impl fmt::Display for MlpConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sizes: Vec<String> = self.sizes().iter().map(usize::to_string).collect();
        write!(formatter, "{}, {}", sizes.join("-"), self.activation)
    }
}

/// A run: which rule, how fast, over what, for how long, in which order.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "UncheckedTraining")]
pub struct TrainingConfig {
    #[serde(flatten)]
    optimizer: Optimizer,
    learning_rate: f64,
    #[serde(default)]
    schedule: Schedule,
    batch_size: usize,
    epochs: usize,
    seed: u64,
    /// The first and the last epoch to train, where not all are.
    #[serde(skip)]
    part: Option<(usize, usize)>,
}

impl TrainingConfig {
    /// A run of `epochs` passes over the training images, each in an order that `seed` and the epoch decide, in
    /// batches of `batch_size` (the last one may be smaller), with the same learning rate for every step.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if the optimizer is not valid, the learning rate negative or not finite, or a
    /// count 0.
    pub fn new(optimizer: Optimizer, learning_rate: f64, batch_size: usize, epochs: usize, seed: u64) -> Result<Self> {
        optimizer.validate()?;
        at_least_zero("learning-rate", learning_rate)?;
        if batch_size == 0 {
            return Err(Error::configuration("batch-size", "a batch needs at least one image"));
        }
        if epochs == 0 {
            return Err(Error::configuration("epochs", "a run needs at least one epoch"));
        }
        Ok(Self { optimizer, learning_rate, schedule: Schedule::Constant, batch_size, epochs, seed, part: None })
    }

    /// The rule.
    pub fn optimizer(&self) -> &Optimizer {
        &self.optimizer
    }

    /// η
    pub fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    /// How the learning rate changes from step to step.
    pub fn schedule(&self) -> Schedule {
        self.schedule
    }

    /// The learning rate of step `step` of `steps`, the first being 0.
    pub fn learning_rate_at(&self, step: usize, steps: usize) -> f64 {
        self.learning_rate * self.schedule.share(step, steps)
    }

    /// Images in a batch.
    pub fn batch_size(&self) -> usize {
        self.batch_size
    }

    /// Passes over the training images.
    pub fn epochs(&self) -> usize {
        self.epochs
    }

    /// Updates that the run makes on this many training images, or as many as can be counted.
    pub fn steps(&self, images: usize) -> usize {
        self.epochs.saturating_mul(images.div_ceil(self.batch_size))
    }

    /// Decides the order of the images in every epoch.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The same run with another schedule.
    pub fn with_schedule(self, schedule: Schedule) -> Self {
        Self { schedule, ..self }
    }

    /// The same run with another seed.
    pub fn with_seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// The same run for longer or shorter, but for at least one epoch.
    pub fn with_epochs(self, epochs: usize) -> Self {
        Self { epochs: epochs.max(1), part: None, ..self }
    }

    /// Of this run, these epochs alone (from 1): with the order of images and the learning rates that they have in the whole,
    /// and, unless they begin with the first, with the optimizer as it is. Parts one after the other are the whole.
    pub fn part(self, epochs: RangeInclusive<usize>) -> Self {
        Self { part: Some(epochs.into_inner()), ..self }
    }

    /// The epochs to train, of all that the run has.
    pub fn epochs_to_train(&self) -> RangeInclusive<usize> {
        let (first, last) = self.part.unwrap_or((1, self.epochs));
        first.max(1)..=last.min(self.epochs)
    }
}

/// As it stands in a file.
#[derive(Deserialize)]
struct UncheckedTraining {
    #[serde(flatten)]
    optimizer: Optimizer,
    learning_rate: f64,
    #[serde(default)]
    schedule: Schedule,
    batch_size: usize,
    epochs: usize,
    seed: u64,
}

impl TryFrom<UncheckedTraining> for TrainingConfig {
    type Error = Error;

    fn try_from(unchecked: UncheckedTraining) -> Result<Self> {
        let UncheckedTraining { optimizer, learning_rate, schedule, batch_size, epochs, seed } = unchecked;
        Self::new(optimizer, learning_rate, batch_size, epochs, seed).map(|run| run.with_schedule(schedule))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejected<T: fmt::Debug>(result: Result<T>) -> &'static str {
        match result {
            Err(Error::Configuration { option, .. }) => option,
            other => panic!("not a configuration error: {other:?}"),
        }
    }

    #[test]
    fn a_network_needs_units_in_every_layer() {
        let relu = Activation::Relu;
        assert_eq!(rejected(MlpConfig::new(0, &[], 10, relu)), "inputs");
        assert_eq!(rejected(MlpConfig::new(784, &[5, 0], 10, relu)), "hidden");
        assert_eq!(rejected(MlpConfig::new(784, &[], 1, relu)), "classes");
        assert_eq!(rejected(MlpConfig::new(784, &[1 << 40], 10, relu)), "hidden");
        assert_eq!(rejected(MlpConfig::new(784, &[usize::MAX, usize::MAX], 10, relu)), "hidden");
        let linear = MlpConfig::new(4, &[], 2, relu).unwrap();
        assert_eq!(linear.sizes(), [4, 2]);
        let deep = MlpConfig::new(4, &[5, 6], 2, relu).unwrap();
        assert_eq!((deep.inputs(), deep.hidden(), deep.classes()), (4, &[5, 6][..], 2));
    }

    #[test]
    fn a_run_needs_usable_hyper_parameters() {
        let run = |optimizer, rate, batch, epochs| TrainingConfig::new(optimizer, rate, batch, epochs, 0);
        let sgd = Optimizer::Sgd { weight_decay: 0.0 };
        for rate in [-1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(rejected(run(sgd, rate, 64, 1)), "learning-rate");
        }
        assert_eq!(rejected(run(sgd, 0.1, 0, 1)), "batch-size");
        assert_eq!(rejected(run(sgd, 0.1, 64, 0)), "epochs");
        assert_eq!(rejected(run(Optimizer::adam(-1.0), 0.1, 64, 1)), "weight-decay");
        let momentum = |momentum, nesterov| Optimizer::Momentum { momentum, nesterov, weight_decay: 0.0 };
        assert_eq!(rejected(run(momentum(1.0, false), 0.1, 64, 1)), "momentum");
        assert_eq!(rejected(run(momentum(0.0, true), 0.1, 64, 1)), "nesterov");
        let adam = |beta1, beta2, epsilon| Optimizer::Adam { beta1, beta2, epsilon, weight_decay: 0.0 };
        assert_eq!(rejected(run(adam(1.0, 0.999, 1e-8), 0.1, 64, 1)), "beta1");
        assert_eq!(rejected(run(adam(0.9, -0.1, 1e-8), 0.1, 64, 1)), "beta2");
        for epsilon in [0.0, f64::INFINITY, f64::NAN] {
            assert_eq!(rejected(run(adam(0.9, 0.999, epsilon), 0.1, 64, 1)), "epsilon");
        }
        assert!(run(momentum(0.9, true), 0.0, 1, 1).is_ok());
    }

    #[test]
    fn a_last_batch_that_is_not_full_is_a_step_too() {
        let plan = TrainingConfig::new(Optimizer::adam(0.0), 0.1, 64, 3, 0).unwrap();
        assert_eq!([0, 64, 65].map(|images| plan.steps(images)), [0, 3, 6]);
        let endless = TrainingConfig::new(Optimizer::adam(0.0), 0.1, 1, usize::MAX, 0).unwrap();
        assert_eq!(endless.steps(2), usize::MAX);
    }

    #[test]
    fn names_are_read_back() {
        for activation in Activation::ALL {
            assert_eq!(activation.name().parse::<Activation>().unwrap(), activation);
        }
        let message = "gelu".parse::<Activation>().unwrap_err().to_string();
        assert!(message.contains("'gelu'") && message.contains("sigmoid"), "{message}");
    }
}
