//! Terminal table of predicted digits.

use mlp_parity_compare::record::Prediction;

use super::table::{Column, Table, bar};

/// Returns a table with one row per image: for each candidate, the most probable digit, its probability, and one bar
/// per digit.
pub(crate) fn predictions(predictions: &[Prediction]) -> Table {
    let mut columns = vec![Column::name("image")];
    for answer in predictions.first().iter().flat_map(|prediction| &prediction.answers) {
        // Of classes from 10 on, the last digit, because each bar is one character wide.
        let digits: String = (0..answer.probabilities.len()).map(|class| (class % 10).to_string()).collect();
        columns.extend([Column::text(answer.identity.to_string()), Column::text(digits).optional(1)]);
    }
    let mut rows = Table::new(columns);
    for prediction in predictions {
        let answers = prediction.answers.iter().flat_map(|answer| {
            let probability = answer.probabilities.get(answer.digit).copied().unwrap_or(0.0);
            [format!("{}, {:.1} %", answer.digit, 100.0 * probability), bars(&answer.probabilities)]
        });
        rows.add_row([prediction.image.clone()].into_iter().chain(answers));
    }
    rows
}

/// Draws one bar per probability; a dot stands for less than 0.5 %.
fn bars(probabilities: &[f32]) -> String {
    let symbol = |&probability: &f32| if probability < 0.005 { '·' } else { bar(probability.into()) };
    probabilities.iter().map(symbol).collect()
}

#[cfg(test)]
mod tests {
    use super::bars;

    #[test]
    fn bars_grow_with_probability() {
        assert_eq!(bars(&[0.0, 0.004, 0.01, 0.25, 0.5, 1.0]), "··▁▂▄█");
    }
}
