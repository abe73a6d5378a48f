//! Writing of trace files, in safetensors, and parsing of their bytes.

use half::{bf16, f16};
use mlp_parity::Result;
use mlp_parity::storage::{SafetensorsFile, StoredTensor, serialize};
use ndarray::{ArrayD, ArrayViewD};
use safetensors::Dtype;

use super::model::{FORMAT, Precision, Trace, labels};
use super::reader;
use crate::check::compare::{Tensors, named_tensors};

impl SafetensorsFile for Trace {
    /// Serializes the trace as version 2, with weights `[outputs, inputs]`. Floating-point values are written in the
    /// precision in which the implementation computed them, or in a finer one where they would be rounded.
    fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut metadata = self.metadata.clone();
        metadata.insert("format".to_owned(), FORMAT.to_owned());
        metadata.insert("producer".to_owned(), self.producer.clone());
        serialize(&self.stored(), metadata.into_iter().collect())
    }

    /// Parses a trace in a safetensors, npz or JSON file. Rejects metadata that are unknown, missing or invalid, tensors that
    /// are unknown or have an unexpected type or shape, and parameters and inputs that are NaN or infinite.
    fn read(bytes: &[u8]) -> Result<Self, String> {
        reader::trace(bytes)
    }
}

impl Trace {
    /// Returns all tensors in the form in which a file stores them.
    fn stored(&self) -> Vec<StoredTensor> {
        let float = |name: String, values: ArrayViewD<'_, f64>| stored_float(self.computation.precision, name, values);
        let parameters = |prefix: &str, tensors: &Tensors| -> Vec<StoredTensor> {
            // Reversed axes: [inputs, outputs] in memory is [outputs, inputs] in the file.
            tensors.iter().map(|(name, values)| float(format!("{prefix}{name}"), values.t())).collect()
        };
        let mut initial = named_tensors(&self.computation.initial);
        let names: Vec<String> = self.tensor_names().collect();
        initial.retain(|name, _| names.contains(name));
        let mut stored = parameters("initial.", &initial);
        stored.extend(parameters("gradient.", &self.results.gradients));
        for (number, step) in self.results.steps.iter().enumerate() {
            stored.extend(parameters(&format!("step.{number}."), &step.parameters));
        }
        for (number, batch) in self.computation.batches.iter().enumerate() {
            let input = |name: &str, values| float(format!("batch.{number}.{name}"), values);
            stored.push(input("images", batch.images.view().into_dyn()));
            stored.push(match labels(&batch.targets) {
                Some(labels) => StoredTensor {
                    name: format!("batch.{number}.labels"),
                    dtype: Dtype::I64,
                    shape: vec![labels.len()],
                    bytes: labels.iter().flat_map(|&label| (label as i64).to_le_bytes()).collect(),
                },
                None => input("targets", batch.targets.view().into_dyn()),
            });
            for (index, mask) in batch.masks.iter().enumerate() {
                stored.extend(
                    mask.iter().map(|mask| input(&format!("masks.layer{}", index + 1), mask.view().into_dyn())),
                );
            }
        }
        let scalar = |name: String, value: f64| float(name, ArrayD::from_elem(vec![1], value).view());
        for (name, matrix) in [("logits", &self.results.logits), ("outputs", &self.results.outputs)] {
            stored.extend(matrix.iter().map(|matrix| float(name.to_owned(), matrix.view().into_dyn())));
        }
        stored.extend(self.results.loss.map(|loss| scalar("loss".to_owned(), loss)));
        for (number, step) in self.results.steps.iter().enumerate() {
            stored.extend(step.loss.map(|loss| scalar(format!("step.{number}.loss"), loss)));
        }
        stored
    }
}

/// Returns a floating-point tensor in `precision`, or in a finer one if `precision` does not represent all values exactly.
fn stored_float(precision: Precision, name: String, values: ArrayViewD<'_, f64>) -> StoredTensor {
    let is_exact = |round: fn(f64) -> f64| values.iter().all(|&value| value.is_nan() || round(value) == value);
    let shape = values.shape().to_vec();
    let half = |dtype, convert: fn(f64) -> [u8; 2]| StoredTensor {
        name: name.clone(),
        dtype,
        shape: shape.clone(),
        bytes: values.iter().copied().flat_map(convert).collect(),
    };
    match precision {
        Precision::Bfloat16 if is_exact(|value| bf16::from_f64(value).to_f64()) => {
            half(Dtype::BF16, |value| bf16::from_f64(value).to_le_bytes())
        }
        Precision::Half if is_exact(|value| f16::from_f64(value).to_f64()) => {
            half(Dtype::F16, |value| f16::from_f64(value).to_le_bytes())
        }
        Precision::Bfloat16 | Precision::Half | Precision::Single if is_exact(|value| f64::from(value as f32)) => {
            StoredTensor::new(name, values.mapv(|value| value as f32).view())
        }
        _ => StoredTensor::new(name, values),
    }
}
