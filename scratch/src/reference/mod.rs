//! The reference network: a composition of operations, each with its value and its derivative.
//!
//! | module | operation |
//! |---|---|
//! | `activation` | activation functions and their derivatives: equations (2) and (7) |
//! | `loss` | output functions, losses and their derivatives: equations (3) and (4) |
//! | `clipping` | gradient clipping |
//! | `optimizer` | update rules |
//! | `precision` | rounding of the factors of products |
//! | `number` | the numbers in which scalar formulas are evaluated |
//! | `specification` | the choice of operations |
//! | `deviation` | departures from the equations |
//! | `passes` | the affine map of a layer, equations (1), (5) and (6), and the composition of all operations |
//! | `mlp` | the network with its optimizer, [`ReferenceMlp`] |

mod activation;
mod batch;
mod clipping;
mod deviation;
mod loss;
mod mlp;
mod number;
mod optimizer;
mod passes;
mod precision;
mod specification;

pub use activation::{ActivationFunction, Kink};
pub use batch::TrainingBatch;
pub use clipping::Clipping;
pub use deviation::{
    CarriedGradients, Correction, DerivativeForm, Deviations, OutputDelta, PropagatedWeight, ReportedLoss,
    SoftmaxGroup, UpdateOrder,
};
pub use loss::{LogarithmGuard, Loss, LossFunction, OutputFunction, Reduction};
pub use mlp::ReferenceMlp;
pub use number::Number;
pub use optimizer::{EpsilonPlacement, MomentumForm, STATE_SIZE, UpdateRule, UpdateStep};
pub use passes::Passes;
pub use precision::ProductPrecision;
pub use specification::{Specification, WeightDecay};
