//! Tolerant reading: every usual form of labels, weights, biases, names and precisions.

use mlp_parity::SafetensorsFile;
use mlp_parity_compare::Verdict;
use mlp_parity_compare::check::{Stage, Trace};
use safetensors::Dtype;
use serde_json::{Map, Value, json};

use crate::trace_file::{TraceFile, golden_paths};

/// A function of the shape and the values of a tensor.
type Change = fn(&[usize], &[f64]) -> (Vec<usize>, Vec<f64>);

/// Transposes a matrix.
fn transposed(shape: &[usize], values: &[f64]) -> (Vec<usize>, Vec<f64>) {
    let &[rows, columns] = shape else { panic!("not a matrix") };
    let transposed = (0..columns).flat_map(|column| (0..rows).map(move |row| values[row * columns + column]));
    (vec![columns, rows], transposed.collect())
}

#[test]
fn labels_are_read_in_every_form() {
    let file = TraceFile::concept("cross-entropy");
    file.clone().assert_agrees(&[]);
    let labels = |change: Change| file.clone().rewrite(".labels", change);
    labels(|shape, values| (shape.to_vec(), values.to_vec())).assert_agrees(&[]);
    labels(|shape, values| (vec![shape[0], 1], values.to_vec())).assert_agrees(&[]);
    labels(|shape, values| (vec![1, shape[0]], values.to_vec())).assert_agrees(&[]);
    let one_hot = |shape: &[usize], values: &[f64]| {
        let row = |label: &f64| (0..4).map(|class| f64::from(u8::from(f64::from(class) == *label))).collect::<Vec<_>>();
        (vec![shape[0], 4], values.iter().flat_map(row).collect())
    };
    labels(one_hot).assert_agrees(&[]);
    labels(|shape, values| (shape.to_vec(), values.iter().map(|label| label + 1.0).collect()))
        .assert_agrees(&["labels run from 1 to 4"]);
    labels(|shape, values| (shape.to_vec(), values.iter().map(|label| label + 0.5).collect()))
        .assert_rejected("labels must be whole numbers");
    labels(|shape, values| (shape.to_vec(), values.iter().map(|label| label + 4.0).collect()))
        .assert_rejected("4 classes");
    let mut bytes = file.clone();
    for number in 0..3 {
        let name = format!("batch.{number}.labels");
        let values = file.values(&name);
        for (dtype, size) in [(Dtype::U8, 1), (Dtype::I16, 2), (Dtype::I32, 4), (Dtype::U64, 8)] {
            let little_endian = |label: &f64| (*label as u64).to_le_bytes()[..size].to_vec();
            let data = values.iter().flat_map(little_endian).collect();
            bytes.tensors.insert(name.clone(), (dtype, vec![values.len()], data));
            bytes.assert_agrees(&[]);
        }
    }
}

#[test]
fn axes_of_weights_are_recognised_for_all_weights_together() {
    let file = TraceFile::concept("cross-entropy");
    let inputs_first = file.clone().rewrite(".weight", transposed);
    inputs_first.assert_agrees(&["weights are [inputs, outputs]"]);
    inputs_first.clone().with("weights", "inputs_outputs").assert_agrees(&[]);
    inputs_first.with("weights", "outputs-inputs").assert_rejected("do not form a network");
    let one = file.rewrite("initial.output_layer.weight", transposed);
    one.assert_rejected("do not form a network");
    // With square weights, only the metadata can tell; a single transposed weight remains a failure.
    let square = TraceFile::concept("weights-inputs-outputs");
    square.assert_agrees(&[]);
    let turned = square.clone().rewrite("initial.layer2.weight", transposed);
    assert_eq!(turned.failure().unwrap().0, Stage::Logits);
    let mut undeclared = square;
    undeclared.metadata.remove("weights");
    assert_eq!(undeclared.trace().unwrap().assumptions().len(), 1);
    assert!(undeclared.failure().is_some());
}

#[test]
fn biases_and_layer_names_are_read_in_every_form() {
    let file = TraceFile::concept("cross-entropy");
    file.clone().rewrite(".bias", |shape, values| (vec![1, shape[0]], values.to_vec())).assert_agrees(&[]);
    file.clone().rewrite(".bias", |shape, values| (vec![shape[0], 1], values.to_vec())).assert_agrees(&[]);
    TraceFile::concept("no-biases").assert_agrees(&["the network has no biases"]);
    TraceFile::concept("no-biases-in-output-layer").assert_agrees(&["there are no biases in output_layer"]);
    let mut forgotten = file.clone();
    forgotten.tensors.remove("initial.layer2.bias");
    forgotten.assert_rejected("unknown tensor 'gradient.layer2.bias': there is no initial.layer2.bias");
    let mut renamed = file;
    let rename =
        |name: String| name.replace("layer1", "net.0").replace("layer2", "net.2").replace("output_layer", "net.10");
    renamed.tensors = renamed.tensors.into_iter().map(|(name, tensor)| (rename(name), tensor)).collect();
    renamed.assert_agrees(&["the layers are, in this order, net.0, net.2, net.10"]);
    let rename = |name: String| {
        let name = name.replace("layer1.weight", "dense.kernel").replace("layer2.weight", "dense_1.kernel");
        let name = name.replace("layer1", "dense").replace("layer2", "dense_1");
        name.replace("output_layer.weight", "dense_2.kernel").replace("output_layer", "dense_2")
    };
    let mut of_keras = TraceFile::concept("weights-inputs-outputs");
    of_keras.tensors = of_keras.tensors.into_iter().map(|(name, tensor)| (rename(name), tensor)).collect();
    of_keras.assert_agrees(&["the layers are, in this order, dense, dense_1, dense_2"]);
    of_keras.replace("initial.dense.weight", &[5, 5], &[0.0; 25]);
    of_keras.assert_rejected("unknown tensor 'initial.dense.kernel'");
}

/// Programs in C hold matrices in flat arrays.
#[test]
fn flat_arrays_are_read_where_the_shape_is_known() {
    let flatten = |mut file: TraceFile| {
        file.tensors.values_mut().for_each(|(_, shape, _)| *shape = vec![shape.iter().product()]);
        file
    };
    flatten(TraceFile::concept("dropout-half")).assert_rejected(
        "initial.layer1.weight has shape [30]; expected two dimensions, or for a flat array, the layer's bias and the \
         metadata key 'weights'",
    );
    for concept in ["dropout-half", "squared-error-targets", "cross-entropy"] {
        flatten(TraceFile::concept(concept)).with("weights", "outputs-inputs").assert_agrees(&[]);
    }
    let mut one_hot = TraceFile::concept("cross-entropy").with("weights", "outputs-inputs");
    for batch in 0..3 {
        let name = format!("batch.{batch}.labels");
        let targets: Vec<f64> = one_hot.values(&name).iter().flat_map(|&label| one_hot_row(label)).collect();
        one_hot.replace(&name, &[targets.len()], &targets);
    }
    one_hot.assert_agrees(&[]);
    let mut longer = flatten(TraceFile::concept("cross-entropy")).with("weights", "outputs-inputs");
    longer.replace("initial.layer1.weight", &[31], &[0.0; 31]);
    longer.assert_rejected("initial.layer1.weight has shape [31]; expected two dimensions");
}

/// Returns the targets of a label in a network with four outputs.
fn one_hot_row(label: f64) -> [f64; 4] {
    [0.0, 1.0, 2.0, 3.0].map(|class| f64::from(u8::from(class == label)))
}

#[test]
fn networks_beyond_the_limits_are_rejected() {
    let file = TraceFile::concept("cross-entropy");
    let mut deep = file.clone();
    for layer in 0..100 {
        deep.replace(&format!("initial.layer{}.weight", layer + 3), &[1, 1], &[1.0]);
    }
    deep.assert_rejected("the tensors initial.* have 103 layers; at most 101 are allowed");
    let mut empty = file;
    empty.replace("initial.layer2.weight", &[0, 6], &[]);
    empty.assert_rejected("initial.layer2.weight is empty");
}

#[test]
fn mixed_precisions_are_judged_by_the_coarser() {
    let file = TraceFile::concept("cross-entropy");
    let in_single = |value: &f64| f64::from(*value as f32);
    // Results of single precision in a file of double precision do not agree, unless the file says so.
    let rounded =
        file.clone().rewrite("logits", |shape, values| (shape.to_vec(), values.iter().map(in_single).collect()));
    assert_eq!(rounded.failure(), Some((Stage::Logits, "logits".to_owned())));
    rounded.with("precision", "F32").assert_agrees(&[]);
    let mut mixed = file;
    let values: Vec<u8> = mixed.values("logits").iter().flat_map(|&value| (value as f32).to_le_bytes()).collect();
    let shape = mixed.tensors["logits"].1.clone();
    mixed.tensors.insert("logits".to_owned(), (Dtype::F32, shape, values));
    mixed.assert_agrees(&["the precision is that of logits, single precision, the coarsest in the file"]);
}

/// The numbers of JSON have no precision.
#[test]
fn results_in_single_precision_are_recognized_in_json() {
    let path = golden_paths("concepts").into_iter().find(|path| path.ends_with("adam-f32.safetensors")).unwrap();
    let single = TraceFile::read(&path).with("weights", "outputs-inputs");
    let printed = |digits: usize, factor: f32| {
        let mut entries: Map<String, Value> =
            single.metadata.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
        for name in single.tensors.keys() {
            let factor = if name == "gradient.layer1.bias" { factor } else { 1.0 };
            let print = |value: &f64| format!("{:.*e}", digits - 1, *value as f32 * factor).parse().unwrap();
            let values: Vec<f64> = single.values(name).iter().map(print).collect();
            entries.insert(name.clone(), json!(values));
        }
        let bytes = serde_json::to_vec(&entries).unwrap();
        let trace = Trace::from_bytes(&bytes, "json").unwrap();
        (trace.check(&[]).unwrap().verdict(), trace.assumptions().to_vec())
    };
    let assumption = "the program computes in single precision, as all of its results are in it".to_owned();
    assert_eq!(printed(9, 1.0), (Verdict::Agree, vec![assumption.clone()]));
    assert_eq!(printed(17, 1.0), (Verdict::Agree, vec![assumption.clone()]));
    assert_eq!(printed(7, 1.0), (Verdict::Disagree, Vec::new()), "seven digits do not identify a number");
    assert_eq!(printed(9, 1.0 + 1e-4), (Verdict::Disagree, vec![assumption]));
}

/// Tensors of double precision declare that the program computes in it.
#[test]
fn results_in_single_precision_that_are_called_double_disagree() {
    let path = golden_paths("concepts").into_iter().find(|path| path.ends_with("adam-f32.safetensors")).unwrap();
    let mut file = TraceFile::read(&path);
    for name in file.tensors.keys().cloned().collect::<Vec<_>>() {
        if !name.ends_with("labels") {
            file.replace(&name, &file.tensors[&name].1.clone(), &file.values(&name));
        }
    }
    assert_eq!(file.failure(), Some((Stage::Logits, "logits".to_owned())));
    assert_eq!(file.with("precision", "f32").failure(), None);
}

/// With hyper-parameters in either precision, only the wrong tensor must fail.
#[test]
fn failure_names_the_wrong_tensor_if_hyper_parameters_are_in_single_precision() {
    let path = golden_paths("concepts").into_iter().find(|path| path.ends_with("adam-optax-32-bit-f32.safetensors"));
    let mut file = TraceFile::read(&path.unwrap());
    assert_eq!(file.failure(), None);
    let values: Vec<f64> = file.values("step.0.layer1.weight").iter().map(|value| value * 1.001).collect();
    file.set("step.0.layer1.weight", &values);
    assert_eq!(file.failure(), Some((Stage::Trajectory, "layer1.weight".to_owned())));
}

/// A trace that is written again must not lose digits, whatever its precisions are.
#[test]
fn trace_of_any_precision_survives_round_trip() {
    let file = TraceFile::concept("cross-entropy");
    let declared = file.clone().with("precision", "f32");
    let mut huge = declared.clone();
    huge.replace("loss", &[1], &[1e300]);
    let mut half = file.clone();
    half.tensors.insert("loss".to_owned(), (Dtype::F16, vec![1], vec![0, 0x3c]));
    let mut short = file.clone();
    short.tensors.insert("loss".to_owned(), (Dtype::BF16, vec![1], vec![0x80, 0x3f]));
    let mut undefined = file.clone();
    undefined.replace("loss", &[1], &[f64::NAN]);
    for file in [file, declared, huge, half, short, undefined] {
        let written = file.trace().unwrap().to_bytes().unwrap();
        let read = Trace::from_bytes(&written, "written").unwrap();
        assert_eq!(read.to_bytes().unwrap(), written);
        let ratios = |trace: &Trace| {
            let checks = &trace.check(&[]).unwrap().reports[0].checks;
            checks.iter().map(|check| check.error_ratio).collect::<Vec<_>>()
        };
        assert_eq!(ratios(&read), ratios(&file.trace().unwrap()));
    }
}
