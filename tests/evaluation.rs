//! How a classifier is judged: softmax, and the means over a data set.

use mlp_parity::classifier::softmax;
use mlp_parity::{Activation, metrics};
use ndarray::array;

#[test]
fn softmax_does_not_notice_what_is_added_to_all_logits() {
    let logits = array![[1.0_f32.ln(), 2.0_f32.ln(), 5.0_f32.ln()]];
    for shift in [0.0, 1000.0, -1000.0] {
        // Shifted logits are rounded to 1000 · 2⁻²⁴, and so are their exponentials.
        let probabilities = softmax(&logits + shift);
        approx::assert_abs_diff_eq!(probabilities.as_slice().unwrap(), [0.125, 0.25, 0.625].as_slice(), epsilon = 1e-4);
    }
}

/// More images than are looked at in one go, and not a multiple of it.
#[test]
fn an_evaluation_is_the_mean_over_all_images() {
    let data = support::dataset(1203);
    let (config, parameters) = support::network(&[20], Activation::Relu);
    let model = support::scratch().create(&config, &parameters).unwrap();
    let everything = data.batch::<f32>(&(0..1203).collect::<Vec<_>>());
    let probabilities = model.predict_probabilities(everything.images()).unwrap();
    let evaluation = model.evaluate(&data).unwrap();
    assert_eq!(evaluation.predictions, model.predict(everything.images()).unwrap());
    assert_eq!(evaluation.accuracy, metrics::accuracy(&evaluation.predictions, data.labels()));
    // Sums in double precision, in another order.
    let loss = metrics::cross_entropy(probabilities.view(), data.labels());
    approx::assert_relative_eq!(evaluation.loss, loss, max_relative = 1e-12);
}
