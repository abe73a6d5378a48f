//! Logistic regression of the crate `smartcore`, wrapped as a black box: it exposes neither gradients nor update steps.

use std::time::Instant;

use mlp_parity::metrics::{Epoch, History, cross_entropy};
use mlp_parity::ndarray::{Array2, ArrayView2};
use mlp_parity::{Classifier, Dataset, Error, MlpConfig, Observer, Result, TrainingConfig, check_images, softmax};
use smartcore::linalg::basic::arrays::Array;
use smartcore::linalg::basic::matrix::DenseMatrix;
use smartcore::linear::logistic_regression::{LogisticRegression, LogisticRegressionParameters};

/// Logistic regression, solved by L-BFGS. The solver ignores the optimizer, learning rate and number of epochs in
/// the training configuration. Before training, the model predicts the same probability for every class.
pub struct Logistic {
    config: MlpConfig,
    /// Weights, `[inputs, classes]`.
    weight: Array2<f32>,
    /// Biases, `[1, classes]`.
    bias: Array2<f32>,
}

impl Logistic {
    /// Creates an untrained model, whose weights and biases are zero.
    pub fn new(config: &MlpConfig) -> Self {
        let (weight, bias) = (Array2::zeros([config.inputs(), config.classes()]), Array2::zeros([1, config.classes()]));
        Self { config: config.clone(), weight, bias }
    }
}

/// Converts an error of smartcore to an [`Error`].
fn failed(error: smartcore::error::Failed) -> Error {
    Error::Implementation(Box::new(error))
}

impl Classifier for Logistic {
    fn config(&self) -> &MlpConfig {
        &self.config
    }

    fn fit(&mut self, train: &Dataset, _: &TrainingConfig, observer: &mut dyn Observer) -> Result<History> {
        train.check_fit(&self.config)?;
        let start = Instant::now();
        let all_images = train.batch::<f32>(&(0..train.len()).collect::<Vec<_>>());
        let rows: Vec<Vec<f32>> = all_images.images().rows().into_iter().map(|row| row.to_vec()).collect();
        let images = DenseMatrix::from_2d_vec(&rows).map_err(failed)?;
        let labels: Vec<i32> = train.labels().iter().map(|&label| label as i32).collect();
        let options = LogisticRegressionParameters::default().with_alpha(1e-3);
        let solved = LogisticRegression::fit(&images, &labels, options).map_err(failed)?;
        // The solver has one row per class that occurs in the labels. Classes without images keep zero weights.
        for (row, &class) in solved.classes().iter().enumerate() {
            let column = class as usize;
            self.bias[[0, column]] = *solved.intercept().get((row, 0));
            for input in 0..self.config.inputs() {
                self.weight[[input, column]] = *solved.coefficients().get((row, input));
            }
        }
        let train_loss = cross_entropy(self.predict_probabilities(all_images.images())?.view(), train.labels());
        let epoch = Epoch { epoch: 1, train_loss, seconds: start.elapsed().as_secs_f64() };
        // The only epoch is complete, so a request to stop has no effect.
        let _ = observer.epoch_ended(&epoch, self)?;
        Ok(History { epochs: vec![epoch], stopped: false })
    }

    fn predict_probabilities(&self, images: ArrayView2<'_, f32>) -> Result<Array2<f32>> {
        check_images(&self.config, images)?;
        Ok(softmax(images.dot(&self.weight) + &self.bias))
    }
}
