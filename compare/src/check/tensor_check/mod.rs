//! The comparison of one tensor with its expected value.

mod check;
mod difference;

pub(crate) use check::CheckContext;
pub(in crate::check) use check::TensorPair;
pub use check::{Check, Stage};
pub use difference::DifferenceMap;
