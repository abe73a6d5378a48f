//! The order of layers, and the order of the axes of their weights, by the shapes that must fit together.

use std::collections::BTreeMap;

use ndarray::{Array1, Array2};

use crate::input::{ParseResult, in_order};

/// Largest number of partial orders that the search for the order of layers tries.
const MAX_TRIED: usize = 100_000;

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
/// in which the shapes do. Layers whose names differ only in numbers (`block0`, `block1`) keep their order.
///
/// # Errors
///
/// A message with all shapes if there is no such order, or more than one.
pub(super) fn chain(layers: &[FoundLayer]) -> ParseResult<Chain> {
    let sorted = in_order(layers.iter().map(|layer| layer.name.as_str()).collect());
    let by_name: Vec<usize> =
        sorted.iter().filter_map(|name| layers.iter().position(|layer| layer.name == *name)).collect();
    let natural = [false, true].map(|inputs_first| fits(layers, &by_name, inputs_first));
    let search = || Search::new(layers, &by_name).orders();
    if natural.contains(&true) && (is_numbered(&sorted) || search().len() == 1) {
        let [outputs_first, inputs_first] = natural;
        let is_kernel = layers.iter().all(|layer| layer.is_kernel);
        let is_certain = !(outputs_first && inputs_first);
        let inputs_first = inputs_first && (!outputs_first || is_kernel || shrinks(layers, &by_name));
        return Ok(Chain { order: by_name, inputs_first, is_certain });
    }
    match <[_; 1]>::try_from(search()) {
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

/// A search for the orders in which layers form a network with more inputs than outputs.
struct Search<'a> {
    layers: &'a [FoundLayer],
    /// For each layer, the one that must precede it: the previous one whose name differs only in numbers.
    predecessors: Vec<Option<usize>>,
    /// The orders found, at most two, with the order of axes.
    found: Vec<(Vec<usize>, bool)>,
    /// The number of partial orders that may still be tried.
    remaining: usize,
}

impl<'a> Search<'a> {
    /// `by_name` has the indices of the layers in the order of their names.
    fn new(layers: &'a [FoundLayer], by_name: &[usize]) -> Self {
        let mut last = BTreeMap::new();
        let mut predecessors = vec![None; layers.len()];
        for &index in by_name {
            let series: String = layers[index].name.chars().filter(|character| !character.is_ascii_digit()).collect();
            predecessors[index] = last.insert(series, index);
        }
        Self { layers, predecessors, found: Vec::new(), remaining: MAX_TRIED }
    }

    /// Returns the orders, at most two of them: none if the layers form no network, or too many partial orders were tried.
    fn orders(mut self) -> Vec<(Vec<usize>, bool)> {
        for inputs_first in [false, true] {
            self.extend(inputs_first, &mut Vec::new());
        }
        if self.remaining > 0 { self.found } else { Vec::new() }
    }

    /// Extends a partial order by every layer that fits, and collects the complete orders.
    fn extend(&mut self, inputs_first: bool, order: &mut Vec<usize>) {
        if self.found.len() > 1 || self.remaining == 0 {
            return;
        }
        self.remaining -= 1;
        let ends =
            [order.first(), order.last()].map(|index| index.map(|&index| size(&self.layers[index], inputs_first)));
        let has_ends = matches!(ends, [Some([inputs, _]), Some([_, outputs])] if inputs > outputs);
        if order.len() == self.layers.len() && has_ends {
            self.found.push((order.clone(), inputs_first));
        }
        for index in 0..self.layers.len() {
            let is_next = self.predecessors[index].is_none_or(|before| order.contains(&before));
            if order.contains(&index) || !is_next {
                continue;
            }
            order.push(index);
            if fits(self.layers, &order[order.len().saturating_sub(2)..], inputs_first) {
                self.extend(inputs_first, order);
            }
            order.pop();
        }
    }
}

/// Returns true if, in one order of axes, each layer has one input more than the one before it has outputs, and none has a bias:
/// a column or row of each weight is the bias.
fn have_bias_column(layers: &[FoundLayer], order: &[usize]) -> bool {
    let has_column = |inputs_first| {
        let sizes: Vec<[usize; 2]> = order.iter().map(|&index| size(&layers[index], inputs_first)).collect();
        sizes.len() > 1 && sizes.windows(2).all(|pair| pair[0][1] + 1 == pair[1][0])
    };
    layers.iter().all(|layer| layer.bias.is_none()) && (has_column(false) || has_column(true))
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
    } else if have_bias_column(layers, order) {
        "seem to contain the biases, because each has one input more than the layer before it has outputs; save weights and \
         biases as separate arrays"
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

    /// First and last layer have names of their own, and many hidden layers of one size have numbers.
    #[test]
    fn shapes_and_numbers_decide_order_together() {
        for [first, hidden, last] in [["fc_in", "blocks.", "fc_out"], ["input_layer", "hidden_layers.", "output_layer"]]
        {
            let mut layers = vec![layer(first, [50, 784], 50), layer(last, [10, 50], 10)];
            layers.extend((0..12).rev().map(|number| layer(&format!("{hidden}{number}.linear"), [50, 50], 50)));
            let expected: Vec<usize> = [0].into_iter().chain((2..14).rev()).chain([1]).collect();
            assert_eq!(chain(&layers).unwrap().order, expected, "{first}");
        }
        // Two series of one size can be interleaved in many ways.
        let mut layers = vec![layer("first", [50, 784], 50), layer("last", [10, 50], 10)];
        for name in ["a", "b", "c"] {
            layers.extend((0..12).map(|number| layer(&format!("{name}{number}"), [50, 50], 50)));
        }
        assert!(chain(&layers).unwrap_err().contains("in several orders"));
    }

    #[test]
    fn search_for_order_is_limited() {
        let mut layers: Vec<FoundLayer> = ('a'..='p').map(|name| layer(&name.to_string(), [5, 5], 5)).collect();
        layers.push(layer("without", [7, 3], 7));
        assert!(chain(&layers).is_err());
    }

    #[test]
    fn biases_within_weights_are_named() {
        let layers = [layer("theta1", [25, 401], 0), layer("theta2", [10, 26], 0)];
        assert!(chain(&layers).unwrap_err().contains("save weights and biases as separate arrays"));
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
