//! `compare predict`: classifies pictures of digits with saved parameters.

use mlp_parity::metrics::argmax;
use mlp_parity_compare::record::{Answer, Prediction};
use ndarray::Array2;
use serde_json::json;

use crate::args::{ImplementationName, PredictOptions};
use crate::error::Result;
use crate::implementation;
use crate::input::network::{Network, embedded_test_images};
use crate::input::picture::{self, Picture, PixelLimit};
use crate::output::folder::check_output_file;
use crate::output::plots::write_inputs;
use crate::output::print::{eprint_error, eprint_line, print_json};
use crate::output::terminal::{self, Page};

/// Runs `compare predict` and returns the exit code.
pub(crate) fn run(options: &PredictOptions) -> Result<u8> {
    options.common.use_threads()?;
    if let Some(path) = &options.show {
        for input in options.images.iter().chain([&options.saved.file]) {
            check_output_file(path, Some(input))?;
        }
    }
    let Network { config, parameters, .. } = options.saved.network(options.common.quiet, embedded_test_images)?;
    let mut exit_code = 0;
    let mut pictures = Vec::new();
    for path in &options.images {
        match picture::read(path, config.inputs(), PixelLimit(options.max_megapixels)) {
            Ok(read) => pictures.extend(read),
            Err(error) => {
                // An unusable picture does not prevent the classification of the others.
                eprint_error(&error);
                exit_code = error.exit_code();
            }
        }
    }
    if pictures.is_empty() {
        return Ok(exit_code);
    }
    for Picture { name, warning, .. } in &pictures {
        warning.iter().for_each(|warning| eprint_line(format_args!("warning: {name}: {warning}")));
    }
    options.show.as_deref().map_or(Ok(()), |path| write_inputs(path, &pictures))?;
    let pixel = |(row, column): (usize, usize)| mlp_parity::Dataset::scale_pixel(pictures[row].image.as_raw()[column]);
    let images = Array2::from_shape_fn([pictures.len(), config.inputs()], pixel);
    let mut predictions: Vec<Prediction> =
        pictures.into_iter().map(|Picture { name, .. }| Prediction { image: name, answers: Vec::new() }).collect();
    for (index, &name) in options.implementations.iter().enumerate() {
        if options.implementations[..index].contains(&name) {
            continue;
        }
        let candidate = match name {
            // With both implementations, `--backend` applies to the framework and is no contradiction for scratch.
            ImplementationName::Scratch if options.implementations.len() > 1 => implementation::scratch()?,
            _ => implementation::selected(name, &options.framework)?,
        };
        let probabilities = candidate.create(&config, &parameters)?.predict_probabilities(images.view())?;
        for (prediction, row) in predictions.iter_mut().zip(probabilities.rows()) {
            let identity = candidate.identity().clone();
            if let Some(class) = row.iter().position(|probability| !probability.is_finite()) {
                let what = format!("{}: the probability of class {class}, computed by {identity},", prediction.image);
                return Err(mlp_parity::Error::NonFiniteOutput { what, value: row[class].into() }.into());
            }
            prediction.answers.push(Answer { identity, digit: argmax(row), probabilities: row.to_vec() });
        }
    }
    if options.common.json {
        let document = json!({ "format": "mlp-parity-predictions/1", "config": config, "predictions": predictions });
        print_json(serde_json::to_string_pretty(&document))?;
    } else {
        let mut page = Page::new();
        page.table("", terminal::predictions(&predictions));
        page.print()?;
    }
    Ok(exit_code)
}
