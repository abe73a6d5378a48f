//! Answers to pictures.

use serde::Serialize;

use crate::Identity;

/// Every implementation's answer to one picture.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Prediction {
    /// The file, with the number of the image where it has several.
    pub image: String,
    /// One for each implementation.
    pub answers: Vec<Answer>,
}

/// One implementation's answer to one picture.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Answer {
    /// The implementation.
    #[serde(flatten)]
    pub identity: Identity,
    /// The most probable digit.
    pub digit: usize,
    /// The probability of each digit.
    pub probabilities: Vec<f32>,
}
