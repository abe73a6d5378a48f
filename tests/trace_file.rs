//! The contents of a trace file, which tests modify.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use mlp_parity::{SafetensorsFile, Scalar};
use mlp_parity_compare::Verdict;
use mlp_parity_compare::check::{Stage, Trace};
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

impl TraceFile {
    /// Reads the trace of a concept in double precision.
    pub(crate) fn concept(name: &str) -> Self {
        Self::read(
            &golden_paths("concepts")
                .into_iter()
                .find(|path| path.ends_with(format!("{name}-f64.safetensors")))
                .unwrap(),
        )
    }

    /// Checks the trace, and returns the stage and tensor of the first failure; `None` if it agrees.
    pub(crate) fn failure(&self) -> Option<(Stage, String)> {
        let suite = self.trace().unwrap().check(&[]).unwrap();
        suite.first_failure().map(|check| (check.stage, check.tensor.clone()))
    }

    pub(crate) fn assert_agrees(&self, assumptions: &[&str]) {
        let trace = self.trace().unwrap();
        let suite = trace.check(&[]).unwrap();
        assert_eq!(suite.verdict(), Verdict::Agree, "{}", suite.reason());
        assert_eq!(trace.assumptions(), assumptions);
    }

    pub(crate) fn assert_rejected(&self, expected: &str) {
        let message = self.trace().unwrap_err().to_string();
        assert!(message.contains(expected), "expected '{expected}' in: {message}");
    }

    pub(crate) fn with(mut self, key: &str, value: &str) -> Self {
        self.metadata.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Replaces a tensor by one in double precision.
    pub(crate) fn replace(&mut self, name: &str, shape: &[usize], values: &[f64]) {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.tensors.insert(name.to_owned(), (Dtype::F64, shape.to_vec(), bytes));
    }

    /// Rewrites every tensor whose name ends with `suffix` by `change`, a function of its shape and its values.
    pub(crate) fn rewrite(mut self, suffix: &str, change: impl Fn(&[usize], &[f64]) -> (Vec<usize>, Vec<f64>)) -> Self {
        let names: Vec<String> = self.tensors.keys().filter(|name| name.ends_with(suffix)).cloned().collect();
        assert!(!names.is_empty(), "no tensor ends with {suffix}");
        for name in names {
            let (shape, values) = change(&self.tensors[&name].1.clone(), &self.values(&name));
            self.replace(&name, &shape, &values);
        }
        self
    }
}
