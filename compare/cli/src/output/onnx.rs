//! A trained network in the Open Neural Network Exchange format (ONNX), of operator set 13.

use mlp_parity::{Activation, MlpConfig, Parameters};
use ndarray::ArrayViewD;
use onnx_rs::ast::{
    DataType, Dimension, Graph, Model, Node, OpType, OperatorSetId, TensorProto, TensorShape, TensorShapeDimension,
    TensorTypeProto, TypeProto, TypeValue, ValueInfo,
};

const IMAGES: &str = "images";
const LOGITS: &str = "logits";
const PROBABILITIES: &str = "probabilities";

/// What the input is.
const DOCUMENTATION: &str = "images: a row for each, of pixels from 0 (background) to 1, as in MNIST";

/// The file's bytes: `images` `[batch, inputs]` to `logits` and `probabilities` `[batch, classes]`. Parameters have their names
/// here, and weights are `[inputs, outputs]`.
pub(crate) fn bytes(config: &MlpConfig, parameters: &Parameters<f32>) -> Vec<u8> {
    let operation = match config.activation() {
        Activation::Sigmoid => OpType::Sigmoid,
        Activation::Relu => OpType::Relu,
        // They differ in the derivative alone.
        Activation::Tanh | Activation::TanhAsPrinted => OpType::Tanh,
    };
    let names: Vec<(String, ArrayViewD<'_, f32>)> = parameters.tensors().collect();
    let layers = names.len() / 2;
    let values: Vec<[String; 2]> =
        (1..layers).map(|layer| [format!("layer{layer}.pre_activation"), format!("layer{layer}.activation")]).collect();
    let mut nodes = Vec::new();
    let mut input = IMAGES;
    for (index, tensors) in names.chunks(2).enumerate() {
        let hidden = values.get(index);
        let sums = hidden.map_or(LOGITS, |[sums, _]| sums);
        let operands = [input].into_iter().chain(tensors.iter().map(|(name, _)| name.as_str()));
        nodes.push(node(OpType::Gemm, operands.collect(), sums));
        if let Some([_, activation]) = hidden {
            nodes.push(node(operation.clone(), vec![sums], activation));
            input = activation;
        }
    }
    nodes.push(node(OpType::Softmax, vec![LOGITS], PROBABILITIES));
    let initializer = names.iter().map(|(name, values)| {
        let shape = values.shape().iter().map(|&length| length as i64).collect();
        TensorProto::from_f32(name, shape, values.iter().copied().collect())
    });
    let graph = Graph {
        name: "mlp",
        doc_string: DOCUMENTATION,
        node: nodes,
        initializer: initializer.collect(),
        input: vec![matrix(IMAGES, config.inputs())],
        output: vec![matrix(LOGITS, config.classes()), matrix(PROBABILITIES, config.classes())],
        ..Graph::default()
    };
    onnx_rs::encode(&Model {
        ir_version: 7,
        opset_import: vec![OperatorSetId { domain: "", version: 13 }],
        producer_name: "mlp-parity",
        producer_version: env!("CARGO_PKG_VERSION"),
        graph: Some(graph),
        ..Model::default()
    })
}

fn node<'a>(op_type: OpType<'a>, input: Vec<&'a str>, output: &'a str) -> Node<'a> {
    Node { op_type, input, output: vec![output], name: output, ..Node::default() }
}

/// Any number of rows.
fn matrix(name: &str, columns: usize) -> ValueInfo<'_> {
    let dimension = |value| TensorShapeDimension { value, denotation: "" };
    let shape = vec![dimension(Dimension::Param("batch")), dimension(Dimension::Value(columns as i64))];
    let tensor = TensorTypeProto { elem_type: DataType::Float, shape: Some(TensorShape { dim: shape }) };
    let value = TypeProto { value: Some(TypeValue::Tensor(tensor)), denotation: "" };
    ValueInfo { name, r#type: Some(value), ..ValueInfo::default() }
}
