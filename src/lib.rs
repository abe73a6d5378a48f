//! The contract between a multi-layer perceptron and whoever wants to know whether it is right.
//!
//! This crate knows no framework and no implementation. It says what an implementation is ([`Classifier`], a black
//! box, and [`Differentiable`], one that can be opened), and holds all that two implementations must share in order
//! to be compared at all:
//!
//! - hyper-parameters with documented defaults: [`MlpConfig`], [`Optimizer`], [`TrainingConfig`];
//! - [`Parameters`] with PyTorch's names, drawn once ([`Parameters::glorot_uniform`]) and given to everyone;
//! - one path for data: [`Dataset`] decides how a pixel becomes a number and in which order images come;
//! - one training loop, [`training::fit`], for every [`Differentiable`];
//! - MNIST, inside the program or from files: [`mnist::DataSource`];
//! - [`metrics`], and an [`Error`] that says what is wrong, where, and what to do.
//!
//! To write an implementation, begin with [what to implement first](classifier#what-to-implement-first): it says which
//! methods in which order, and how data lie in memory.
//!
//! `mlp-parity-scratch` implements the contract by hand, `mlp-parity-framework` with Burn, and `mlp-parity-compare`
//! tells whether implementations agree: these two, or yours.
//!
//! ```
//! use mlp_parity::mnist::DataSource;
//! use mlp_parity::{Activation, Classifier, MlpConfig, Optimizer, Parameters, TrainingConfig};
//! use mlp_parity_scratch::Mlp;
//!
//! # fn main() -> mlp_parity::Result<()> {
//! let mnist = DataSource::Embedded.load()?;
//! let (train, _) = mnist.train.split_at(6_000)?;
//!
//! let config = MlpConfig::new(train.inputs(), &[100], train.classes(), Activation::Relu)?;
//! let parameters = Parameters::glorot_uniform(&config, 0);
//! let mut network = Mlp::new(config, &parameters)?;
//!
//! let training = TrainingConfig::builder().optimizer(Optimizer::sgd()).learning_rate(0.1).epochs(2).build()?;
//! let history = network.fit(&train, &training, &mut ())?;
//! let evaluation = network.evaluate(&mnist.test)?;
//!
//! assert!(history.epochs[1].train_loss < history.epochs[0].train_loss);
//! assert!(evaluation.accuracy > 0.85);
//! # Ok(())
//! # }
//! ```

mod arithmetic;
pub mod classifier;
#[cfg(feature = "conformance")]
pub mod conformance;
mod dataset;
mod error;
mod hyperparameters;
pub mod metrics;
pub mod mnist;
mod parameters;
pub mod storage;
pub mod training;

pub use arithmetic::{Arithmetic, Scalar};
pub use classifier::{BatchReport, Classifier, Differentiable, Observer, check_images, softmax};
pub use dataset::{Batch, Batches, Dataset, check_finite};
pub use error::{Error, Result};
pub use hyperparameters::{Activation, MlpConfig, Optimizer, Schedule, TrainingConfig, TrainingConfigBuilder};
/// The `ndarray` (0.17) whose arrays appear in this crate's functions. Use it from here instead of a dependency of your own,
/// so that the versions, and with them the types, are always the same.
pub use ndarray;
pub use parameters::{FORMAT as PARAMETERS_FORMAT, Layer, OptimizerState, ParameterFile, Parameters};
pub use storage::SafetensorsFile;
pub use training::Checkpoint;

/// The README's examples are compiled and run with the tests.
#[cfg(all(doctest, feature = "embedded"))]
#[doc = include_str!("../README.md")]
struct Readme;
