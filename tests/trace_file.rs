//! The contents of a trace file, which tests modify.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use mlp_parity::{SafetensorsFile, Scalar};
use mlp_parity_compare::check::Trace;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

/// Returns the paths of the files in a folder of golden files, sorted.
pub(crate) fn golden_paths(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(folder);
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// The metadata and tensors of a trace in double or single precision.
#[derive(Clone)]
pub(crate) struct TraceFile {
    pub(crate) metadata: HashMap<String, String>,
    pub(crate) tensors: BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>,
}

impl TraceFile {
    pub(crate) fn read(path: &Path) -> Self {
        let bytes = std::fs::read(path).unwrap();
        let metadata = SafeTensors::read_metadata(&bytes).unwrap().1.metadata().clone().unwrap();
        let tensors = SafeTensors::deserialize(&bytes).unwrap().tensors();
        let tensors =
            tensors.into_iter().map(|(name, view)| (name, (view.dtype(), view.shape().to_vec(), view.data().to_vec())));
        Self { metadata, tensors: tensors.collect() }
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let views = self
            .tensors
            .iter()
            .map(|(name, (dtype, shape, bytes))| (name, TensorView::new(*dtype, shape.clone(), bytes).unwrap()));
        safetensors::serialize(views, Some(self.metadata.clone())).unwrap()
    }

    pub(crate) fn trace(&self) -> mlp_parity::Result<Trace> {
        Trace::from_bytes(&self.to_bytes(), "a trace")
    }

    /// Returns the elements of a tensor of floating-point numbers or labels.
    pub(crate) fn values(&self, name: &str) -> Vec<f64> {
        let (dtype, _, bytes) = &self.tensors[name];
        match dtype {
            Dtype::F32 => <f32 as Scalar>::from_le_bytes(bytes).into_iter().map(f64::from).collect(),
            Dtype::F64 => <f64 as Scalar>::from_le_bytes(bytes),
            _ => bytes.as_chunks().0.iter().map(|&label| i64::from_le_bytes(label) as f64).collect(),
        }
    }

    /// Replaces the elements of a tensor, and keeps its shape and precision.
    pub(crate) fn set(&mut self, name: &str, values: &[f64]) {
        let (dtype, _, bytes) = self.tensors.get_mut(name).unwrap();
        *bytes = match dtype {
            Dtype::F32 => values.iter().flat_map(|&value| (value as f32).to_le_bytes()).collect(),
            _ => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        };
    }
}
