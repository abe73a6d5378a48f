//! Export of a trained network in the Open Neural Network Exchange format (ONNX), operator set 13.

use mlp_parity::{Activation, MlpConfig, Parameters};
use ndarray::ArrayViewD;
use onnx_rs::ast::{
    DataType, Dimension, Graph, Model, Node, OpType, OperatorSetId, TensorProto, TensorShape, TensorShapeDimension,
    TensorTypeProto, TypeProto, TypeValue, ValueInfo,
};

const IMAGES: &str = "images";
const LOGITS: &str = "logits";
const PROBABILITIES: &str = "probabilities";

/// The documentation string of the graph, which describes its input.
const DOCUMENTATION: &str = "images: one row per image, with pixel values from 0 (background) to 1, as in MNIST";

/// Returns the bytes of an ONNX file that computes `logits` and `probabilities` `[batch, classes]` from `images`
/// `[batch, inputs]`. The initializers have the names of the parameters (`layer1.weight`), with weights as
/// `[inputs, outputs]`.
pub(crate) fn bytes(config: &MlpConfig, parameters: &Parameters<f32>) -> Vec<u8> {
    let operation = match config.activation() {
        Activation::Sigmoid => OpType::Sigmoid,
        Activation::Relu => OpType::Relu,
        // The two differ only in the derivative, which inference does not use.
        Activation::Tanh => OpType::Tanh,
    };
    let tensors: Vec<(String, ArrayViewD<'_, f32>)> = parameters.tensors().collect();
    let layers = tensors.len() / 2;
    // Names of the pre-activation and the activation of each hidden layer.
    let hidden_values: Vec<[String; 2]> =
        (1..layers).map(|layer| [format!("layer{layer}.pre_activation"), format!("layer{layer}.activation")]).collect();
    let mut nodes = Vec::new();
    let mut input = IMAGES;
    for (index, weight_and_bias) in tensors.chunks(2).enumerate() {
        let hidden = hidden_values.get(index);
        let sums = hidden.map_or(LOGITS, |[sums, _]| sums);
        let operands = [input].into_iter().chain(weight_and_bias.iter().map(|(name, _)| name.as_str()));
        nodes.push(node(OpType::Gemm, operands.collect(), sums));
        if let Some([_, activation]) = hidden {
            nodes.push(node(operation.clone(), vec![sums], activation));
            input = activation;
        }
    }
    nodes.push(node(OpType::Softmax, vec![LOGITS], PROBABILITIES));
    let initializer = tensors.iter().map(|(name, values)| {
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

/// Describes a matrix with this many columns and any number of rows.
fn matrix(name: &str, columns: usize) -> ValueInfo<'_> {
    let dimension = |value| TensorShapeDimension { value, denotation: "" };
    let shape = vec![dimension(Dimension::Param("batch")), dimension(Dimension::Value(columns as i64))];
    let tensor = TensorTypeProto { elem_type: DataType::Float, shape: Some(TensorShape { dim: shape }) };
    let value = TypeProto { value: Some(TypeValue::Tensor(tensor)), denotation: "" };
    ValueInfo { name, r#type: Some(value), ..ValueInfo::default() }
}
