//! The tests that cross crates, in a single program, because every further program would have to link Burn and the
//! graphics stack again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod after_training;
mod agreement;
mod conformance;
mod coverage;
mod diagnosis;
mod draw;
mod error_bounds;
mod evaluation;
mod faults;
mod hyperparameters;
mod limits;
#[allow(unreachable_pub, reason = "the module is public in its own crate")]
#[path = "../examples/third-party/src/linear.rs"]
mod linear;
mod mnist;
mod parameter_files;
mod random_configurations;
mod random_specifications;
mod saved_networks;
mod third_party;
mod trace_file;
mod trace_format;
mod trace_reading;
mod traces;
#[cfg(feature = "framework")]
mod trained;
mod training;
