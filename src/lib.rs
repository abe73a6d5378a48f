//! The contract between implementations of a multi-layer perceptron and the tools that check and compare them.
//!
//! A network with a wrong gradient often still trains, only a little worse, so its accuracy does not reveal the bug.
//! The mlp-parity crates find such bugs by comparison: they run an implementation step by step beside a float64
//! reference, and accept a difference only if rounding errors can explain it. This crate defines the interface that an
//! implementation must provide to be compared, and depends on no machine-learning framework.
//!
//! # Where to start
//!
//! | To | Start with |
//! |---|---|
//! | implement a model of your own | [what to implement first](classifier#what-to-implement-first): the methods in a testable order, the data layout, a complete example |
//! | test that it meets the contract | `conformance_tests!`, a macro that generates one test per requirement (feature `conformance`) |
//! | test that its gradients and updates are correct | `mlp_parity_compare::diagnosis::assert_agreement` |
//! | train and compare several implementations | the crate `mlp-parity-compare`, or its program `compare` |
//! | only train a network | `mlp_parity_scratch::Mlp`, as in the [example](#example) |
//!
//! # Contents
//!
//! - Two traits: [`Classifier`], a black box that can be trained and queried for predictions, and [`Differentiable`], a
//!   white box that also exposes its parameters, gradients and updates.
//! - Hyper-parameters with documented defaults: [`MlpConfig`] (shape of the network), [`Optimizer`], [`Schedule`] and
//!   [`TrainingConfig`].
//! - [`Parameters`]: weights and biases under PyTorch's names. [`Parameters::glorot_uniform`] draws them from a seed,
//!   so that all implementations start from the same values.
//! - [`Dataset`] and [`Batch`]: images, scaled identically for every implementation and visited in an order that
//!   depends only on the seed and the epoch. [`mnist::DataSource`] loads MNIST, embedded in the program (feature
//!   `embedded`, on by default) or from files.
//! - [`training::fit`], one training loop for every [`Differentiable`], with an [`Observer`] for progress, early
//!   stopping and records; [`Checkpoint`] for resuming.
//! - [`metrics`] such as accuracy and cross-entropy, and one [`Error`] type whose messages say what is wrong, where,
//!   and what is allowed.
//!
//! `mlp-parity-scratch` implements the contract by hand on `ndarray`, and `mlp-parity-framework` implements it with
//! Burn. In this documentation, "the report" is the published study whose results this project reproduces (see
//! `docs/reproduction.md`).
//!
//! # Example
//!
//! Trains a network with one hidden layer of 100 units on 6,000 images of MNIST, and evaluates it on the test set:
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
pub use error::{Error, Result, list_names};
pub use hyperparameters::{Activation, MlpConfig, Optimizer, Schedule, TrainingConfig, TrainingConfigBuilder};
/// Re-export of `ndarray` 0.17, whose array types appear in this crate's API. Use this path rather than a dependency of
/// your own: another version of `ndarray` has incompatible types.
pub use ndarray;
pub use parameters::{FORMAT as PARAMETERS_FORMAT, Layer, OptimizerState, ParameterFile, Parameters};
pub use storage::SafetensorsFile;
pub use training::Checkpoint;

/// Compiles and runs the example of the documentation as a documentation test.
#[cfg(all(doctest, feature = "embedded"))]
#[doc = include_str!("../docs/library.md")]
struct Library;
