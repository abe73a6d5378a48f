//! Misclassified test images, with the predictions of all implementations.

use maud::{Markup, html};
use mlp_parity::Dataset;
use mlp_parity_compare::Run;

use super::raster::{Color, paths};

/// Largest number of images.
const IMAGES: usize = 24;

/// The predictions of one implementation for all test images.
type Predictions<'a> = (String, &'a [usize]);

/// Returns the images that at least one of the networks misclassifies, beginning with those on which the networks disagree; nothing
/// if there are none.
pub(super) fn misclassified(test: &Dataset, training: &str, runs: &[&Run]) -> Markup {
    let predictions: Vec<Predictions<'_>> = runs
        .iter()
        .filter_map(|run| Some((run.record.identity.to_string(), run.evaluation.as_ref()?.predictions.as_slice())))
        .collect();
    let (mut disputed, mut others) = (Vec::new(), Vec::new());
    for (index, &label) in test.labels().iter().enumerate() {
        let mut answers = predictions.iter().filter_map(|(_, predictions)| predictions.get(index));
        let Some(first) = answers.next() else { continue };
        match (answers.all(|answer| answer == first), *first == label) {
            (true, true) => {}
            (true, false) => others.push(index),
            (false, _) => disputed.push(index),
        }
    }
    let total = disputed.len() + others.len();
    let shown: Vec<usize> = disputed.iter().chain(&others).copied().take(IMAGES).collect();
    html! {
        @if !shown.is_empty() {
            h4 { "Misclassified test images, training " (training) }
            p class="quiet" {
                @if shown.len() < total { "The first " (shown.len()) " of " }
                (total) " images that at least one network misclassifies. "
                @if disputed.is_empty() { "The networks agree on all of them." }
                @else { "Those on which the networks disagree (" (disputed.len()) ") come first." }
            }
            ul class="digits" { @for index in shown { li { (image(test, index, &predictions)) } } }
        }
    }
}

/// Returns an image, with its label and the prediction of each implementation.
fn image(test: &Dataset, index: usize, predictions: &[Predictions<'_>]) -> Markup {
    let ([rows, columns], label) = (test.image_shape(), test.labels().get(index).copied().unwrap_or_default());
    let pixels = test.image(index).chunks(columns.max(1));
    let ink = pixels.map(|row| row.iter().map(|&pixel| Color::of_share("ink", f64::from(pixel) / 255.0)));
    html! {
        svg role="img" aria-label={ "Test image " (index) ", label " (label) } viewBox={ "0 0 " (columns) " " (rows) }
            shape-rendering="crispEdges" { (paths(ink)) }
        dl {
            dt { "label" } dd { (label) }
            @for (name, predictions) in predictions {
                @if let Some(answer) = predictions.get(index) {
                    dt { (name) } dd class=[(*answer != label).then_some("bad")] { (answer) }
                }
            }
        }
    }
}
