//! The layout of a network's parameters in a trace: the names and order of the layers, the order of the axes of weights, and
//! whether there are biases.

use std::collections::BTreeMap;

use mlp_parity::{Layer, MlpConfig, Parameters};
use ndarray::{Array1, Array2, ArrayD};

use super::tensors::{RemainingTensors, matrix, unflattened};
use crate::check::compare::Tensors;
use crate::input::{ParseResult, in_order};

/// Prefix of the initial parameters.
const INITIAL: &str = "initial.";

/// The layout of a network's parameters in a file.
pub(super) struct Layout {
    /// The number of inputs, the widths of the hidden layers, and the number of outputs.
    pub(super) sizes: Vec<usize>,
    /// For each layer, true if it has biases.
    pub(super) biases: Vec<bool>,
    /// The name of each layer in the file.
    names: Vec<String>,
    /// True if weights are `[inputs, outputs]`, false if they are `[outputs, inputs]`.
    inputs_first: bool,
}

impl Layout {
    /// Determines the layout from the initial parameters, and reads them. `declared` is the order of axes that the metadata
    /// state, and `inputs` the number of inputs, if it is known.
    pub(super) fn read(
        file: &mut RemainingTensors,
        declared: Option<bool>,
        inputs: Option<usize>,
        assumptions: &mut Vec<String>,
    ) -> ParseResult<(Self, Parameters<f64>)> {
        let (mut weights, mut biases) = initial_tensors(file, declared)?;
        if weights.is_empty() {
            return Err("the tensors initial.* have no layer; expected initial.<layer>.weight".to_owned());
        }
        let limit = MlpConfig::MAX_HIDDEN_LAYERS + 1;
        if weights.len() > limit {
            return Err(format!("the tensors initial.* have {} layers; at most {limit} are allowed", weights.len()));
        }
        if let Some((name, _)) = weights.iter().find(|(_, weight)| weight.is_empty()) {
            return Err(format!("{INITIAL}{name}.weight is empty; every layer needs an input and a unit"));
        }
        let names = in_order(weights.keys().map(String::as_str).collect());
        let shapes: Vec<[usize; 2]> =
            names.iter().map(|name| [weights[*name].nrows(), weights[*name].ncols()]).collect();
        let inputs_first = inputs_first(&names, &shapes, declared, inputs, assumptions)?;
        let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
        let sizes = shapes.iter().map(|shape| if inputs_first { *shape } else { [shape[1], shape[0]] });
        let sizes: Vec<[usize; 2]> = sizes.collect();
        let layout = Self {
            sizes: sizes.first().map(|size| size[0]).into_iter().chain(sizes.iter().map(|size| size[1])).collect(),
            biases: names.iter().map(|name| biases.contains_key(name)).collect(),
            inputs_first,
            names,
        };
        layout.note_biases(assumptions);
        layout.note_names(assumptions);
        let mut layers = Vec::new();
        for (index, name) in layout.names.iter().enumerate() {
            let Some(weight) = weights.remove(name) else { continue };
            let weight = if inputs_first { weight } else { weight.t().as_standard_layout().into_owned() };
            let units = weight.ncols();
            let bias = match biases.remove(name) {
                Some(values) => vector(&format!("{INITIAL}{name}.bias"), &values, units)?,
                None => Array1::zeros(units),
            };
            if weight.nrows() != layout.sizes[index] {
                return Err(format!("{INITIAL}{name}.weight does not fit the layer before it"));
            }
            layers.push(Layer { weight, bias });
        }
        if let Some(name) = biases.keys().next() {
            return Err(format!("{INITIAL}{name}.bias has no weight; expected {INITIAL}{name}.weight"));
        }
        let parameters = Parameters::from_layers(layers).map_err(|error| error.to_string())?;
        Ok((layout, parameters))
    }

    /// Returns the names of the hidden layers in the file.
    pub(super) fn hidden_names(&self) -> impl Iterator<Item = &String> {
        self.names[..self.names.len() - 1].iter()
    }

    /// Notes which layers have no biases.
    fn note_biases(&self, assumptions: &mut Vec<String>) {
        let without: Vec<&str> = self.names_without_biases().collect();
        if without.len() == self.names.len() {
            assumptions.push("the network has no biases".to_owned());
        } else if !without.is_empty() {
            assumptions.push(format!("there are no biases in {}", without.join(", ")));
        }
    }

    fn names_without_biases(&self) -> impl Iterator<Item = &str> {
        self.names.iter().zip(&self.biases).filter(|(_, has_biases)| !**has_biases).map(|(name, _)| name.as_str())
    }

    /// Notes which layer is which, if the names do not say it.
    fn note_names(&self, assumptions: &mut Vec<String>) {
        let canonical = self.canonical_names();
        if canonical != self.names {
            assumptions.push(format!("the layers are, in this order, {}", self.names.join(", ")));
        }
    }

    /// Returns the names that the layers have in the results: `layer1`, `layer2`, …, `output_layer`.
    fn canonical_names(&self) -> Vec<String> {
        let count = self.names.len();
        let name = |index| if index + 1 == count { "output_layer".to_owned() } else { format!("layer{}", index + 1) };
        (0..count).map(name).collect()
    }

    /// Removes and returns the tensors of all layers whose names begin with `prefix`, as gradients or parameters after a step:
    /// weights with shape `[inputs, outputs]`, by their canonical names. Some or all may be missing.
    pub(super) fn take_tensors(&self, file: &mut RemainingTensors, prefix: &str) -> ParseResult<Tensors> {
        let mut taken = Tensors::new();
        for (index, (name, canonical)) in self.names.iter().zip(self.canonical_names()).enumerate() {
            let [inputs, units] = [self.sizes[index], self.sizes[index + 1]];
            let weight_name = format!("{prefix}{name}.weight");
            if let Some(weight) = file.take(&weight_name) {
                let expected = if self.inputs_first { [inputs, units] } else { [units, inputs] };
                let weight = matrix(&weight_name, unflattened(weight, expected))?;
                if weight.dim() != (expected[0], expected[1]) {
                    return Err(format!(
                        "{weight_name} has shape {:?}, but {INITIAL}{name}.weight has {expected:?}",
                        weight.shape()
                    ));
                }
                let weight = if self.inputs_first { weight } else { weight.t().as_standard_layout().into_owned() };
                taken.insert(format!("{canonical}.weight"), weight.into_dyn());
            }
            let bias_name = format!("{prefix}{name}.bias");
            match file.take(&bias_name) {
                Some(_) if !self.biases[index] => {
                    return Err(format!("unknown tensor '{bias_name}': there is no {INITIAL}{name}.bias"));
                }
                Some(bias) => {
                    taken.insert(format!("{canonical}.bias"), vector(&bias_name, &bias, units)?.into_dyn());
                }
                None => {}
            }
        }
        Ok(taken)
    }
}

/// Takes the initial weights and biases, by the names of their layers. `declared` is the order of the axes of weights that
/// the metadata state.
fn initial_tensors(
    file: &mut RemainingTensors,
    declared: Option<bool>,
) -> ParseResult<(BTreeMap<String, Array2<f64>>, Tensors)> {
    let (mut weights, mut biases) = (Tensors::new(), Tensors::new());
    for name in file.names(INITIAL) {
        let full = format!("{INITIAL}{name}");
        let Some(values) = file.take_input(&full)? else { continue };
        match name.rsplit_once('.') {
            Some((layer, "weight")) => weights.insert(layer.to_owned(), values),
            Some((layer, "bias")) => biases.insert(layer.to_owned(), values),
            _ => {
                return Err(format!(
                    "unknown tensor '{full}'; expected {INITIAL}<layer>.weight or {INITIAL}<layer>.bias"
                ));
            }
        };
    }
    let mut matrices = BTreeMap::new();
    for (layer, values) in weights {
        let units = biases.get(&layer).map(ArrayD::len);
        let name = format!("{INITIAL}{layer}.weight");
        let weight = matrix(&name, unflattened_weight(&name, values, units, declared)?)?;
        matrices.insert(layer, weight);
    }
    Ok((matrices, biases))
}

/// Returns a weight as a matrix, if it is a flat array whose shape follows from the number of units and the declared order.
fn unflattened_weight(
    name: &str,
    values: ArrayD<f64>,
    units: Option<usize>,
    declared: Option<bool>,
) -> ParseResult<ArrayD<f64>> {
    if values.ndim() != 1 {
        return Ok(values);
    }
    let (Some(units), Some(inputs_first)) = (units.filter(|&units| units > 0), declared) else {
        return Err(format!(
            "{name} has shape {:?}; expected two dimensions, or for a flat array, the layer's bias and the metadata key \
             'weights': 'outputs-inputs' if the weights of one unit are side by side, 'inputs-outputs' if those of one \
             input are",
            values.shape()
        ));
    };
    let inputs = values.len() / units;
    Ok(unflattened(values, if inputs_first { [inputs, units] } else { [units, inputs] }))
}

/// Returns a bias as a vector. Its shape may be `[n]`, `[1, n]` or `[n, 1]`.
fn vector(name: &str, values: &ArrayD<f64>, units: usize) -> ParseResult<Array1<f64>> {
    let shape = values.shape();
    if values.len() == units && shape.len() <= 2 && shape.iter().all(|&length| length == units || length == 1) {
        return Ok(values.iter().copied().collect());
    }
    let cure = if values.len() == 1 && name.starts_with("gradient.") {
        ": sum δ over the images only, not over the units"
    } else {
        ""
    };
    Err(format!("{name} has shape {shape:?}; expected [{units}]{cure}"))
}

/// Returns true if weights are `[inputs, outputs]`: as declared, or as the shapes decide for all weights together.
fn inputs_first(
    names: &[&str],
    shapes: &[[usize; 2]],
    declared: Option<bool>,
    inputs: Option<usize>,
    assumptions: &mut Vec<String>,
) -> ParseResult<bool> {
    let fits = |inputs_first: bool| {
        let [from, to] = if inputs_first { [0, 1] } else { [1, 0] };
        let chains = shapes.windows(2).all(|pair| pair[0][to] == pair[1][from]);
        chains && inputs.is_none_or(|inputs| shapes.first().is_some_and(|shape| shape[from] == inputs))
    };
    let list = || {
        let shapes = names.iter().zip(shapes).map(|(name, shape)| format!("{name}.weight {shape:?}"));
        shapes.collect::<Vec<_>>().join(", ")
    };
    match (declared, fits(false), fits(true)) {
        (Some(true), _, true) => Ok(true),
        (Some(false), true, _) | (None, true, false) => Ok(false),
        (None, false, true) => {
            assumptions.push("weights are [inputs, outputs]".to_owned());
            Ok(true)
        }
        (None, true, true) => {
            assumptions.push("weights are [outputs, inputs], as in PyTorch; the shapes fit both ways".to_owned());
            Ok(false)
        }
        _ => {
            let inputs = inputs.map_or_else(String::new, |inputs| {
                format!(" for images of {inputs} values (batch.0.images must have one image in each row)")
            });
            Err(format!(
                "the tensors initial.* do not form a network{inputs}: {}; expected weights [outputs, inputs], or all of \
                 them [inputs, outputs], each layer with as many inputs as the one before it has outputs",
                list()
            ))
        }
    }
}
