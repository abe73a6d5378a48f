//! Tests of softmax, and of evaluating a classifier on a data set: predictions, accuracy and loss.

use mlp_parity::classifier::softmax;
use mlp_parity::metrics::{self, Evaluation, History};
use mlp_parity::{Activation, Classifier, Dataset, Error, MlpConfig, Observer, TrainingConfig};
use mlp_parity_compare::training::evaluate;
use ndarray::{Array2, ArrayView2, array};

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

/// The parameters are finite, but so large that the logits overflow.
#[test]
fn evaluation_rejects_overflowing_network() {
    let (config, mut parameters) = support::network(&[20], Activation::Relu);
    for layer in parameters.layers_mut() {
        layer.weight.mapv_inplace(|weight| weight * 1e30);
    }
    assert!(parameters.first_non_finite().is_none());
    for candidate in support::all_candidates() {
        let model = candidate.create(&config, &parameters).unwrap();
        match evaluate(model.as_ref(), &support::dataset(70)) {
            Err(Error::NonFiniteOutput { what, value }) => {
                assert!(what.starts_with("the probability of class ") && value.is_nan(), "{what}: {value}");
            }
            other => panic!("{}: {other:?}", candidate.identity()),
        }
    }
}

/// A classifier that does not notice that its evaluation is not a number.
struct Unnoticed(MlpConfig);

impl Classifier for Unnoticed {
    fn config(&self) -> &MlpConfig {
        &self.0
    }

    fn fit(&mut self, _: &Dataset, _: &TrainingConfig, _: &mut dyn Observer) -> mlp_parity::Result<History> {
        Ok(History::default())
    }

    fn predict_probabilities(&self, images: ArrayView2<'_, f32>) -> mlp_parity::Result<Array2<f32>> {
        Ok(Array2::from_elem([images.nrows(), self.0.classes()], f32::NAN))
    }

    fn evaluate(&self, dataset: &Dataset) -> mlp_parity::Result<Evaluation> {
        let predictions = vec![0; dataset.len()];
        let accuracy = metrics::accuracy(&predictions, dataset.labels());
        Ok(Evaluation { accuracy, loss: f64::NAN, predictions })
    }
}

#[test]
fn evaluation_by_implementation_is_checked() {
    let (config, _) = support::network(&[], Activation::Relu);
    let error = evaluate(&Unnoticed(config), &support::dataset(70)).unwrap_err();
    assert!(matches!(&error, Error::NonFiniteOutput { what, .. } if what == "the loss on 70 images"), "{error}");
}
