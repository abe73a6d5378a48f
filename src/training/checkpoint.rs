//! Checkpoint files, from which an interrupted training run is resumed.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::storage::{
    SafetensorsFile, StoredTensor, decode_metadata, deserialize, encode_metadata, hexadecimal, serialize,
};
use crate::{Error, MlpConfig, OptimizerState, Parameters, Result, TrainingConfig};

/// Name and version of the format of checkpoint files, stored in their metadata. Files with any other value are
/// rejected.
pub const FORMAT: &str = "mlp-parity-checkpoint/1";

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
/// digest of the tensors.
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
    // Format version 1 calls the training configuration `plan`.
    #[serde(rename = "plan")]
    training: TrainingConfig,
    epochs: usize,
    /// Number of updates that the optimizer has made.
    steps: usize,
    /// Number of moments that the optimizer keeps per parameter: 0, 1 or 2.
    moments: usize,
    notes: serde_json::Value,
    /// SHA-256 of the tensors' bytes.
    digest: String,
}

impl SafetensorsFile for Checkpoint {
    fn to_bytes(&self) -> Result<Vec<u8>> {
        let tensors = self.tensors();
        let metadata = Metadata {
            format: FORMAT.to_owned(),
            config: self.config.clone(),
            training: self.training,
            epochs: self.epochs,
            steps: self.optimizer.steps,
            moments: self.optimizer.moments.len(),
            notes: self.notes.clone(),
            digest: digest(&tensors),
        };
        serialize(&tensors, encode_metadata(&metadata)?)
    }

    /// Parses a checkpoint. Rejects incomplete files, files of another format or version, tensors that do not match the
    /// digest, and parameters, optimizer state or epochs that do not fit the configurations.
    fn read(bytes: &[u8]) -> Result<Self, String> {
        let (file, metadata) = deserialize(bytes)?;
        let metadata: Option<Metadata> =
            decode_metadata(&metadata).map_err(|reason| format!("not a valid checkpoint: {reason}"))?;
        let Metadata { format, config, training, epochs, steps, moments, notes, digest: expected_digest } =
            metadata.ok_or("not a checkpoint: the file has no mlp-parity metadata")?;
        if format != FORMAT {
            return Err(format!("unknown format '{format}'; this version reads '{FORMAT}'"));
        }
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
        // The number of tensors reveals tensors in the file that belong to no field.
        let tensors = checkpoint.tensors();
        if tensors.len() != file.len() || digest(&tensors) != expected_digest {
            return Err("the file is damaged: its tensors do not match the stored digest".to_owned());
        }
        Ok(checkpoint)
    }
}

impl Checkpoint {
    /// Returns true if the bytes are a safetensors file whose metadata names a checkpoint format, of this or another
    /// version. The rest of the file is not validated.
    pub fn is_checkpoint(bytes: &[u8]) -> bool {
        #[derive(Deserialize)]
        struct StatedFormat {
            format: String,
        }
        let stated = deserialize(bytes).and_then(|(_, metadata)| decode_metadata::<StatedFormat>(&metadata));
        matches!(stated, Ok(Some(StatedFormat { format })) if format.starts_with("mlp-parity-checkpoint/"))
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

/// Returns the SHA-256 digest of the tensors' bytes, as `sha256:` and hexadecimal digits.
fn digest(tensors: &[StoredTensor]) -> String {
    let mut hash = Sha256::new();
    tensors.iter().for_each(|tensor| hash.update(&tensor.bytes));
    format!("sha256:{}", hexadecimal(&hash.finalize()))
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
        for index in (bytes.len() - 400..bytes.len()).step_by(13) {
            let mut bytes = bytes.clone();
            bytes[index] ^= 1;
            assert!(message(&bytes).contains("damaged"));
        }
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
