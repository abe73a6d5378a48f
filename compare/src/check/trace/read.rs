//! A trace from the tensors and metadata of a file: strict, so that nothing is compared that was meant otherwise.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use mlp_parity::{Activation, Batch, Error, MlpConfig, Optimizer, Parameters, Scalar};
use ndarray::{ArrayD, Dimension, Ix2, IxDyn};
use safetensors::{Dtype, SafeTensors};

use super::model::{FORMAT, Step, Trace};
use crate::check::compare::Tensors;

/// Every key that the metadata may have.
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

type Read<T> = Result<T, String>;

pub(super) fn trace(metadata: &HashMap<String, String>, tensors: &SafeTensors<'_>) -> Read<Trace> {
    let metadata = Metadata::new(metadata)?;
    let mut file = File::new(tensors)?;
    let initial = parameters(&file.take_parameters("initial.")?)
        .map_err(|reason| format!("the tensors initial.* are no network: {reason}; weights are [outputs, inputs]"))?;
    let sizes = initial.sizes();
    let [inputs, hidden @ .., classes] = sizes.as_slice() else { return Err("initial.* has no layer".to_owned()) };
    let config =
        MlpConfig::new(*inputs, hidden, *classes, metadata.activation()?).map_err(|error| error.to_string())?;
    let batches = file.take_batches(&config)?;
    let fits = |name: &str, tensors: Tensors| check_fit(name, tensors, &initial);
    let gradients = fits("gradient", file.take_parameters("gradient.")?)?;
    let mut steps = Vec::new();
    for number in 0..batches.len() {
        let loss = file.take_scalar(&format!("step.{number}.loss"))?;
        let prefix = format!("step.{number}.");
        steps.push(Step { loss, parameters: fits(&prefix, file.take_parameters(&prefix)?)? });
    }
    nothing_after_a_gap(&steps, &initial)?;
    let logits = file.take("logits").map(|logits| matrix("logits", logits)).transpose()?;
    if let Some(logits) = logits.as_ref().filter(|logits| logits.dim() != (batches[0].len(), *classes)) {
        return Err(format!(
            "logits has shape {:?}; batch.0 and the network need {:?}",
            logits.shape(),
            [batches[0].len(), *classes]
        ));
    }
    let loss = file.take_scalar("loss")?;
    file.nothing_left()?;
    Ok(Trace {
        producer: metadata.text("producer").unwrap_or("unknown producer").to_owned(),
        optimizer: metadata.optimizer()?,
        learning_rate: metadata.number("learning_rate")?,
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

struct Metadata<'a>(&'a HashMap<String, String>);

impl<'a> Metadata<'a> {
    fn new(metadata: &'a HashMap<String, String>) -> Read<Self> {
        let unknown: BTreeSet<&String> = metadata.keys().filter(|key| !KEYS.contains(&key.as_str())).collect();
        match (metadata.get("format").map(String::as_str), unknown.first()) {
            (None, _) => Err(format!("the metadata have no 'format'; a trace says '{FORMAT}' there")),
            (Some(FORMAT), None) => Ok(Self(metadata)),
            (Some(FORMAT), Some(key)) => Err(format!("unknown metadata '{key}'; a trace may have {}", KEYS.join(", "))),
            (Some(other), _) => Err(format!("format is '{other}'; this version reads '{FORMAT}'")),
        }
    }

    fn text(&self, key: &str) -> Read<&str> {
        self.0.get(key).map(String::as_str).ok_or_else(|| format!("the metadata have no '{key}'"))
    }

    fn number(&self, key: &str) -> Read<f64> {
        let text = self.text(key)?;
        let number: Option<f64> = text.trim().parse().ok().filter(|number: &f64| number.is_finite() && *number >= 0.0);
        number.ok_or_else(|| format!("metadata '{key}' is '{text}', not a number from 0 upwards"))
    }

    fn activation(&self) -> Read<Activation> {
        match self.text("activation")?.parse() {
            Ok(Activation::TanhAsPrinted) => {
                Err("a trace has no 'tanh-as-printed': the reference knows it to be wrong".to_owned())
            }
            activation => activation.map_err(|error| error.to_string()),
        }
    }

    /// The optimizer with its settings. Keys of settings that it does not have are ignored.
    fn optimizer(&self) -> Read<Optimizer> {
        let weight_decay = self.number("weight_decay")?;
        let name = self.text("optimizer")?;
        let refused = |error: Error| format!("metadata {error}");
        let optimizer: Optimizer = name.parse().map_err(refused)?;
        if name != optimizer.name() {
            return Err(format!("metadata 'optimizer' is '{name}'; expected one of: {}", Optimizer::NAMES.join(", ")));
        }
        let with_settings = match optimizer {
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
        let optimizer = with_settings.map_err(refused)?.with_weight_decay(weight_decay);
        optimizer.validate().map_err(refused)?;
        Ok(optimizer)
    }

    /// `false` where the key is missing.
    fn nesterov(&self) -> Read<bool> {
        match self.0.get("nesterov").map(String::as_str) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(other) => Err(format!("metadata 'nesterov' is '{other}', not 'true' or 'false'")),
        }
    }
}

/// The tensors that were not taken yet.
struct File {
    floats: Tensors,
    labels: BTreeMap<String, Vec<i64>>,
    is_double: bool,
}

impl File {
    fn new(tensors: &SafeTensors<'_>) -> Read<Self> {
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
                other => return Err(format!("{name} is {other:?}; a trace has F32 or F64, and I64 for labels")),
            };
            if *precision.get_or_insert(tensor.dtype()) != tensor.dtype() {
                return Err(format!("{name} is {:?}, but other tensors are not; use one precision", tensor.dtype()));
            }
            let array =
                ArrayD::from_shape_vec(IxDyn(tensor.shape()), values).map_err(|error| format!("{name}: {error}"))?;
            if let Some((index, value)) = array.indexed_iter().find(|(_, value)| !value.is_finite()) {
                let index = index.slice();
                return Err(format!("{name} has the value {value} at {index:?}; all values must be finite"));
            }
            file.floats.insert(name, array);
        }
        file.is_double = precision == Some(Dtype::F64);
        Ok(file)
    }

    fn take(&mut self, name: &str) -> Option<ArrayD<f64>> {
        self.floats.remove(name)
    }

    fn take_scalar(&mut self, name: &str) -> Read<Option<f64>> {
        match self.take(name) {
            Some(loss) if loss.len() == 1 && loss.ndim() < 2 => Ok(loss.first().copied()),
            Some(loss) => Err(format!("{name} has shape {:?}; a loss has [1] or []", loss.shape())),
            None => Ok(None),
        }
    }

    /// Those whose name begins with `prefix`, without it, weights as `[inputs, outputs]`.
    fn take_parameters(&mut self, prefix: &str) -> Read<Tensors> {
        let names: Vec<String> = self.floats.keys().filter(|name| name.starts_with(prefix)).cloned().collect();
        let mut taken = Tensors::new();
        for name in names {
            let Some(values) = self.take(&name) else { continue };
            let short = name[prefix.len()..].to_owned();
            if !(short.ends_with(".weight") && values.ndim() == 2 || short.ends_with(".bias") && values.ndim() == 1) {
                return Err(format!(
                    "unknown tensor '{name}', or one of another shape ({:?}) than its name tells",
                    values.shape()
                ));
            }
            taken.insert(short, values.reversed_axes().as_standard_layout().into_owned());
        }
        Ok(taken)
    }

    fn take_batches(&mut self, config: &MlpConfig) -> Read<Vec<Batch<f64>>> {
        let mut batches = Vec::new();
        while let Some(images) = self.take(&format!("batch.{}.images", batches.len())) {
            let name = format!("batch.{}", batches.len());
            let labels =
                self.labels.remove(&format!("{name}.labels")).ok_or_else(|| format!("{name}.labels is missing"))?;
            let classes = config.classes();
            let label = |label: i64| {
                let known = usize::try_from(label).ok().filter(|&label| label < classes);
                known.ok_or_else(|| format!("{name}.labels has {label}; there are {classes} classes, from 0"))
            };
            let labels = labels.into_iter().map(label).collect::<Read<_>>()?;
            let batch = Batch::new(matrix(&format!("{name}.images"), images)?, labels)
                .map_err(|error| format!("{name}: {error}"))?;
            batch.check_fit(config.inputs(), classes).map_err(|error| format!("{name}: {error}"))?;
            batches.push(batch);
        }
        if batches.is_empty() {
            return Err("batch.0.images is missing; a trace has at least one batch".to_owned());
        }
        Ok(batches)
    }

    fn nothing_left(&self) -> Read<()> {
        match self.floats.keys().chain(self.labels.keys()).next() {
            Some(name) => Err(format!(
                "unknown tensor '{name}'; a trace has initial.*, batch.<k>.images and .labels, logits, loss, gradient.*, \
                 step.<k>.* for its batches, without a gap in k"
            )),
            None => Ok(()),
        }
    }
}

/// A step is compared from the parameters before it: without them, what is there of it would not be.
fn nothing_after_a_gap(steps: &[Step], initial: &Parameters<f64>) -> Read<()> {
    let is_whole = |step: &Step| initial.tensors().all(|(name, _)| step.parameters.contains_key(&name));
    let is_there = |step: &Step| step.loss.is_some() || !step.parameters.is_empty();
    match steps.iter().position(|step| !is_whole(step)) {
        Some(gap) if steps[gap + 1..].iter().any(is_there) => Err(format!(
            "there are steps after step.{gap}, but not all parameters of step.{gap}, from which they are compared; k counts \
             from 0"
        )),
        _ => Ok(()),
    }
}

/// The network of these tensors.
pub(super) fn parameters(tensors: &Tensors) -> Read<Parameters<f64>> {
    let names = tensors.keys().map(String::as_str).collect();
    Parameters::from_named(&names, |name| tensors.get(name).cloned().ok_or_else(|| format!("{name} is missing")))
}

fn matrix(name: &str, values: ArrayD<f64>) -> Read<ndarray::Array2<f64>> {
    let shape = values.shape().to_vec();
    values.into_dimensionality::<Ix2>().map_err(|_| format!("{name} has shape {shape:?}; it needs two dimensions"))
}

/// The tensors, if they are some of the network's.
fn check_fit(name: &str, tensors: Tensors, initial: &Parameters<f64>) -> Read<Tensors> {
    let shapes: BTreeMap<String, Vec<usize>> =
        initial.tensors().map(|(name, values)| (name, values.shape().to_vec())).collect();
    for (tensor, values) in &tensors {
        match shapes.get(tensor) {
            Some(shape) if shape == values.shape() => {}
            Some(shape) => {
                let [has, needs] = [values.shape(), shape].map(|shape| shape.iter().rev().collect::<Vec<_>>());
                return Err(format!("{name}: {tensor} has shape {has:?}; initial.{tensor} has {needs:?}"));
            }
            None => return Err(format!("{name}: the network has no '{tensor}'")),
        }
    }
    Ok(tensors)
}
