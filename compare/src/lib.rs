//! Determines whether implementations of the same multi-layer perceptron agree and, if they do not, where they differ.
//!
//! An implementation under test is a [`Candidate`]: any type that implements
//! [`Differentiable`](mlp_parity::Differentiable), together with a name. All candidates start from the same parameters,
//! receive the same batches in the same order and use the same hyper-parameters. The harness then answers two
//! questions:
//!
//! 1. **Is each candidate correct?** The check suite ([`check`]) compares its logits, loss, gradients, optimizer
//!    updates and training steps with a float64 reference. Each element has its own error bound, derived from the
//!    roundings that a correct implementation makes, so there is no tolerance to choose. A failed check names the
//!    stage, the tensor and the element.
//! 2. **Do the trained networks agree?** Training amplifies rounding errors, so even two correct implementations end
//!    with different parameters. The question is therefore whether they differ by more than chance ([`training`]). With
//!    one seed, the standard of comparison is the [control](training::control): replicas of the first candidate whose
//!    initial parameters are perturbed by rounding-sized noise. With several seeds, [statistical tests](statistics) of
//!    the paired differences answer the question.
//!
//! The result is a [`Verdict`] with a reason. If a check fails, the verdict is *disagree*, and nothing is trained.
//!
//! # Testing one implementation
//!
//! [`diagnosis::assert_agreement`] runs the check suite inside a test. Here, the network under test is the one from
//! `mlp-parity-scratch`:
//!
//! ```
//! use mlp_parity::{Activation, MlpConfig};
//! use mlp_parity_compare::check::Case;
//! use mlp_parity_compare::diagnosis::assert_agreement;
//! use mlp_parity_scratch::Mlp;
//!
//! # fn main() -> mlp_parity::Result<()> {
//! let config = MlpConfig::new(20, &[8, 6], 3, Activation::Tanh)?;
//! let case = Case::synthetic(&config, 0)?;
//! let mut network = Mlp::new(config, &case.parameters)?;
//! assert_agreement(&mut network, &case);
//! # Ok(())
//! # }
//! ```
//!
//! An implementation in another language is checked through a file that contains its computation: see [`check::Trace`].
//!
//! # Comparing implementations
//!
//! [`Comparison`] checks and trains any number of candidates, and compares each of the others with the first:
//!
//! ```
//! use mlp_parity::mnist::DataSource;
//! use mlp_parity::{Activation, MlpConfig, TrainingConfig};
//! use mlp_parity_compare::statistics::{MARGIN, Seeds};
//! use mlp_parity_compare::{Candidate, Comparison, Identity, Monitor, NamedTraining, Verdict};
//! use mlp_parity_scratch::Mlp;
//!
//! /// Your own implementation takes the place of `Mlp`.
//! fn candidate(name: &str) -> Candidate {
//!     let implementation = name.to_owned();
//!     let identity = Identity { implementation, backend: None, device: "cpu".to_owned(), kernels: None };
//!     Candidate::new(identity, |config, parameters| Ok(Box::new(Mlp::new(config.clone(), parameters)?)))
//! }
//!
//! # fn main() -> mlp_parity_compare::Result<()> {
//! let mnist = DataSource::Embedded.load()?;
//! let (train, test) = (mnist.train.take(640)?, mnist.test.take(200)?);
//! let config = MlpConfig::new(train.inputs(), &[16], train.classes(), Activation::Relu)?;
//! let training = TrainingConfig::builder().learning_rate(0.1).batch_size(32).epochs(3).build()?;
//! let comparison = Comparison {
//!     candidates: &[candidate("scratch"), candidate("mine")],
//!     config: &config,
//!     trainings: &[NamedTraining { name: "sgd".to_owned(), config: training }],
//!     seeds: Seeds::Fixed(1),
//!     margin: MARGIN,
//!     replicas: 2,
//!     train: &train,
//!     test: &test,
//!     threads: 2,
//! };
//! let outcome = comparison.run(&Monitor::default())?;
//! assert_eq!(outcome.verdict, Verdict::Agree, "{}", outcome.reason);
//! # Ok(())
//! # }
//! ```
//!
//! # Modules
//!
//! | module | contents |
//! |---|---|
//! | [`check`] | the check suite, the derivation of its error bounds, and traces |
//! | [`diagnosis`] | the mistakes behind results that disagree |
//! | [`training`] | training runs, checkpoints, the control, and the comparison of trained networks |
//! | [`statistics`] | equivalence tests for a fixed or growing number of seeds, spread, confidence and prediction intervals, power, McNemar's test, Cohen's κ |
//! | [`SavedNetwork`] | trained networks in files of other programs |
//! | [`record`] | stored results: one line of JSON per training run or check |
//! | [`reproduction`] | repeats the experiments of a published report, and assesses every row of its tables |
//! | [`mod@bench`] | speed measurements |
//!
//! The library prints nothing and has no command line; the program `compare` (package `mlp-parity-cli`) is built on it.
//! All implementations are treated in the same way; only their order matters, because the first one is compared with
//! each of the others.

pub mod bench;
mod candidate;
pub mod check;
pub mod diagnosis;
mod error;
mod input;
pub mod record;
pub mod reproduction;
pub mod statistics;
pub mod training;
mod verdict;

pub use candidate::{Candidate, Identity, NamedTraining};
pub use error::{Error, Result};
pub use input::{PixelScaling, SavedNetwork, open_npy};
pub use statistics::text::significant;
pub use training::{Comparison, Monitor, Outcome, Run, Trial};
pub use verdict::Verdict;
