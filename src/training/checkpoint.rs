//! Checkpoint files, from which an interrupted training run is resumed.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::storage::{
    SafetensorsFile, StoredTensor, decode_metadata, deserialize, encode_metadata, hexadecimal, serialize,
};
use crate::{Error, MlpConfig, OptimizerState, Parameters, Result, TrainingConfig};

/// Name and version of the format of checkpoint files, stored in their metadata. Files with any other value are
/// rejected.
pub const FORMAT: &str = "mlp-parity-checkpoint/2";

/// Beginning of the names of all versions of the format.
const FAMILY: &str = "mlp-parity-checkpoint/";

/// Prefix of the names of the parameter tensors in a checkpoint file.
const PARAMETERS: &str = "parameters.";

/// State of a training run after a number of complete epochs.
///
/// It holds everything that [`Classifier::fit`](crate::Classifier::fit) needs to resume the run with the next
/// [range of epochs](TrainingConfig::with_epoch_range). The order of the images is not stored: it follows from the seed
/// and the number of the epoch.
///
/// The file is in safetensors format. Its tensors are `parameters.<name>`, `moment1.<name>` and `moment2.<name>`, with
/// the names and the layout of a [parameter file](crate::ParameterFile); its metadata holds the other fields and a
/// digest of the whole file.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// Network configuration.
    pub config: MlpConfig,
    /// Training configuration of the whole run.
    pub training: TrainingConfig,
    /// Number of complete epochs, at least 1.
    pub epochs: usize,
    /// Parameters after these epochs.
    pub parameters: Parameters<f32>,
    /// Optimizer state after these epochs.
    pub optimizer: OptimizerState,
    /// Additional JSON data from the program that wrote the checkpoint; this crate does not interpret it.
    pub notes: serde_json::Value,
}

/// Metadata of a checkpoint file, stored as JSON.
#[derive(Serialize, Deserialize)]
struct Metadata {
    format: String,
    config: MlpConfig,
    training: TrainingConfig,
    epochs: usize,
    /// Number of updates that the optimizer has made.
    steps: usize,
    /// Number of moments that the optimizer keeps per parameter: 0, 1 or 2.
    moments: usize,
    notes: serde_json::Value,
    /// SHA-256 of the whole file with an empty digest.
    digest: String,
}

/// The entry of the metadata that all versions of the format have.
#[derive(Deserialize)]
struct StatedFormat {
    format: String,
}

impl SafetensorsFile for Checkpoint {
    fn to_bytes(&self) -> Result<Vec<u8>> {
        let without_digest = self.to_bytes_with_digest(String::new())?;
        self.to_bytes_with_digest(format!("sha256:{}", hexadecimal(&Sha256::digest(&without_digest))))
    }

    /// Parses a checkpoint. Rejects incomplete files, files of another format or version, files that were changed after
    /// they were written, and parameters, optimizer state or epochs that do not fit the configurations, or are not
    /// finite.
    fn read(bytes: &[u8]) -> Result<Self, String> {
        const MISSING: &str = "not a checkpoint: the file has no mlp-parity metadata";
        let (file, metadata) = deserialize(bytes)?;
        let invalid = |reason| format!("not a valid checkpoint: {reason}");
        // Check the version first: other versions have other fields, and would fail with a confusing message.
        let StatedFormat { format } = decode_metadata(&metadata).map_err(invalid)?.ok_or(MISSING)?;
        if !format.starts_with(FAMILY) {
            return Err(format!("not a checkpoint: its format is '{format}'"));
        }
        if format != FORMAT {
            return Err(format!("unknown format '{format}'; this version reads '{FORMAT}'"));
        }
        let Metadata { config, training, epochs, steps, moments, notes, .. } =
            decode_metadata(&metadata).map_err(invalid)?.ok_or(MISSING)?;
        let parameters = Parameters::read(&file, PARAMETERS)?;
        let moments =
            (0..moments).map(|index| Parameters::read(&file, &moment_prefix(index))).collect::<Result<Vec<_>, _>>()?;
        let optimizer = OptimizerState { steps, moments };
        let message = |error: Error| error.to_string();
        parameters.check_fit(&config).map_err(message)?;
        optimizer.check_fit(training.optimizer(), &config).map_err(message)?;
        if !(1..=training.epochs()).contains(&epochs) {
            return Err(format!("number of complete epochs is {epochs}; expected 1 to {}", training.epochs()));
        }
        let checkpoint = Self { config, training, epochs, parameters, optimizer, notes };
        // Writing is deterministic, and the digest depends on every other byte.
        if checkpoint.to_bytes().map_err(message)? != bytes {
            return Err("the file is damaged or was changed: it does not match its digest".to_owned());
        }
        checkpoint.check_finite()?;
        Ok(checkpoint)
    }
}

impl Checkpoint {
    /// Returns true if the bytes are a safetensors file whose metadata names a checkpoint format, of this or another
    /// version. The rest of the file is not validated.
    pub fn is_checkpoint(bytes: &[u8]) -> bool {
        let stated = deserialize(bytes).and_then(|(_, metadata)| decode_metadata::<StatedFormat>(&metadata));
        matches!(stated, Ok(Some(StatedFormat { format })) if format.starts_with(FAMILY))
    }

    /// Serializes the checkpoint with the given digest in its metadata.
    fn to_bytes_with_digest(&self, digest: String) -> Result<Vec<u8>> {
        let metadata = Metadata {
            format: FORMAT.to_owned(),
            config: self.config.clone(),
            training: self.training,
            epochs: self.epochs,
            steps: self.optimizer.steps,
            moments: self.optimizer.moments.len(),
            notes: self.notes.clone(),
            digest,
        };
        serialize(&self.tensors(), encode_metadata(&metadata)?)
    }

    /// Checks that parameters and moments are finite; the error is a message.
    fn check_finite(&self) -> Result<(), String> {
        let moments = self.optimizer.moments.iter().enumerate();
        let moments = moments.map(|(index, moments)| (moment_prefix(index), moments));
        for (prefix, values) in [(PARAMETERS.to_owned(), &self.parameters)].into_iter().chain(moments) {
            if let Some((name, index, value)) = values.first_non_finite() {
                return Err(format!(
                    "{prefix}{name} at index {index:?} is {value}; parameters and moments must be finite"
                ));
            }
        }
        Ok(())
    }

    /// Returns all tensors in the order of the file: parameters, then moments.
    fn tensors(&self) -> Vec<StoredTensor> {
        let mut tensors: Vec<StoredTensor> = self.parameters.stored_tensors(PARAMETERS).collect();
        for (index, moments) in self.optimizer.moments.iter().enumerate() {
            tensors.extend(moments.stored_tensors(&moment_prefix(index)));
        }
        tensors
    }
}

/// Returns the prefix of the names of the moment with this index, counted from 0: `moment1.`, `moment2.`.
fn moment_prefix(index: usize) -> String {
    format!("moment{}.", index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Activation, Optimizer};

    fn checkpoint() -> Checkpoint {
        let config = MlpConfig::new(6, &[5], 3, Activation::Tanh).unwrap();
        let optimizer = Optimizer::adam().with_weight_decay(0.1);
        let parameters = |seed| Parameters::<f32>::glorot_uniform(&config, seed);
        Checkpoint {
            training: TrainingConfig::builder().optimizer(optimizer).batch_size(4).epochs(3).seed(7).build().unwrap(),
            epochs: 2,
            parameters: parameters(0),
            optimizer: OptimizerState { steps: 12, moments: vec![parameters(1), parameters(2)] },
            notes: serde_json::json!({"by": "a test"}),
            config,
        }
    }

    #[test]
    fn checkpoint_round_trips_with_identical_bytes() {
        let checkpoint = checkpoint();
        let bytes = checkpoint.to_bytes().unwrap();
        assert_eq!(Checkpoint::from_bytes(&bytes, "memory").unwrap(), checkpoint);
        assert_eq!(checkpoint.to_bytes().unwrap(), bytes);
    }

    #[test]
    fn checkpoint_reader_rejects_truncated_and_damaged_files() {
        let bytes = checkpoint().to_bytes().unwrap();
        let message = |bytes: &[u8]| Checkpoint::from_bytes(bytes, "memory").unwrap_err().to_string();
        for length in [0, 7, 100, bytes.len() - 1] {
            assert!(message(&bytes[..length]).starts_with("memory: "));
        }
        // Every bit of the file counts: lengths, names, metadata (such as the number of steps) and tensors.
        for (index, bit) in (0..bytes.len()).flat_map(|index| (0..8).map(move |bit| (index, bit))) {
            let mut changed = bytes.clone();
            changed[index] ^= 1 << bit;
            assert!(Checkpoint::from_bytes(&changed, "memory").is_err(), "byte {index}, bit {bit}");
        }
        let mut damaged = bytes.clone();
        damaged[bytes.len() - 1] ^= 1;
        assert!(message(&damaged).contains("damaged"));
    }

    #[test]
    fn checkpoint_reader_rejects_non_finite_values() {
        for (value, tensor) in [(f32::NAN, 0), (f32::INFINITY, 1)] {
            let mut checkpoint = checkpoint();
            let [first, _] = &mut checkpoint.optimizer.moments[..] else { panic!("two moments") };
            let layers = if tensor == 0 { &mut checkpoint.parameters } else { first };
            layers.layers_mut()[1].bias[2] = value;
            let error = Checkpoint::from_bytes(&checkpoint.to_bytes().unwrap(), "memory").unwrap_err().to_string();
            let name = ["parameters.output_layer.bias", "moment1.output_layer.bias"][tensor];
            assert!(error.contains(name) && error.contains("[2]"), "{error}");
        }
    }

    #[test]
    fn checkpoint_reader_names_version_of_other_formats() {
        let metadata = serde_json::json!({"format": "mlp-parity-checkpoint/1", "plan": {}});
        let bytes = serialize(&checkpoint().tensors(), encode_metadata(&metadata).unwrap()).unwrap();
        let error = Checkpoint::from_bytes(&bytes, "memory").unwrap_err().to_string();
        assert!(error.contains("checkpoint/1") && error.contains("reads 'mlp-parity-checkpoint/2'"), "{error}");
    }

    #[test]
    fn checkpoint_reader_rejects_contradictory_content() {
        let message = |checkpoint: Checkpoint| {
            let bytes = checkpoint.to_bytes().unwrap();
            Checkpoint::from_bytes(&bytes, "memory").unwrap_err().to_string()
        };
        for epochs in [0, 4] {
            let expected = format!("memory: number of complete epochs is {epochs}; expected 1 to 3");
            assert_eq!(message(Checkpoint { epochs, ..checkpoint() }), expected);
        }
        let sgd =
            TrainingConfig::builder().optimizer(Optimizer::sgd()).batch_size(4).epochs(3).seed(7).build().unwrap();
        assert!(message(Checkpoint { training: sgd, ..checkpoint() }).contains("optimizer state"));
        let wider = MlpConfig::new(6, &[6], 3, Activation::Tanh).unwrap();
        assert!(message(Checkpoint { config: wider, ..checkpoint() }).contains("shape"));
    }

    #[test]
    fn checkpoint_reader_rejects_parameter_files() {
        let parameters = crate::ParameterFile { parameters: checkpoint().parameters, activation: None };
        let bytes = parameters.to_bytes().unwrap();
        let error = Checkpoint::from_bytes(&bytes, "memory").unwrap_err().to_string();
        assert!(error.contains("not a checkpoint"), "{error}");
        assert!(!Checkpoint::is_checkpoint(&bytes) && !Checkpoint::is_checkpoint(b"a letter"));
        assert!(Checkpoint::is_checkpoint(&checkpoint().to_bytes().unwrap()));
    }
}
