//! Trained networks in files of any program. Layers are recognised by their order and by shapes that fit together, whatever
//! their names; everything that a file does not state is noted.

mod chain;
mod names;
mod scaling;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use mlp_parity::storage::{MAX_SAFETENSORS_LENGTH, deserialize, read_file};
use mlp_parity::{
    Activation, Checkpoint, Error, Layer, MlpConfig, ParameterFile, Parameters, Result, SafetensorsFile, list_names,
};
use ndarray::{Array1, Array2, ArrayD, Ix2};

use super::ParseResult;
use super::container::{self, Contents, Entry, Precision, StoredArray};
use super::identify::is_json;
use chain::{Chain, FoundLayer, chain};
use names::{Role, is_optimizer_state, layer_and_role, other_layer};

pub use scaling::PixelScaling;

/// Key of the metadata that this project's own files have.
const OWN_METADATA: &str = "mlp_parity";

/// Key of the metadata that state the activation.
const ACTIVATION: &str = "activation";

/// Number of layers whose names are listed.
const SHOWN: usize = 10;

/// A trained network, as a file of this or another program contains it.
#[derive(Clone, Debug, PartialEq)]
pub struct SavedNetwork {
    /// Weights and biases of all layers.
    pub parameters: Parameters<f64>,
    /// Activation of the hidden layers; `None` if the file does not state it.
    pub activation: Option<Activation>,
    /// Assumptions about what the file does not state, one phrase each.
    pub assumptions: Vec<String>,
}

impl SavedNetwork {
    /// Reads a network from a parameter file or a checkpoint of this project, or from a safetensors, npz, JSON or (with the
    /// feature `pytorch`) PyTorch file of another program. The layers may have any names, a common prefix, and weights in
    /// either order of axes; biases may be missing; the precision may be double, single, half or bfloat16. The state of an
    /// optimizer is left out.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the file cannot be read; [`Error::Parameters`] if it is of another kind, is damaged, has layers that
    /// are not fully connected or do not form one network, or values that are NaN or infinite.
    pub fn load(path: &Path) -> Result<Self> {
        let bytes = read_file(path, MAX_SAFETENSORS_LENGTH)?;
        Self::read(path, &bytes).map_err(|reason| Error::parameters(path.display().to_string(), reason))
    }

    fn read(path: &Path, bytes: &[u8]) -> ParseResult<Self> {
        if Checkpoint::is_checkpoint(bytes) {
            let Checkpoint { config, parameters, .. } = Checkpoint::read(bytes)?;
            return Ok(Self::own(&parameters, Some(config.activation())));
        }
        if deserialize(bytes).is_ok_and(|(_, metadata)| metadata.contains_key(OWN_METADATA)) {
            let ParameterFile { parameters, activation } = ParameterFile::<f32>::read(bytes)?;
            return Ok(Self::own(&parameters, activation));
        }
        Self::from_contents(container::read(path, bytes, entry)?, !is_json(bytes))
    }

    /// Returns the network of a file of this project.
    fn own(parameters: &Parameters<f32>, activation: Option<Activation>) -> Self {
        Self { parameters: parameters.cast(), activation, assumptions: Vec::new() }
    }

    /// Returns the network in the tensors of a file. `has_types` is true if the file tells integers from other numbers.
    fn from_contents(contents: Contents, has_types: bool) -> ParseResult<Self> {
        let activation = activation(&contents.metadata)?;
        let mut assumptions = Vec::new();
        let unread = contents.metadata.values().filter(|value| value.is_empty()).count();
        let tensors = parameters_of_layers(contents.tensors, has_types, unread, &mut assumptions)?;
        let precision = tensors.values().filter_map(|tensor| tensor.precision).min();
        if let Some(precision @ (Precision::Half | Precision::Bfloat16)) = precision {
            assumptions.push(format!("the parameters are in {precision}"));
        }
        let mut layers = found_layers(tensors)?;
        let limit = MlpConfig::MAX_HIDDEN_LAYERS + 1;
        if layers.is_empty() {
            let expected = "expected a matrix and a vector for each layer, as in a state_dict";
            return Err(format!("the file contains no weights; {expected}"));
        }
        if layers.len() > limit {
            return Err(format!("the file has {} layers; at most {limit} are allowed", layers.len()));
        }
        let Chain { order, inputs_first, is_certain } = chain(&layers)?;
        note_layout(&layers, &order, (inputs_first, is_certain), &mut assumptions);
        let mut placed = Vec::new();
        for &index in &order {
            let FoundLayer { name, weight, bias, .. } = &mut layers[index];
            let weight = std::mem::take(weight);
            let weight = if inputs_first { weight } else { weight.reversed_axes().as_standard_layout().into_owned() };
            check_finite(name, &weight, bias.as_ref())?;
            let bias = bias.take().unwrap_or_else(|| Array1::zeros(weight.ncols()));
            placed.push(Layer { weight, bias });
        }
        let parameters = Parameters::from_layers(placed).map_err(|error| error.to_string())?;
        Ok(Self { parameters, activation, assumptions })
    }

    /// Returns the configuration of the network. `activation` is required if the file does not state one, unless there are no
    /// hidden layers; otherwise it must be `None` or equal to the one in the file.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if the activation is unknown, or `activation` contradicts the file; [`Error::Parameters`] if
    /// the layer sizes do not form a valid network.
    pub fn config(&self, activation: Option<Activation>) -> Result<MlpConfig> {
        // Without hidden layers, no unit has an activation.
        let any = self.parameters.layers().len() == 1;
        let stored = self.activation.or_else(|| any.then_some(activation.unwrap_or(Activation::Relu)));
        ParameterFile { parameters: self.parameters.clone(), activation: stored }.config(activation)
    }
}

/// Returns the activation of the hidden layers, which the metadata state once or for each layer. scikit-learn calls sigmoid
/// `logistic`.
fn activation(metadata: &BTreeMap<String, String>) -> ParseResult<Option<Activation>> {
    /// Names of what the output layer has.
    const OUTPUT: [&str; 5] = ["", "softmax", "log_softmax", "linear", "none"];
    let stated = metadata.iter().filter(|(key, _)| is_activation(key)).map(|(_, name)| name.to_lowercase());
    let hidden: BTreeSet<String> = stated.filter(|name| !OUTPUT.contains(&name.as_str())).collect();
    if hidden.len() > 1 {
        let names = list_names(hidden.iter().map(String::as_str));
        return Err(format!(
            "the layers have different activations ({names}); expected the same for all hidden layers"
        ));
    }
    let parse = |name: &String| {
        let name = if name == "logistic" { "sigmoid" } else { name };
        name.parse().map_err(|error: Error| error.to_string())
    };
    hidden.first().map(parse).transpose()
}

/// Returns true for the key of an activation, of the network or of a layer.
fn is_activation(key: &str) -> bool {
    key.rsplit('.').next() == Some(ACTIVATION)
}

/// Returns the meaning of an entry in an npz or JSON file.
fn entry(name: &str) -> Entry {
    match name {
        _ if is_activation(name) => Entry::Metadata,
        _ if other_layer(name, 0).is_some() => Entry::Tensor,
        _ => match layer_and_role(name) {
            Some((_, Role::Weight(_))) => Entry::Tensors(2),
            Some((_, Role::Bias)) => Entry::Tensors(1),
            Some((_, Role::Listed)) => Entry::Tensor,
            None => Entry::Group,
        },
    }
}

/// Returns the tensors that may be weights or biases. Leaves out single numbers, such as the number of epochs, and the state of
/// an optimizer; `unread` entries are left out already.
fn parameters_of_layers(
    tensors: BTreeMap<String, StoredArray>,
    has_types: bool,
    unread: usize,
    assumptions: &mut Vec<String>,
) -> ParseResult<BTreeMap<String, StoredArray>> {
    let all: Vec<String> = tensors.keys().cloned().collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let count = tensors.len();
    let is_parameter = |name: &str, tensor: &StoredArray| {
        // The state of a random generator, or labels.
        let is_other = has_types && tensor.precision.is_none() && layer_and_role(name).is_none();
        tensor.values.ndim() > 0 && !is_other && !is_optimizer_state(name, &all)
    };
    let kept: BTreeMap<_, _> = tensors.into_iter().filter(|(name, tensor)| is_parameter(name, tensor)).collect();
    for (name, StoredArray { values, precision }) in &kept {
        if let Some(kind) = other_layer(name, values.ndim()) {
            return Err(format!("'{name}' belongs to {kind}; only networks of fully connected layers can be read"));
        }
        if has_types && precision.is_none() {
            return Err(format!(
                "'{name}' has integers; expected floating-point numbers (quantized networks cannot be read)"
            ));
        }
    }
    match count - kept.len() + unread {
        0 => {}
        1 => assumptions.push("1 entry that is no parameter is left out".to_owned()),
        left_out => assumptions.push(format!("{left_out} entries that are no parameters are left out")),
    }
    Ok(kept)
}

/// Groups tensors by layer.
fn found_layers(tensors: BTreeMap<String, StoredArray>) -> ParseResult<Vec<FoundLayer>> {
    let mut weights: BTreeMap<String, (Array2<f64>, bool)> = BTreeMap::new();
    let mut biases: BTreeMap<String, Array1<f64>> = BTreeMap::new();
    let mut listed = BTreeMap::new();
    let mut unknown = Vec::new();
    for (name, StoredArray { values, .. }) in tensors {
        match layer_and_role(&name) {
            Some((layer, Role::Weight(inputs_first))) if !is_vector(&values) || values.ndim() == 2 => {
                weights.insert(layer, (matrix(&name, values)?, inputs_first == Some(true)));
            }
            Some((layer, Role::Bias)) if is_vector(&values) => {
                biases.insert(layer, values.into_iter().collect());
            }
            Some((layer, Role::Listed)) => {
                listed.insert((layer.len(), layer), (name, values));
            }
            Some((_, Role::Weight(_))) => {
                return Err(format!(
                    "'{name}' is a vector, like the weight of a layer norm, of PReLU or of a single unit; expected a matrix \
                     for each fully connected layer, and no other layers"
                ));
            }
            _ => unknown.push(name),
        }
    }
    if !unknown.is_empty() {
        let names = list_names(unknown.iter().map(String::as_str));
        return Err(format!(
            "unknown tensors: {names}; expected for each layer a matrix <layer>.weight (or kernel, W) and a vector <layer>.bias \
             (or b)"
        ));
    }
    pair_listed(listed, &mut weights, &mut biases)?;
    // In a network with weights_ih, bias_h, weights_ho and bias_o, the last letter of a weight is the layer.
    for name in
        biases.keys().filter(|name| !name.is_empty() && !weights.contains_key(*name)).cloned().collect::<Vec<_>>()
    {
        let mut ending = weights.keys().filter(|weight| weight.ends_with(&name) && !biases.contains_key(*weight));
        if let (Some(weight), None) = (ending.next(), ending.next()) {
            let bias = biases.remove(&name).unwrap_or_default();
            biases.insert(weight.clone(), bias);
        }
    }
    let layer = |(name, (weight, is_kernel))| {
        let bias = biases.remove(&name);
        FoundLayer { name, weight, bias, is_kernel }
    };
    let layers: Vec<FoundLayer> = weights.into_iter().map(layer).collect();
    match biases.keys().next() {
        Some(name) => Err(format!("the bias of '{name}' has no weight; expected one weight for each bias")),
        None => Ok(layers),
    }
}

/// Adds the tensors of a list, in which each weight is followed by its bias, if it has one.
fn pair_listed(
    listed: BTreeMap<(usize, String), (String, ArrayD<f64>)>,
    weights: &mut BTreeMap<String, (Array2<f64>, bool)>,
    biases: &mut BTreeMap<String, Array1<f64>>,
) -> ParseResult<()> {
    let mut last: Option<String> = None;
    for ((_, layer), (name, values)) in listed {
        match last.take() {
            Some(weight) if is_vector(&values) => {
                biases.insert(weight, values.into_iter().collect());
            }
            None if values.ndim() == 1 => {
                return Err(format!(
                    "'{name}' is a vector after the bias of a layer, as a normalization layer has; expected a weight with two \
                     dimensions: only networks of fully connected layers can be read"
                ));
            }
            _ => {
                weights.insert(layer.clone(), (matrix(&name, values)?, false));
                last = Some(layer);
            }
        }
    }
    Ok(())
}

/// Returns true for a shape of one dimension, or of two of which one is 1.
fn is_vector(values: &ArrayD<f64>) -> bool {
    matches!(values.shape(), [_] | [1, _] | [_, 1])
}

fn matrix(name: &str, values: ArrayD<f64>) -> ParseResult<Array2<f64>> {
    let shape = values.shape().to_vec();
    let matrix = values.into_dimensionality::<Ix2>().ok().filter(|matrix| !matrix.is_empty());
    matrix.ok_or_else(|| format!("'{name}' has shape {shape:?}; expected a weight with two dimensions that are not 0"))
}

/// Notes the names of the layers, the order of axes, and missing biases, if they are not as in this project's own files.
fn note_layout(layers: &[FoundLayer], order: &[usize], axes: (bool, bool), assumptions: &mut Vec<String>) {
    let canonical = |place: usize| match place + 1 == order.len() {
        true => "output_layer".to_owned(),
        false => format!("layer{}", place + 1),
    };
    let is_canonical = order.iter().enumerate().all(|(place, &index)| layers[index].name == canonical(place));
    if !is_canonical && order.len() > 1 {
        let names: Vec<&str> = order.iter().take(SHOWN).map(|&index| layers[index].name.as_str()).collect();
        let more = if order.len() > SHOWN { format!(" and {} more", order.len() - SHOWN) } else { String::new() };
        assumptions.push(format!("the layers are, in this order, {}{more}", names.join(", ")));
    }
    match axes {
        (true, true) => assumptions.push("weights are [inputs, outputs]".to_owned()),
        (true, false) => assumptions.push("weights are [inputs, outputs]; the shapes fit both ways".to_owned()),
        (false, false) if !is_canonical => {
            assumptions.push("weights are [outputs, inputs], as in PyTorch; the shapes fit both ways".to_owned());
        }
        (false, _) => {}
    }
    let without: Vec<&str> = order
        .iter()
        .map(|&index| &layers[index])
        .filter(|layer| layer.bias.is_none())
        .map(|layer| layer.name.as_str())
        .collect();
    if without.len() == order.len() {
        assumptions.push("the network has no biases".to_owned());
    } else if !without.is_empty() {
        assumptions.push(format!("there are no biases in {}", list_names(without)));
    }
}

/// Checks that all values of a layer are finite numbers of single precision.
fn check_finite(name: &str, weight: &Array2<f64>, bias: Option<&Array1<f64>>) -> ParseResult<()> {
    let is_finite = |value: f64| (value as f32).is_finite();
    let weight = weight.indexed_iter().find(|(_, value)| !is_finite(**value));
    let weight = weight.map(|((input, unit), value)| format!("the weight of input {input} and unit {unit} is {value}"));
    let bias = || bias?.indexed_iter().find(|(_, value)| !is_finite(**value));
    let bias = || bias().map(|(unit, value)| format!("the bias of unit {unit} is {value}"));
    match weight.or_else(bias) {
        Some(found) => Err(format!("layer '{name}': {found}; parameters must be finite in single precision")),
        None => Ok(()),
    }
}
