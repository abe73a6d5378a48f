//! The order of layers, and the order of the axes of their weights, by the shapes that must fit together.

use ndarray::{Array1, Array2};

use crate::input::{ParseResult, in_order};

/// Largest number of layers whose order is searched for, if their names do not state it.
const MAX_SEARCHED: usize = 8;

/// A layer of a file, whose place in the network is not known yet.
pub(super) struct FoundLayer {
    /// The name of the layer, empty if the file has only one.
    pub(super) name: String,
    /// The weight, `[inputs, outputs]` or `[outputs, inputs]`.
    pub(super) weight: Array2<f64>,
    pub(super) bias: Option<Array1<f64>>,
    /// True if the name of the weight implies `[inputs, outputs]`.
    pub(super) is_kernel: bool,
}

/// The place of each layer in the network.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Chain {
    /// The indices of the layers from input to output.
    pub(super) order: Vec<usize>,
    /// True if weights are `[inputs, outputs]`, false if they are `[outputs, inputs]`.
    pub(super) inputs_first: bool,
    /// True if the shapes decide which axis is which.
    pub(super) is_certain: bool,
}

/// Returns the order in which the layers form a network: the order of their names, or if these do not fit together, the only one
/// in which the shapes do.
///
/// # Errors
///
/// A message with all shapes if there is no such order, or more than one.
pub(super) fn chain(layers: &[FoundLayer]) -> ParseResult<Chain> {
    let sorted = in_order(layers.iter().map(|layer| layer.name.as_str()).collect());
    let by_name: Vec<usize> =
        sorted.iter().filter_map(|name| layers.iter().position(|layer| layer.name == *name)).collect();
    let natural = [false, true].map(|inputs_first| fits(layers, &by_name, inputs_first));
    if natural.contains(&true) && (is_numbered(&sorted) || orders(layers).len() == 1) {
        let [outputs_first, inputs_first] = natural;
        let is_kernel = layers.iter().all(|layer| layer.is_kernel);
        let is_certain = !(outputs_first && inputs_first);
        let inputs_first = inputs_first && (!outputs_first || is_kernel || shrinks(layers, &by_name));
        return Ok(Chain { order: by_name, inputs_first, is_certain });
    }
    match <[_; 1]>::try_from(orders(layers)) {
        Ok([(order, inputs_first)]) => Ok(Chain { order, inputs_first, is_certain: true }),
        Err(orders) => Err(message(layers, &by_name, orders.len())),
    }
}

/// Returns true if, with weights `[inputs, outputs]`, the network has more inputs than outputs, and with `[outputs, inputs]`
/// fewer, as no classifier of images has.
fn shrinks(layers: &[FoundLayer], order: &[usize]) -> bool {
    let sizes = |inputs_first| {
        let [first, last] =
            [order.first(), order.last()].map(|index| index.map(|&index| size(&layers[index], inputs_first)));
        first.zip(last).map_or((0, 0), |([inputs, _], [_, outputs])| (inputs, outputs))
    };
    let ((inputs, outputs), (other_inputs, other_outputs)) = (sizes(true), sizes(false));
    inputs > outputs && other_inputs < other_outputs
}

/// Returns the numbers of inputs and outputs of a layer.
fn size(layer: &FoundLayer, inputs_first: bool) -> [usize; 2] {
    let [rows, columns] = [layer.weight.nrows(), layer.weight.ncols()];
    if inputs_first { [rows, columns] } else { [columns, rows] }
}

/// Returns true if each layer has as many inputs as the one before it has outputs, and each bias has one value per output.
fn fits(layers: &[FoundLayer], order: &[usize], inputs_first: bool) -> bool {
    let sizes: Vec<[usize; 2]> = order.iter().map(|&index| size(&layers[index], inputs_first)).collect();
    let has_bias = |(&index, [_, outputs]): (&usize, &[usize; 2])| {
        layers[index].bias.as_ref().is_none_or(|bias| bias.len() == *outputs)
    };
    sizes.windows(2).all(|pair| pair[0][1] == pair[1][0]) && order.iter().zip(&sizes).all(has_bias)
}

/// Returns true if numbers in the names state the order; one name, such as `output`, may be without a number.
fn is_numbered(names: &[&str]) -> bool {
    let without = names.iter().filter(|name| !name.bytes().any(|byte| byte.is_ascii_digit())).count();
    without <= 1
}

/// Returns all orders in which the layers form a network with more inputs than outputs, at most two of them, with the order of
/// axes. There are too many layers to search for if the result is empty.
fn orders(layers: &[FoundLayer]) -> Vec<(Vec<usize>, bool)> {
    let mut found = Vec::new();
    if layers.len() <= MAX_SEARCHED {
        for inputs_first in [false, true] {
            extend(layers, inputs_first, &mut Vec::new(), &mut found);
        }
    }
    found
}

/// Extends a partial order by every layer that fits, and collects the complete orders.
fn extend(layers: &[FoundLayer], inputs_first: bool, order: &mut Vec<usize>, found: &mut Vec<(Vec<usize>, bool)>) {
    let ends = |order: &[usize]| {
        let [first, last] = [order.first()?, order.last()?].map(|&index| size(&layers[index], inputs_first));
        Some((first[0], last[1]))
    };
    if found.len() > 1 {
        return;
    }
    if order.len() == layers.len() && ends(order).is_some_and(|(inputs, outputs)| inputs > outputs) {
        found.push((order.clone(), inputs_first));
    }
    for index in 0..layers.len() {
        if order.contains(&index) {
            continue;
        }
        order.push(index);
        let tail = &order[order.len().saturating_sub(2)..];
        if fits(layers, tail, inputs_first) {
            extend(layers, inputs_first, order, found);
        }
        order.pop();
    }
}

/// Returns the error for layers that form no network, or more than one.
fn message(layers: &[FoundLayer], order: &[usize], count: usize) -> String {
    /// Number of layers that the message lists.
    const SHOWN: usize = 10;
    let shape = |&index: &usize| {
        let FoundLayer { name, weight, bias, .. } = &layers[index];
        let bias = bias.as_ref().map_or_else(String::new, |bias| format!(" and bias [{}]", bias.len()));
        format!("{name} {:?}{bias}", weight.shape())
    };
    let shapes: Vec<String> = order.iter().take(SHOWN).map(shape).collect();
    let more = if layers.len() > SHOWN { format!(" and {} more", layers.len() - SHOWN) } else { String::new() };
    let reason = if count > 1 {
        "form a network in several orders, and their names have no numbers; number them from input to output"
    } else {
        "do not form one network, in which each layer has as many inputs as the one before it has outputs; save the layers \
         of one network only"
    };
    format!("the layers {}{more} {reason}", shapes.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(name: &str, shape: [usize; 2], bias: usize) -> FoundLayer {
        let bias = (bias > 0).then(|| Array1::zeros(bias));
        FoundLayer { name: name.to_owned(), weight: Array2::zeros(shape), bias, is_kernel: false }
    }

    #[test]
    fn numbered_names_state_order() {
        let layers = [layer("fc10", [3, 5], 3), layer("fc2", [5, 7], 5), layer("fc1", [7, 9], 7)];
        assert_eq!(chain(&layers).unwrap(), Chain { order: vec![2, 1, 0], inputs_first: false, is_certain: true });
    }

    #[test]
    fn shapes_decide_order_without_numbers() {
        let layers = [layer("decoder", [10, 30], 10), layer("encoder", [50, 784], 50), layer("middle", [30, 50], 30)];
        assert_eq!(chain(&layers).unwrap().order, [1, 2, 0]);
        let square =
            [layer("a", [50, 784], 50), layer("b", [50, 50], 50), layer("c", [50, 50], 50), layer("d", [10, 50], 10)];
        let message = chain(&square).unwrap_err();
        assert!(message.contains("in several orders") && message.contains("a [50, 784] and bias [50]"), "{message}");
    }

    #[test]
    fn shapes_and_biases_decide_axes() {
        assert!(chain(&[layer("1", [784, 20], 20), layer("2", [20, 10], 10)]).unwrap().inputs_first);
        assert!(!chain(&[layer("1", [20, 784], 0), layer("2", [10, 20], 0)]).unwrap().inputs_first);
        // One layer without a bias fits both ways; a classifier of images has more inputs than outputs.
        let Chain { inputs_first, is_certain, .. } = chain(&[layer("", [784, 10], 0)]).unwrap();
        assert!(inputs_first && !is_certain);
        assert!(!chain(&[layer("", [10, 784], 0)]).unwrap().inputs_first);
        // A square layer is [outputs, inputs], as in PyTorch, unless its weight is called a kernel.
        let kernel = FoundLayer { is_kernel: true, ..layer("", [5, 5], 5) };
        assert!(chain(&[kernel]).unwrap().inputs_first && !chain(&[layer("", [5, 5], 5)]).unwrap().inputs_first);
    }

    #[test]
    fn two_networks_in_one_file_are_rejected() {
        let layers = ["ema.1", "ema.2", "model.1", "model.2"];
        let shapes = [[20, 784], [10, 20], [20, 784], [10, 20]];
        let layers: Vec<FoundLayer> =
            layers.iter().zip(shapes).map(|(name, shape)| layer(name, shape, shape[0])).collect();
        assert!(chain(&layers).unwrap_err().contains("do not form one network"));
    }
}
