//! Parsing of a trace from the tensors and metadata of a file. The parser is strict: a misspelt name, an unknown key or
//! an unexpected shape is an error, because a tensor that was silently ignored would not be compared.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;

use mlp_parity::{Activation, Batch, Error, MlpConfig, Optimizer, Parameters, Scalar, TrainingConfig};
use ndarray::{ArrayD, Dimension, Ix2, IxDyn};
use safetensors::{Dtype, SafeTensors};

use super::model::{FORMAT, Step, Trace};
use crate::check::compare::Tensors;

/// All metadata keys that a trace may contain; any other key is an error.
const KEYS: [&str; 11] = [
    "format",
    "producer",
    "activation",
    "optimizer",
    "learning_rate",
    "weight_decay",
    "momentum",
    "nesterov",
    "beta1",
    "beta2",
    "epsilon",
];

/// Largest length of a metadata key or value in bytes. Messages and tables contain some of them.
const MAX_TEXT: usize = 1000;

/// The result of parsing; the error is a message that names the tensor or the metadata key.
type ParseResult<T> = Result<T, String>;

/// Parses the contents of a trace file.
///
/// # Errors
///
/// A message if a key or a tensor is unknown, missing, or has an unexpected type, shape or value.
pub(super) fn trace(metadata: &HashMap<String, String>, tensors: &SafeTensors<'_>) -> ParseResult<Trace> {
    let metadata = Metadata::new(metadata)?;
    let mut file = RemainingTensors::new(tensors)?;
    let initial = parameters(&file.take_parameters("initial.")?).map_err(|reason| {
        format!("the tensors initial.* do not form a network: {reason}; weights have shape [outputs, inputs]")
    })?;
    let sizes = initial.sizes();
    let [inputs, hidden @ .., classes] = sizes.as_slice() else {
        return Err("the tensors initial.* have no layer".to_owned());
    };
    let config =
        MlpConfig::new(*inputs, hidden, *classes, metadata.activation()?).map_err(|error| error.to_string())?;
    let batches = file.take_batches(&config)?;
    let gradients = file.take_parameters("gradient.")?;
    check_shapes("gradient.", &gradients, &initial)?;
    let mut steps = Vec::new();
    for number in 0..batches.len() {
        let prefix = format!("step.{number}.");
        // The loss has the prefix of the parameters, so it must be taken before them.
        let loss = file.take_scalar(&format!("{prefix}loss"))?;
        let parameters = file.take_parameters(&prefix)?;
        check_shapes(&prefix, &parameters, &initial)?;
        steps.push(Step { loss, parameters });
    }
    reject_steps_after_gap(&steps, &initial)?;
    let logits = file.take("logits").map(|logits| matrix("logits", logits)).transpose()?;
    if let Some(logits) = logits.as_ref().filter(|logits| logits.dim() != (batches[0].len(), *classes)) {
        let expected = [batches[0].len(), *classes];
        return Err(format!(
            "logits has shape {:?}, expected {expected:?} (images of batch.0, classes of the network)",
            logits.shape()
        ));
    }
    let loss = file.take_scalar("loss")?;
    let (optimizer, learning_rate) = (metadata.optimizer()?, metadata.number("learning_rate")?);
    if !file.is_double {
        let training = TrainingConfig::builder().optimizer(optimizer).learning_rate(learning_rate);
        training.build().map_err(|error| format!("metadata {error}"))?;
    }
    file.reject_remaining()?;
    Ok(Trace {
        producer: metadata.text("producer").unwrap_or("unknown producer").to_owned(),
        optimizer,
        learning_rate,
        is_double: file.is_double,
        config,
        initial,
        batches,
        logits,
        loss,
        gradients,
        steps,
    })
}

/// The metadata of a trace, with the format checked and without unknown keys.
struct Metadata<'a>(&'a HashMap<String, String>);

impl<'a> Metadata<'a> {
    fn new(metadata: &'a HashMap<String, String>) -> ParseResult<Self> {
        if let Some((key, value)) = metadata.iter().find(|(key, value)| key.len().max(value.len()) > MAX_TEXT) {
            let length = key.len().max(value.len());
            let shown: String = key.chars().take(40).collect();
            return Err(format!("metadata entry '{shown}' has {length} bytes; at most {MAX_TEXT} are allowed"));
        }
        let unknown: BTreeSet<&String> = metadata.keys().filter(|key| !KEYS.contains(&key.as_str())).collect();
        match (metadata.get("format").map(String::as_str), unknown.first()) {
            (None, _) => Err(format!("not a trace: metadata key 'format' is missing; expected '{FORMAT}'")),
            (Some(FORMAT), None) => Ok(Self(metadata)),
            (Some(FORMAT), Some(key)) => {
                Err(format!("unknown metadata key '{key}'; expected one of: {}", KEYS.join(", ")))
            }
            (Some(other), _) => Err(format!("metadata entry 'format' is '{other}'; this version reads '{FORMAT}'")),
        }
    }

    fn text(&self, key: &str) -> ParseResult<&str> {
        self.0.get(key).map(String::as_str).ok_or_else(|| format!("metadata key '{key}' is missing"))
    }

    fn number(&self, key: &str) -> ParseResult<f64> {
        let text = self.text(key)?;
        let number: Option<f64> = text.trim().parse().ok().filter(|number: &f64| number.is_finite() && *number >= 0.0);
        number.ok_or_else(|| format!("metadata entry '{key}' is '{text}'; expected a finite, non-negative number"))
    }

    fn activation(&self) -> ParseResult<Activation> {
        match self.text("activation")?.parse() {
            Ok(Activation::TanhAsPrinted) => {
                let reason = "metadata entry 'activation' is 'tanh-as-printed', whose derivative is known to be wrong";
                Err(format!("{reason}; expected one of: sigmoid, relu, tanh"))
            }
            activation => activation.map_err(|error: Error| format!("metadata {error}")),
        }
    }

    /// Returns the optimizer with its hyper-parameters. Keys of hyper-parameters that this optimizer does not have are
    /// ignored.
    fn optimizer(&self) -> ParseResult<Optimizer> {
        let weight_decay = self.number("weight_decay")?;
        let name = self.text("optimizer")?;
        let refused = |error: Error| format!("metadata {error}");
        let optimizer: Optimizer = name.parse().map_err(refused)?;
        // The parser also accepts hyper-parameters after the name. A trace has them under keys of their own.
        if !name.eq_ignore_ascii_case(optimizer.name()) {
            return Err(format!(
                "metadata entry 'optimizer' is '{name}'; expected one of: {}",
                Optimizer::NAMES.join(", ")
            ));
        }
        let configured = match optimizer {
            Optimizer::Sgd { .. } => Ok(optimizer),
            Optimizer::Momentum { .. } => {
                let optimizer = optimizer.with_momentum(self.number("momentum")?).map_err(refused)?;
                if self.nesterov()? { optimizer.with_nesterov() } else { Ok(optimizer) }
            }
            Optimizer::Adam { .. } | Optimizer::AdamW { .. } => {
                let (beta1, beta2, epsilon) = (self.number("beta1")?, self.number("beta2")?, self.number("epsilon")?);
                optimizer.with_betas(beta1, beta2).and_then(|optimizer| optimizer.with_epsilon(epsilon))
            }
        };
        let optimizer = configured.map_err(refused)?.with_weight_decay(weight_decay);
        optimizer.validate().map_err(refused)?;
        Ok(optimizer)
    }

    /// Returns the value of the key `nesterov`, or false if the key is missing.
    fn nesterov(&self) -> ParseResult<bool> {
        match self.0.get("nesterov").map(String::as_str) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(other) => Err(format!("metadata entry 'nesterov' is '{other}'; expected true or false")),
        }
    }
}

/// The tensors of a file that the parser has not used yet. A tensor that remains at the end has an unknown name, which
/// is an error.
struct RemainingTensors {
    floats: Tensors,
    labels: BTreeMap<String, Vec<i64>>,
    /// True if the floating-point tensors are in double precision.
    is_double: bool,
}

impl RemainingTensors {
    fn new(tensors: &SafeTensors<'_>) -> ParseResult<Self> {
        let mut file = Self { floats: Tensors::new(), labels: BTreeMap::new(), is_double: false };
        let mut precision = None;
        for (name, tensor) in tensors.tensors() {
            let values: Vec<f64> = match tensor.dtype() {
                Dtype::I64 if tensor.shape().len() == 1 => {
                    let (labels, _) = tensor.data().as_chunks();
                    file.labels.insert(name, labels.iter().copied().map(i64::from_le_bytes).collect());
                    continue;
                }
                Dtype::F32 => <f32 as Scalar>::from_le_bytes(tensor.data()).into_iter().map(f64::from).collect(),
                Dtype::F64 => <f64 as Scalar>::from_le_bytes(tensor.data()),
                other => {
                    return Err(format!(
                        "{name} has type {other:?} and shape {:?}; expected F32 or F64, or I64 for labels",
                        tensor.shape()
                    ));
                }
            };
            let first = *precision.get_or_insert(tensor.dtype());
            if first != tensor.dtype() {
                return Err(format!(
                    "{name} has type {:?}, but other tensors have {first:?}; all must have one precision",
                    tensor.dtype()
                ));
            }
            let array =
                ArrayD::from_shape_vec(IxDyn(tensor.shape()), values).map_err(|error| format!("{name}: {error}"))?;
            if let Some((index, value)) = array.indexed_iter().find(|(_, value)| !value.is_finite()) {
                let index = index.slice();
                return Err(format!("{name} contains {value} at {index:?}; every value must be finite"));
            }
            file.floats.insert(name, array);
        }
        file.is_double = precision == Some(Dtype::F64);
        Ok(file)
    }

    fn take(&mut self, name: &str) -> Option<ArrayD<f64>> {
        self.floats.remove(name)
    }

    fn take_scalar(&mut self, name: &str) -> ParseResult<Option<f64>> {
        match self.take(name) {
            Some(loss) if loss.len() == 1 && loss.ndim() < 2 => Ok(loss.first().copied()),
            Some(loss) => Err(format!("{name} has shape {:?}; expected [1] or []", loss.shape())),
            None => Ok(None),
        }
    }

    /// Removes and returns the weights and biases whose names begin with `prefix`. The keys of the result lack the
    /// prefix, and its weights have shape `[inputs, outputs]`, not `[outputs, inputs]` as in the file.
    fn take_parameters(&mut self, prefix: &str) -> ParseResult<Tensors> {
        // A range of the sorted names, since a trace may have many prefixes, one per step.
        let from_prefix = self.floats.range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
        let names: Vec<String> =
            from_prefix.map(|(name, _)| name.clone()).take_while(|name| name.starts_with(prefix)).collect();
        let mut taken = Tensors::new();
        for name in names {
            let Some(values) = self.take(&name) else { continue };
            let key = name[prefix.len()..].to_owned();
            let (is_weight, is_bias) = (key.ends_with(".weight"), key.ends_with(".bias"));
            if !(is_weight || is_bias) {
                return Err(format!("unknown tensor '{name}'; expected a name that ends with .weight or .bias"));
            }
            if values.ndim() != if is_weight { 2 } else { 1 } {
                let expected = if is_weight { "two dimensions, [outputs, inputs]" } else { "one dimension, [outputs]" };
                return Err(format!("{name} has shape {:?}; expected {expected}", values.shape()));
            }
            taken.insert(key, values.reversed_axes().as_standard_layout().into_owned());
        }
        Ok(taken)
    }

    fn take_batches(&mut self, config: &MlpConfig) -> ParseResult<Vec<Batch<f64>>> {
        let mut batches = Vec::new();
        while let Some(images) = self.take(&format!("batch.{}.images", batches.len())) {
            let name = format!("batch.{}", batches.len());
            let labels =
                self.labels.remove(&format!("{name}.labels")).ok_or_else(|| format!("{name}.labels is missing"))?;
            let classes = config.classes();
            let label = |label: i64| {
                let class = usize::try_from(label).ok().filter(|&label| label < classes);
                class.ok_or_else(|| {
                    let last = classes - 1;
                    format!("{name}.labels contains {label}, but the network has {classes} classes (0–{last})")
                })
            };
            let labels = labels.into_iter().map(label).collect::<ParseResult<_>>()?;
            let batch = Batch::new(matrix(&format!("{name}.images"), images)?, labels)
                .map_err(|error| format!("{name}: {error}"))?;
            batch.check_fit(config.inputs(), classes).map_err(|error| format!("{name}: {error}"))?;
            batches.push(batch);
        }
        if batches.is_empty() {
            return Err("batch.0.images is missing; a trace needs at least one batch".to_owned());
        }
        Ok(batches)
    }

    fn reject_remaining(&self) -> ParseResult<()> {
        match self.floats.keys().chain(self.labels.keys()).next() {
            Some(name) => Err(format!(
                "unknown tensor '{name}'; expected initial.*, batch.<k>.images, batch.<k>.labels, logits, loss, \
                 gradient.* or step.<k>.* of a batch, where k counts from 0 without a gap"
            )),
            None => Ok(()),
        }
    }
}

/// Rejects steps that follow an incomplete one. The reference takes each step from the parameters after the previous
/// one, so steps after a gap could not be compared and would be ignored silently.
fn reject_steps_after_gap(steps: &[Step], initial: &Parameters<f64>) -> ParseResult<()> {
    let is_complete = |step: &Step| initial.tensors().all(|(name, _)| step.parameters.contains_key(&name));
    let is_present = |step: &Step| step.loss.is_some() || !step.parameters.is_empty();
    match steps.iter().position(|step| !is_complete(step)) {
        Some(gap) if steps[gap + 1..].iter().any(is_present) => Err(format!(
            "step.{gap} lacks parameters, but later steps are present; they are compared from the parameters of the \
             previous step"
        )),
        _ => Ok(()),
    }
}

/// Builds a network's parameters from tensors with weights of shape `[inputs, outputs]`.
///
/// # Errors
///
/// A message if a tensor is missing, unknown, or of a shape that does not fit.
pub(super) fn parameters(tensors: &Tensors) -> ParseResult<Parameters<f64>> {
    let names = tensors.keys().map(String::as_str).collect();
    Parameters::from_named_tensors(&names, |name| {
        tensors.get(name).cloned().ok_or_else(|| format!("{name} is missing"))
    })
}

fn matrix(name: &str, values: ArrayD<f64>) -> ParseResult<ndarray::Array2<f64>> {
    let shape = values.shape().to_vec();
    values.into_dimensionality::<Ix2>().map_err(|_| format!("{name} has shape {shape:?}; expected two dimensions"))
}

/// Checks that each tensor has the name and the shape of one of the network's parameters.
fn check_shapes(prefix: &str, tensors: &Tensors, initial: &Parameters<f64>) -> ParseResult<()> {
    let shapes: BTreeMap<String, Vec<usize>> =
        initial.tensors().map(|(name, values)| (name, values.shape().to_vec())).collect();
    for (name, values) in tensors {
        match shapes.get(name) {
            Some(shape) if shape == values.shape() => {}
            Some(shape) => {
                // In the file, the axes are reversed.
                let [actual, expected] = [values.shape(), shape].map(|shape| shape.iter().rev().collect::<Vec<_>>());
                return Err(format!("{prefix}{name} has shape {actual:?}, but initial.{name} has {expected:?}"));
            }
            None => return Err(format!("unknown tensor '{prefix}{name}'; the network has no {name}")),
        }
    }
    Ok(())
}
