//! Time to reach an accuracy, measured over a whole process.

use serde::Serialize;

/// Time and accuracy of one process that trained a network with a given recipe (command-line options and seed).
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct TimeToAccuracy {
    /// The seed of the training run.
    pub seed: u16,
    /// Fraction of the test images that the trained network classifies correctly.
    pub accuracy: f64,
    /// Wall-clock time from the start of the process to its end, in seconds.
    pub seconds: f64,
}
