//! Speed measurements: training time, inference time and latency of each candidate.
//!
//! Times depend on the machine, so they are also given relative to two reference times: that of the first candidate and
//! the *dense floor*. The dense floor is the time in which one epoch could be trained if every operation ran at the
//! rate of the machine's fastest dense matrix product. No implementation that performs all operations is faster; one
//! that skips operations with zero pixels can be.
//!
//! Measurements are made in rounds. A round measures every candidate once, one after the other, so that a disturbance
//! on the machine affects all of them. Ratios are taken within a round. A ratio that varies too much between rounds is
//! not reported ([`Spread::stable_median`]).
//!
//! [`run`] measures a fixed set of networks. [`CostSweep`] varies the batch size, the layer width and the number of
//! threads. [`TimeToAccuracy`] is the time that a whole process takes to reach a given accuracy.

mod cost;
mod machine;
mod measure;
mod spread;
mod time_to;

pub use cost::{Cost, CostSweep, SweepAxis};
pub use machine::processor;
pub use measure::{Bench, BenchCandidate, Measurement, operations_per_epoch, run};
pub use spread::Spread;
pub use time_to::TimeToAccuracy;
