//! The file format of a trace: tensor names, metadata and their serialization.

use std::collections::HashMap;

use mlp_parity::storage::{SafetensorsFile, StoredTensor, deserialize, serialize};
use mlp_parity::{Optimizer, Result, Scalar};
use ndarray::{ArrayD, ArrayViewD};
use safetensors::Dtype;

use super::model::{FORMAT, Trace};
use super::read;
use crate::check::compare::Tensors;

impl SafetensorsFile for Trace {
    /// Serializes the trace. Floating-point values are written in the precision in which the implementation computed
    /// them.
    fn to_bytes(&self) -> Result<Vec<u8>> {
        serialize(&if self.is_double { self.stored::<f64>() } else { self.stored::<f32>() }, self.metadata())
    }

    /// Parses a trace. Rejects bytes that are not a complete safetensors file, metadata that are unknown, missing or
    /// invalid, tensors that are unknown or have an unexpected type or shape, and values that are NaN or infinite.
    fn read(bytes: &[u8]) -> Result<Self, String> {
        let (tensors, metadata) = deserialize(bytes)?;
        read::trace(&metadata, &tensors)
    }
}

impl Trace {
    /// Returns all tensors in the form in which a file stores them, with floating-point values converted to `F`.
    fn stored<F: Scalar>(&self) -> Vec<StoredTensor> {
        let mut stored: Vec<StoredTensor> = self.initial.cast::<F>().stored_tensors("initial.").collect();
        let float =
            |name: String, values: ArrayViewD<'_, f64>| StoredTensor::new(name, values.mapv(F::from_f64).view());
        // Reversed axes: [inputs, outputs] in memory is [outputs, inputs] in the file.
        let parameters = |prefix: &str, tensors: &Tensors| -> Vec<StoredTensor> {
            tensors.iter().map(|(name, values)| float(format!("{prefix}{name}"), values.t())).collect()
        };
        stored.extend(parameters("gradient.", &self.gradients));
        for (number, step) in self.steps.iter().enumerate() {
            stored.extend(parameters(&format!("step.{number}."), &step.parameters));
        }
        for (number, batch) in self.batches.iter().enumerate() {
            stored.push(float(format!("batch.{number}.images"), batch.images().into_dyn()));
            stored.push(StoredTensor {
                name: format!("batch.{number}.labels"),
                dtype: Dtype::I64,
                shape: vec![batch.len()],
                bytes: batch.labels().iter().flat_map(|&label| (label as i64).to_le_bytes()).collect(),
            });
        }
        let scalar = |name: String, value: f64| float(name, ArrayD::from_elem(vec![1], value).view());
        stored.extend(self.logits.as_ref().map(|logits| float("logits".to_owned(), logits.view().into_dyn())));
        stored.extend(self.loss.map(|loss| scalar("loss".to_owned(), loss)));
        for (number, step) in self.steps.iter().enumerate() {
            stored.extend(step.loss.map(|loss| scalar(format!("step.{number}.loss"), loss)));
        }
        stored
    }

    fn metadata(&self) -> HashMap<String, String> {
        let optimizer = &self.optimizer;
        let mut entries = vec![
            ("format", FORMAT.to_owned()),
            ("producer", self.producer.clone()),
            ("activation", self.config.activation().to_string()),
            ("optimizer", optimizer.name().to_owned()),
            ("learning_rate", self.learning_rate.to_string()),
            ("weight_decay", optimizer.weight_decay().to_string()),
        ];
        match *optimizer {
            Optimizer::Sgd { .. } => {}
            Optimizer::Momentum { momentum, nesterov, .. } => {
                entries.extend([("momentum", momentum.to_string()), ("nesterov", nesterov.to_string())]);
            }
            Optimizer::Adam { beta1, beta2, epsilon, .. } | Optimizer::AdamW { beta1, beta2, epsilon, .. } => {
                let numbers = [("beta1", beta1), ("beta2", beta2), ("epsilon", epsilon)];
                entries.extend(numbers.map(|(name, value)| (name, value.to_string())));
            }
        }
        entries.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}
