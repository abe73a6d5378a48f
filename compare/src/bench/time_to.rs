//! Time to an accuracy, of a whole process.

use serde::Serialize;

/// A process that trained by a recipe.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct TimeToAccuracy {
    /// The seed that it trained with.
    pub seed: u16,
    /// Share of the test images that it classifies right.
    pub accuracy: f64,
    /// Seconds from the start of the process to its end.
    pub seconds: f64,
}
