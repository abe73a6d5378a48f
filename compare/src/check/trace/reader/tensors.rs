//! The tensors of a trace that the reader has not used yet.

use std::collections::BTreeMap;
use std::ops::Bound;

use mlp_parity::list_names;
use ndarray::{Array2, ArrayD, Dimension, Ix2, IxDyn};

use super::metadata::TENSORS;
use crate::input::ParseResult;
use crate::input::container::{Precision, StoredArray};

/// Suffix of weights in Keras and Flax.
const KERNEL: &str = ".kernel";

/// The tensors of a file that the reader has not used yet. A tensor that remains at the end has an unknown name, which is an
/// error, because a tensor that was silently ignored would not be compared.
pub(super) struct RemainingTensors {
    tensors: BTreeMap<String, StoredArray>,
    /// The coarsest precision of the floating-point tensors that were taken, with the name of the first tensor in it.
    coarsest: Option<(Precision, String)>,
    /// The finest precision of these tensors.
    finest: Option<Precision>,
}

impl RemainingTensors {
    /// Takes the tensors of a file. Keras and Flax call weights `kernel`.
    pub(super) fn new(tensors: BTreeMap<String, StoredArray>) -> Self {
        let (kernels, mut tensors): (BTreeMap<_, _>, BTreeMap<_, _>) =
            tensors.into_iter().partition(|(name, _)| name.ends_with(KERNEL));
        for (name, tensor) in kernels {
            let weight = format!("{}.weight", name.trim_end_matches(KERNEL));
            let name = if tensors.contains_key(&weight) { name } else { weight };
            tensors.insert(name, tensor);
        }
        Self { tensors, coarsest: None, finest: None }
    }

    /// Returns the coarsest precision of the tensors that were taken; `None` if the file does not state any.
    pub(super) fn precision(&self, assumptions: &mut Vec<String>) -> Option<Precision> {
        let (precision, name) = self.coarsest.as_ref()?;
        if self.finest != Some(*precision) {
            assumptions.push(format!("the precision is that of {name}, {precision}, the coarsest in the file"));
        }
        Some(*precision)
    }

    /// Returns the number of columns of a matrix; `None` if there is no matrix of this name.
    pub(super) fn width(&self, name: &str) -> Option<usize> {
        match self.tensors.get(name)?.values.shape() {
            &[_, columns] => Some(columns),
            _ => None,
        }
    }

    /// Removes and returns a tensor of inputs, whose values must be finite.
    pub(super) fn take_input(&mut self, name: &str) -> ParseResult<Option<ArrayD<f64>>> {
        let Some(values) = self.take(name) else { return Ok(None) };
        check_finite(name, &values)?;
        Ok(Some(values))
    }

    /// Removes and returns a tensor, which may contain NaN and infinities.
    pub(super) fn take(&mut self, name: &str) -> Option<ArrayD<f64>> {
        let StoredArray { values, precision } = self.tensors.remove(name)?;
        if let Some(precision) = precision {
            self.finest = self.finest.max(Some(precision));
            if self.coarsest.as_ref().is_none_or(|(coarsest, _)| precision < *coarsest) {
                self.coarsest = Some((precision, name.to_owned()));
            }
        }
        Some(values)
    }

    /// Removes and returns a tensor with one number.
    pub(super) fn take_scalar(&mut self, name: &str) -> ParseResult<Option<f64>> {
        match self.take(name) {
            Some(values) if values.len() == 1 => Ok(values.first().copied()),
            Some(values) => Err(format!("{name} has shape {:?}; expected one number", values.shape())),
            None => Ok(None),
        }
    }

    /// Removes and returns a matrix with this shape. `meaning` names the dimensions in the error message.
    pub(super) fn take_matrix(
        &mut self,
        name: &str,
        shape: [usize; 2],
        meaning: &str,
    ) -> ParseResult<Option<Array2<f64>>> {
        let Some(values) = self.take(name) else { return Ok(None) };
        let matrix = matrix(name, unflattened(values, shape))?;
        if matrix.dim() != (shape[0], shape[1]) {
            return Err(format!("{name} has shape {:?}; expected {shape:?}, {meaning}", matrix.shape()));
        }
        Ok(Some(matrix))
    }

    /// Returns the names that begin with `prefix`, without the prefix.
    pub(super) fn names(&self, prefix: &str) -> Vec<String> {
        // A range of the sorted names, since a trace may have many prefixes, one per step.
        let from_prefix = self.tensors.range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
        let names = from_prefix.map(|(name, _)| name).take_while(|name| name.starts_with(prefix));
        names.map(|name| name[prefix.len()..].to_owned()).collect()
    }

    /// Returns an error if tensors remain.
    pub(super) fn reject_remaining(&self) -> ParseResult<()> {
        if self.tensors.is_empty() {
            return Ok(());
        }
        let names = list_names(self.tensors.keys().map(String::as_str));
        Err(format!("unknown tensors: {names}; expected {TENSORS}, of batches k = 0, 1, … without a gap"))
    }
}

/// Returns an error if a value is NaN or infinite.
fn check_finite(name: &str, values: &ArrayD<f64>) -> ParseResult<()> {
    match values.indexed_iter().find(|(_, value)| !value.is_finite()) {
        Some((index, value)) => {
            Err(format!("{name} contains {value} at {:?}; parameters and inputs must be finite", index.slice()))
        }
        None => Ok(()),
    }
}

/// Returns a flat array as a matrix of this shape, if it has as many elements, and any other array unchanged.
pub(super) fn unflattened(values: ArrayD<f64>, shape: [usize; 2]) -> ArrayD<f64> {
    if values.ndim() == 1 && shape[0].checked_mul(shape[1]) == Some(values.len()) {
        return ArrayD::from_shape_vec(IxDyn(&shape), values.iter().copied().collect()).unwrap_or(values);
    }
    values
}

/// Converts a tensor of two dimensions to a matrix.
pub(super) fn matrix(name: &str, values: ArrayD<f64>) -> ParseResult<Array2<f64>> {
    let shape = values.shape().to_vec();
    values.into_dimensionality::<Ix2>().map_err(|_| format!("{name} has shape {shape:?}; expected two dimensions"))
}
