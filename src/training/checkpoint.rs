//! A run that is to go on later, in one file.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::storage::{
    SafetensorsFile, StoredTensor, deserialize, hexadecimal, own_metadata, read_own_metadata, serialize,
};
use crate::{Error, MlpConfig, OptimizerState, Parameters, Result, TrainingConfig};

/// The version of the files written here.
pub const FORMAT: &str = "mlp-parity-checkpoint/1";

/// What the names of parameters begin with.
const PARAMETERS: &str = "parameters.";

/// A run after some of its epochs: all that [`Classifier::fit`](crate::Classifier::fit) needs to go on with the next
/// [part](TrainingConfig::part). Which image comes when, the training's seed and the number of the epoch tell.
///
/// The file is safetensors: `parameters.<name>`, `moment1.<name>` and `moment2.<name>` with the names and the layout of a
/// [file of parameters](crate::ParameterFile), and metadata with the rest and a digest of the tensors.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// The network.
    pub config: MlpConfig,
    /// The run.
    pub training: TrainingConfig,
    /// How many of its epochs are complete.
    pub epochs: usize,
    /// The parameters after them.
    pub parameters: Parameters<f32>,
    /// What the optimizer remembers.
    pub optimizer: OptimizerState,
    /// What else whoever wrote it wants to find again.
    pub notes: serde_json::Value,
}

#[derive(Serialize, Deserialize)]
struct Metadata {
    format: String,
    config: MlpConfig,
    /// The key of format version 1.
    #[serde(rename = "plan")]
    training: TrainingConfig,
    epochs: usize,
    steps: usize,
    moments: usize,
    notes: serde_json::Value,
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
        serialize(&tensors, own_metadata(&metadata)?)
    }

    /// Refused are bytes that are not a whole file of this kind, not the bytes that were written, or contradict themselves.
    fn read(bytes: &[u8]) -> Result<Self, String> {
        let (file, metadata) = deserialize(bytes)?;
        let metadata: Option<Metadata> =
            read_own_metadata(&metadata).map_err(|reason| format!("is no checkpoint of this version ({reason})"))?;
        let Metadata { format, config, training, epochs, steps, moments, notes, digest: written } =
            metadata.ok_or("has no metadata: it is no checkpoint")?;
        if format != FORMAT {
            return Err(format!("format is '{format}'; this version reads '{FORMAT}'"));
        }
        let parameters = Parameters::read(&file, PARAMETERS)?;
        let moments =
            (0..moments).map(|index| Parameters::read(&file, &moment(index))).collect::<Result<Vec<_>, _>>()?;
        let optimizer = OptimizerState { steps, moments };
        let refused = |error: Error| error.to_string();
        parameters.check_fit(&config).map_err(refused)?;
        optimizer.check_fit(training.optimizer(), &config).map_err(refused)?;
        if !(1..=training.epochs()).contains(&epochs) {
            return Err(format!("{epochs} epochs are complete, of a training with {}", training.epochs()));
        }
        let checkpoint = Self { config, training, epochs, parameters, optimizer, notes };
        let own = checkpoint.tensors();
        if own.len() != file.len() || digest(&own) != written {
            return Err("is damaged: its tensors are not those that were written".to_owned());
        }
        Ok(checkpoint)
    }
}

impl Checkpoint {
    /// Whether these bytes say that they are a checkpoint, of this version or of another.
    pub fn is_one(bytes: &[u8]) -> bool {
        #[derive(Deserialize)]
        struct Named {
            format: String,
        }
        let named = deserialize(bytes).and_then(|(_, metadata)| read_own_metadata::<Named>(&metadata));
        matches!(named, Ok(Some(Named { format })) if format.starts_with("mlp-parity-checkpoint/"))
    }

    fn tensors(&self) -> Vec<StoredTensor> {
        let mut tensors: Vec<StoredTensor> = self.parameters.stored(PARAMETERS).collect();
        for (index, moments) in self.optimizer.moments.iter().enumerate() {
            tensors.extend(moments.stored(&moment(index)));
        }
        tensors
    }
}

/// What the names of these moments begin with.
fn moment(index: usize) -> String {
    format!("moment{}.", index + 1)
}

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
    fn what_is_written_is_read_and_always_the_same() {
        let checkpoint = checkpoint();
        let bytes = checkpoint.to_bytes().unwrap();
        assert_eq!(Checkpoint::from_bytes(&bytes, "memory").unwrap(), checkpoint);
        assert_eq!(checkpoint.to_bytes().unwrap(), bytes);
    }

    #[test]
    fn every_byte_counts() {
        let bytes = checkpoint().to_bytes().unwrap();
        let refused = |bytes: &[u8]| Checkpoint::from_bytes(bytes, "memory").unwrap_err().to_string();
        for length in [0, 7, 100, bytes.len() - 1] {
            assert!(refused(&bytes[..length]).starts_with("memory: "));
        }
        for index in (bytes.len() - 400..bytes.len()).step_by(13) {
            let mut bytes = bytes.clone();
            bytes[index] ^= 1;
            assert!(refused(&bytes).contains("damaged"));
        }
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        let refused = |checkpoint: Checkpoint| {
            let bytes = checkpoint.to_bytes().unwrap();
            Checkpoint::from_bytes(&bytes, "memory").unwrap_err().to_string()
        };
        assert!(refused(Checkpoint { epochs: 4, ..checkpoint() }).contains("of a training with 3"));
        assert!(refused(Checkpoint { epochs: 0, ..checkpoint() }).contains("of a training with 3"));
        let sgd =
            TrainingConfig::builder().optimizer(Optimizer::sgd()).batch_size(4).epochs(3).seed(7).build().unwrap();
        assert!(refused(Checkpoint { training: sgd, ..checkpoint() }).contains("optimizer's state"));
        let wider = MlpConfig::new(6, &[6], 3, Activation::Tanh).unwrap();
        assert!(refused(Checkpoint { config: wider, ..checkpoint() }).contains("shape"));
        let parameters = crate::ParameterFile { parameters: checkpoint().parameters, activation: None };
        let error = Checkpoint::from_bytes(&parameters.to_bytes().unwrap(), "memory").unwrap_err().to_string();
        assert!(error.contains("no checkpoint"), "{error}");
        assert!(!Checkpoint::is_one(&parameters.to_bytes().unwrap()) && !Checkpoint::is_one(b"a letter"));
        assert!(Checkpoint::is_one(&checkpoint().to_bytes().unwrap()));
    }
}
