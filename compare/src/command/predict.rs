//! What saved parameters take pictures for.

use mlp_parity::{ParameterFile, SafetensorsFile};
use mlp_parity::metrics::argmax;
use mlp_parity_compare::{Identity, Result};
use ndarray::Array2;
use serde::Serialize;
use serde_json::json;

use super::{print, print_json};
use crate::cli::{ImplementationName, PredictOptions};
use crate::picture::{self, Picture};
use crate::{implementation, report};

/// What everyone takes a picture for.
#[derive(Serialize)]
pub(crate) struct Prediction {
    /// The file, with the number of the image where it has several.
    pub(crate) image: String,
    pub(crate) answers: Vec<Answer>,
}

/// What one participant takes a picture for.
#[derive(Serialize)]
pub(crate) struct Answer {
    #[serde(flatten)]
    pub(crate) identity: Identity,
    pub(crate) digit: usize,
    /// By digit.
    pub(crate) probabilities: Vec<f32>,
}

pub(crate) fn run(options: &PredictOptions) -> Result<u8> {
    options.common.use_threads()?;
    let file = ParameterFile::<f32>::load(&options.file)?;
    let config = file.config(options.activation)?;
    let mut pictures = Vec::new();
    for path in &options.images {
        pictures.extend(picture::read(path)?);
    }
    let images = images(&pictures, config.inputs())?;
    let mut predictions: Vec<Prediction> =
        pictures.into_iter().map(|Picture { name, .. }| Prediction { image: name, answers: Vec::new() }).collect();
    for &name in &options.implementations {
        // `--backend` is the framework's, if it takes part.
        let is_elsewhere = name == ImplementationName::Scratch && options.implementations.len() > 1;
        let participant = implementation::named(name, options.backend.filter(|_| !is_elsewhere), config.activation())?;
        let probabilities = participant.create(&config, &file.parameters)?.predict_probabilities(images.view())?;
        for (prediction, row) in predictions.iter_mut().zip(probabilities.rows()) {
            let digit = argmax(row);
            let identity = participant.identity().clone();
            prediction.answers.push(Answer { identity, digit, probabilities: row.to_vec() });
        }
    }
    if options.common.json {
        let document = json!({ "format": "mlp-parity-predictions/1", "config": config, "predictions": predictions });
        print_json(serde_json::to_string_pretty(&document))?;
    } else {
        print(report::predictions(&predictions))?;
    }
    Ok(0)
}

/// One row for each picture.
fn images(pictures: &[Picture], inputs: usize) -> Result<Array2<f32>> {
    if let Some(picture) = pictures.iter().find(|picture| picture.pixels.len() != inputs) {
        let reason = format!("has {} pixels, but the network has {inputs} inputs", picture.pixels.len());
        return Err(mlp_parity::Error::data(&picture.name, reason).into());
    }
    let pixel = |(row, column): (usize, usize)| mlp_parity::Dataset::value(pictures[row].pixels[column]);
    Ok(Array2::from_shape_fn([pictures.len(), inputs], pixel))
}
