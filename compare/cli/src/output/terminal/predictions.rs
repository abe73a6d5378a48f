//! What pictures show.

use comfy_table::Table;
use mlp_parity_compare::record::Prediction;

use super::table::{bar, table};

/// One row for each picture: for everyone the digit, how probable it is, and a bar for each digit.
pub(crate) fn predictions(predictions: &[Prediction]) -> Table {
    let mut header = vec![String::new()];
    for answer in predictions.first().iter().flat_map(|prediction| &prediction.answers) {
        let digits = (0..answer.probabilities.len()).map(|digit| digit.to_string());
        header.extend([answer.identity.to_string(), digits.collect()]);
    }
    let mut rows = table(&header.iter().map(String::as_str).collect::<Vec<_>>());
    for prediction in predictions {
        let answers = prediction.answers.iter().flat_map(|answer| {
            let probability = answer.probabilities.get(answer.digit).copied().unwrap_or(0.0);
            [format!("{}, {:.1} %", answer.digit, 100.0 * probability), bars(&answer.probabilities)]
        });
        rows.add_row([prediction.image.clone()].into_iter().chain(answers));
    }
    rows
}

/// A dot for what is nearly nothing.
fn bars(probabilities: &[f32]) -> String {
    let seen = |&probability: &f32| if probability < 0.005 { '·' } else { bar(probability.into()) };
    probabilities.iter().map(seen).collect()
}

#[cfg(test)]
mod tests {
    use super::bars;

    #[test]
    fn bars_are_as_high_as_probabilities() {
        assert_eq!(bars(&[0.0, 0.004, 0.01, 0.25, 0.5, 1.0]), "··▁▂▄█");
    }
}
