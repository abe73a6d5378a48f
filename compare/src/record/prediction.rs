//! Predictions for single images.

use serde::Serialize;

use crate::Identity;

/// The predictions of all implementations for one image.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Prediction {
    /// Name of the image file, with the number of the image if the file contains several.
    pub image: String,
    /// One prediction per implementation.
    pub answers: Vec<Answer>,
}

/// The prediction of one implementation for one image.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Answer {
    /// The implementation.
    #[serde(flatten)]
    pub identity: Identity,
    /// The most probable class; for MNIST, the digit.
    pub digit: usize,
    /// The probability of each class.
    pub probabilities: Vec<f32>,
}
