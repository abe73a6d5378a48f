//! The file: names, metadata, bytes.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use mlp_parity::file::write_atomically;
use mlp_parity::{Error, Optimizer, Result, Scalar};
use ndarray::{ArrayD, ArrayViewD};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use super::{Trace, read};

/// The version of the files written and read here.
pub const FORMAT: &str = "mlp-parity-trace/1";

/// A tensor as it stands in a file.
pub(super) struct Stored {
    pub(super) dtype: Dtype,
    pub(super) shape: Vec<usize>,
    pub(super) bytes: Vec<u8>,
}

impl Trace {
    /// Writes the file, whole or not at all.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if it cannot be written, [`Error::Parameters`] as [`to_bytes`](Self::to_bytes).
    pub fn save(&self, path: &Path) -> Result<()> {
        write_atomically(path, &self.to_bytes()?)
    }

    /// Reads a file.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if it cannot be read, [`Error::Parameters`] as [`from_bytes`](Self::from_bytes).
    pub fn load(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
        Self::from_bytes(&bytes, &path.display().to_string())
    }

    /// Reads a file's bytes; `origin` names them in errors.
    ///
    /// # Errors
    ///
    /// [`Error::Parameters`] if they are not a whole safetensors file, its metadata are unknown or contradict each other, a
    /// tensor is unknown, of another type or shape than it must be, or a value is NaN or infinite.
    pub fn from_bytes(bytes: &[u8], origin: &str) -> Result<Self> {
        let refused = |reason: String| Error::parameters(origin, reason);
        let broken = |error| refused(format!("not a whole safetensors file ({error}); is it truncated?"));
        let tensors = SafeTensors::deserialize(bytes).map_err(broken)?;
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(broken)?;
        let metadata = header.metadata().clone().unwrap_or_default();
        read::trace(&metadata, &tensors).map_err(refused)
    }

    /// The file's bytes, in the precision of the trace; the same for the same trace.
    ///
    /// # Errors
    ///
    /// [`Error::Parameters`] if the container refuses them (more than 100 MB of names).
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        self.container().map_err(|error| Error::parameters("trace", error.to_string()))
    }

    fn container(&self) -> std::result::Result<Vec<u8>, Box<dyn std::error::Error>> {
        let stored = self.stored();
        let mut views = Vec::new();
        for (name, tensor) in &stored {
            views.push((name.as_str(), TensorView::new(tensor.dtype, tensor.shape.clone(), &tensor.bytes)?));
        }
        let bytes = safetensors::serialize(views, Some(self.metadata()))?;
        sorted_metadata(bytes)
    }

    fn stored(&self) -> Vec<(String, Stored)> {
        let mut stored = Vec::new();
        let floats = if self.is_double { floats::<f64> } else { floats::<f32> };
        let mut parameters = |prefix: &str, tensors: &mut dyn Iterator<Item = (String, ArrayViewD<'_, f64>)>| {
            // Reversed axes: [inputs, outputs] in memory is [outputs, inputs] in the file.
            stored.extend(tensors.map(|(name, values)| (format!("{prefix}{name}"), floats(values.t().into_dyn()))));
        };
        parameters("initial.", &mut self.initial.tensors());
        parameters("gradient.", &mut self.gradients.iter().map(|(name, values)| (name.clone(), values.view())));
        for (number, step) in self.steps.iter().enumerate() {
            let tensors = &mut step.parameters.iter().map(|(name, values)| (name.clone(), values.view()));
            parameters(&format!("step.{number}."), tensors);
        }
        for (number, batch) in self.batches.iter().enumerate() {
            stored.push((format!("batch.{number}.images"), floats(batch.images().into_dyn())));
            let labels: Vec<u8> = batch.labels().iter().flat_map(|&label| (label as i64).to_le_bytes()).collect();
            let labels = Stored { dtype: Dtype::I64, shape: vec![batch.len()], bytes: labels };
            stored.push((format!("batch.{number}.labels"), labels));
        }
        let one = |loss: f64| floats(ArrayD::from_elem(vec![1], loss).view());
        stored.extend(self.logits.as_ref().map(|logits| ("logits".to_owned(), floats(logits.view().into_dyn()))));
        stored.extend(self.loss.map(|loss| ("loss".to_owned(), one(loss))));
        for (number, step) in self.steps.iter().enumerate() {
            stored.extend(step.loss.map(|loss| (format!("step.{number}.loss"), one(loss))));
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

fn floats<F: Scalar>(values: ArrayViewD<'_, f64>) -> Stored {
    let mut bytes = Vec::with_capacity(values.len() * size_of::<F>());
    values.iter().for_each(|&value| F::from_f64(value).extend_le_bytes(&mut bytes));
    Stored { dtype: F::DTYPE, shape: values.shape().to_vec(), bytes }
}

/// The container keeps its metadata in a hash map, whose order changes; the header is as long in any order.
fn sorted_metadata(mut bytes: Vec<u8>) -> std::result::Result<Vec<u8>, Box<dyn std::error::Error>> {
    const START: usize = size_of::<u64>() + br#"{"__metadata__":"#.len();
    let mut metadata = serde_json::Deserializer::from_slice(&bytes[START..]).into_iter::<BTreeMap<String, String>>();
    let sorted = serde_json::to_vec(&metadata.next().transpose()?)?;
    let end = START + metadata.byte_offset();
    bytes.splice(START..end, sorted);
    Ok(bytes)
}
