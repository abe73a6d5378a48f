//! How fast the implementations train and classify, beside the fastest that any dense one can be.
//!
//! One round measures everyone once, in turn, so that what disturbs the machine disturbs all of them; ratios are taken
//! within a round. A ratio that differs too much from round to round is not stated.

mod cost;
mod machine;
mod measure;
mod spread;
mod time_to;

pub use cost::{Axis, Cost, CostSweep};
pub use machine::processor;
pub use measure::{Bench, BenchCandidate, Measurement, operations, run};
pub use spread::Spread;
pub use time_to::TimeToAccuracy;
