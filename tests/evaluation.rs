//! Tests of softmax, and of evaluating a classifier on a data set: predictions, accuracy and loss.

use mlp_parity::classifier::softmax;
use mlp_parity::{Activation, metrics};
use ndarray::array;

#[test]
fn softmax_is_invariant_to_shift_of_logits() {
    let logits = array![[1.0_f32.ln(), 2.0_f32.ln(), 5.0_f32.ln()]];
    for shift in [0.0, 1000.0, -1000.0] {
        // Shifting rounds the logits with an error of up to 1000 · 2⁻²⁴, which the exponentials inherit.
        let probabilities = softmax(&logits + shift);
        approx::assert_abs_diff_eq!(probabilities.as_slice().unwrap(), [0.125, 0.25, 0.625].as_slice(), epsilon = 1e-4);
    }
}

/// The number of images exceeds the size of an inference batch, and is not a multiple of it.
#[test]
fn evaluation_is_mean_over_all_images() {
    let data = support::dataset(1203);
    let (config, parameters) = support::network(&[20], Activation::Relu);
    let model = support::scratch().create(&config, &parameters).unwrap();
    let everything = data.batch::<f32>(&(0..1203).collect::<Vec<_>>());
    let probabilities = model.predict_probabilities(everything.images()).unwrap();
    let evaluation = model.evaluate(&data).unwrap();
    assert_eq!(evaluation.predictions, model.predict(everything.images()).unwrap());
    assert_eq!(evaluation.accuracy, metrics::accuracy(&evaluation.predictions, data.labels()));
    // Both are sums in double precision, but in different order.
    let loss = metrics::cross_entropy(probabilities.view(), data.labels());
    approx::assert_relative_eq!(evaluation.loss, loss, max_relative = 1e-12);
}
