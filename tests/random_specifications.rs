//! Checks a correct candidate in single precision on random specifications, over the whole space of activation functions,
//! losses, optimizers, weight decay, clipping, dropout and product precisions. No check may fail.
//!
//! The full test, which also prints the error ratios:
//!
//! ```sh
//! MLP_PARITY_CONFIGURATIONS=3000 cargo test --release --workspace --test across -- random_specifications --nocapture
//! ```

use std::collections::BTreeMap;

use mlp_parity::{Activation, MlpConfig, Parameters, SafetensorsFile};
use mlp_parity_compare::check::Trace;
use mlp_parity_scratch::ReferenceMlp;
use mlp_parity_scratch::reference::WeightDecay;
use ndarray::{Array2, ArrayViewD, Axis, s};
use serde_json::{Map, Value, json};

use crate::draw::Draw;

/// Default of the environment variable `MLP_PARITY_CONFIGURATIONS`, the number of specifications that are drawn.
const CONFIGURATIONS: u64 = 300;

/// Number of training steps.
const STEPS: usize = 3;

impl Draw {
    /// Draws the parameters of a network. The contract has no network of one output, so that one column of two is kept.
    fn scaled_parameters(
        &mut self,
        inputs: usize,
        hidden: &[usize],
        outputs: usize,
        biases: &[bool],
    ) -> Parameters<f32> {
        let config = MlpConfig::new(inputs, hidden, outputs.max(2), Activation::Relu).unwrap();
        let mut layers = Parameters::<f32>::glorot_uniform(&config, self.seed()).layers().to_vec();
        for (layer, &has_biases) in layers.iter_mut().zip(biases) {
            let scale = self.magnitude(-1.5, 0.7) as f32;
            layer.weight.mapv_inplace(|weight| weight * scale);
            layer.bias.mapv_inplace(|_| if has_biases { self.number(-1.0, 1.0) as f32 * scale } else { 0.0 });
        }
        if let Some(last) = layers.last_mut() {
            last.weight = last.weight.slice(s![.., ..outputs]).to_owned();
            last.bias = last.bias.slice(s![..outputs]).to_owned();
        }
        Parameters::from_layers(layers).unwrap()
    }

    /// Draws the batches of all steps, of the size `[images, inputs, classes]`, and adds them to the file.
    fn batches(&mut self, file: &mut Map<String, Value>, [images, inputs, classes]: [usize; 3], hidden: &[usize]) {
        let (scale, zeros, dropout) = (self.magnitude(-1.0, 0.5), self.one_of(&[0.0, 0.5]), self.chance(0.3));
        for step in 0..STEPS {
            let pixels = Array2::from_shape_simple_fn([images, inputs], || {
                if self.chance(zeros) { 0.0 } else { (self.number(-1.0, 1.0) * scale) as f32 }
            });
            file.insert(format!("batch.{step}.images"), nested(pixels.view().into_dyn()));
            let labels: Vec<usize> = (0..images).map(|_| self.count(0, classes - 1)).collect();
            file.insert(format!("batch.{step}.labels"), json!(labels));
            for (index, &units) in hidden.iter().enumerate().filter(|_| dropout) {
                let mask = Array2::from_shape_simple_fn([images, units], || if self.chance(0.5) { 2.0 } else { 0.0 });
                file.insert(format!("batch.{step}.masks.layer{}", index + 1), nested(mask.view().into_dyn()));
            }
        }
    }

    /// Draws the metadata of a trace for a network with this many hidden layers and outputs.
    fn metadata(&mut self, hidden: usize, outputs: usize) -> Map<String, Value> {
        let mut metadata = self.network_metadata(hidden, outputs);
        metadata.append(&mut self.regularization_metadata());
        metadata.append(&mut self.optimizer_metadata());
        metadata
    }

    /// Draws precision, activation functions and loss.
    fn network_metadata(&mut self, hidden: usize, outputs: usize) -> Map<String, Value> {
        let mut metadata = Map::new();
        let mut set = |key: &str, value: Value| metadata.insert(key.to_owned(), value);
        set("format", json!("mlp-parity-trace/2"));
        set("precision", json!(self.one_of(&["f32", "f32", "f32", "tf32", "bf16", "f16"])));
        set("functions", json!("accurate"));
        set("weights", json!("inputs-outputs"));
        let activations = [
            "relu",
            "sigmoid",
            "tanh",
            "leaky-relu",
            "elu",
            "selu",
            "gelu",
            "gelu-tanh",
            "silu",
            "softplus",
            "hard-sigmoid",
            "identity",
        ];
        let names: Vec<&str> = (0..hidden).map(|_| self.one_of(&activations)).collect();
        if hidden > 0 {
            set("activation", json!(names.join(",")));
        }
        if names.contains(&"elu") {
            set("activation_alpha", json!(self.number(0.5, 2.0)));
        }
        let losses: &[&str] = &["cross-entropy", "squared-error", "binary-cross-entropy"];
        let loss = self.one_of(if outputs == 1 { &losses[1..] } else { losses });
        set("loss_function", json!(loss));
        set("reduction", json!(self.one_of(&["mean", "sum", "mean-over-outputs"])));
        if loss == "squared-error" {
            set("output", json!(self.one_of(&["linear", "sigmoid", "tanh", "softmax"])));
            set("loss_factor", json!(self.one_of(&[0.5, 1.0])));
        } else if self.chance(0.4) {
            let key = self.one_of(&["log_epsilon", "log_clip"]);
            set(key, json!(self.magnitude(-8.0, -1.0)));
            set("log_in_gradient", json!(self.chance(0.5)));
        }
        if loss == "cross-entropy" && self.chance(0.3) {
            set("label_smoothing", json!(self.number(0.0, 0.5)));
        }
        metadata
    }

    /// Draws weight decay, clipping and the form of the gradients.
    fn regularization_metadata(&mut self) -> Map<String, Value> {
        let mut metadata = Map::new();
        let mut set = |key: &str, value: Value| metadata.insert(key.to_owned(), value);
        if self.chance(0.5) {
            set("weight_decay", json!(self.magnitude(-6.0, -1.0)));
            set("weight_decay_form", json!(self.one_of(&["coupled", "decoupled"])));
            set("weight_decay_on", json!(self.one_of(&["all", "weights"])));
            set("weight_decay_per_image", json!(self.chance(0.3)));
            set("weight_decay_in_loss", json!(self.chance(0.3)));
        }
        if self.chance(0.3) {
            let key = self.one_of(&["clip_norm", "clip_norm_per_tensor", "clip_value"]);
            set(key, json!(self.magnitude(-3.0, 1.0)));
        }
        metadata
    }

    /// Draws the optimizer and its learning rates.
    fn optimizer_metadata(&mut self) -> Map<String, Value> {
        let mut metadata = Map::new();
        let mut set = |key: &str, value: Value| metadata.insert(key.to_owned(), value);
        let rates: Vec<String> = (0..STEPS).map(|_| self.magnitude(-4.0, 0.0).to_string()).collect();
        set("learning_rate", json!(rates.join(",")));
        let optimizer = self.one_of(&["sgd", "momentum", "adam", "nadam", "adamax", "rmsprop", "adagrad"]);
        set("optimizer", json!(optimizer));
        match optimizer {
            "momentum" => {
                set("momentum", json!(self.number(0.1, 0.99)));
                set("momentum_form", json!(self.one_of(&["velocity", "average", "with-rate"])));
                set("nesterov", json!(self.chance(0.5)));
            }
            "adam" => {
                set("amsgrad", json!(self.chance(0.3)));
                set("epsilon", json!(self.magnitude(-10.0, -3.0)));
                set("epsilon_placement", json!(self.one_of(&["outside", "before-correction", "inside-root"])));
            }
            "rmsprop" => {
                set("momentum", json!(self.one_of(&[0.0, 0.9])));
                set("epsilon_placement", json!(self.one_of(&["outside", "inside-root"])));
            }
            "adagrad" => {
                set("initial_accumulator", json!(self.one_of(&[0.0, 0.1])));
                set("epsilon_placement", json!(self.one_of(&["outside", "inside-root"])));
            }
            _ => {}
        }
        metadata
    }
}

/// Converts an array to nested JSON arrays.
fn nested(values: ArrayViewD<'_, f32>) -> Value {
    match values.ndim() {
        0 => values.first().map_or(Value::Null, |&value| match f64::from(value) {
            finite if finite.is_finite() => json!(finite),
            value if value.is_nan() => json!("NaN"),
            value => json!(if value > 0.0 { "Infinity" } else { "-Infinity" }),
        }),
        _ => Value::Array(values.axis_iter(Axis(0)).map(nested).collect()),
    }
}

/// Returns the gradients in the form in which the trace declares them.
fn recorded_gradients(
    network: &ReferenceMlp<f32>,
    form: &str,
    gradients: &Parameters<f32>,
    images: usize,
) -> Parameters<f32> {
    let mut specification = network.specification().clone();
    match form {
        "raw" => return gradients.clone(),
        "summed" => return gradients.map(|value| value * images as f32),
        "with-weight-decay" => specification.clipping = None,
        _ if !specification.weight_decay.in_loss => specification.weight_decay = WeightDecay::NONE,
        _ => {}
    }
    let network = ReferenceMlp::with_specification(specification, network.parameters().clone()).unwrap();
    network.processed_gradients(gradients, images)
}

/// Draws a specification and computes a trace of it in single precision. The same seed gives the same trace.
fn trace(seed: u64) -> (String, Trace) {
    let mut draw = Draw::new(seed);
    let hidden: Vec<usize> = (0..draw.count(0, 4)).map(|_| draw.count(1, 20)).collect();
    let (inputs, outputs, images) = (draw.count(1, 30), draw.count(1, 8), draw.count(1, 20));
    let mut file = draw.metadata(hidden.len(), outputs);
    let description = Value::Object(file.clone()).to_string();
    let all = draw.chance(0.8);
    let biases: Vec<bool> = (0..=hidden.len()).map(|_| all || draw.chance(0.5)).collect();
    let parameters = draw.scaled_parameters(inputs, &hidden, outputs, &biases);
    let put = |file: &mut Map<String, Value>, prefix: &str, values: &Parameters<f32>| {
        let is_present = biases.iter().flat_map(|&has_biases| [true, has_biases]);
        for ((name, values), _) in values.tensors().zip(is_present).filter(|(_, is_present)| *is_present) {
            file.insert(format!("{prefix}{name}"), nested(values));
        }
    };
    put(&mut file, "initial.", &parameters);
    draw.batches(&mut file, [images, inputs, outputs.max(2)], &hidden);
    let read =
        |file: &Map<String, Value>| Trace::from_bytes(Value::Object(file.clone()).to_string().as_bytes(), "drawn");
    let drawn = read(&file).unwrap_or_else(|error| panic!("seed {seed}: {error}: {description}"));
    let forms = ["raw", "raw", "with-weight-decay", "clipped", "summed"];
    let form = draw.one_of(if file["reduction"] == "sum" { &forms[..4] } else { &forms });
    file.insert("gradients".to_owned(), json!(form));
    let mut network = ReferenceMlp::<f32>::with_specification(drawn.specification().clone(), parameters).unwrap();
    for step in 0..STEPS {
        let batch = drawn.batch(step).unwrap().cast::<f32>();
        let passes = network.passes(&batch).unwrap();
        if step == 0 {
            put(&mut file, "gradient.", &recorded_gradients(&network, form, &passes.gradients, images));
        }
        network.apply_gradients(&passes.gradients, drawn.learning_rate(step).unwrap(), images).unwrap();
        put(&mut file, &format!("step.{step}."), network.parameters());
        let loss = nested(ndarray::arr0(passes.loss).view().into_dyn());
        if step == 0 {
            file.insert("logits".to_owned(), nested(passes.sums.last().unwrap().view().into_dyn()));
            file.insert("outputs".to_owned(), nested(passes.outputs.view().into_dyn()));
            file.insert("loss".to_owned(), loss.clone());
        }
        file.insert(format!("step.{step}.loss"), loss);
    }
    (description, read(&file).unwrap())
}

#[test]
fn correct_candidate_passes_random_specifications() {
    let configurations =
        std::env::var("MLP_PARITY_CONFIGURATIONS").map_or(CONFIGURATIONS, |text| text.parse().unwrap());
    let mut ratios = BTreeMap::<String, Vec<f64>>::new();
    let mut failures = Vec::new();
    for seed in 0..configurations {
        let (description, trace) = trace(seed);
        for check in &trace.check(&[]).unwrap().reports[0].checks {
            ratios.entry(check.stage.to_string()).or_default().push(check.error_ratio);
            if !check.passed {
                failures.push(format!("seed {seed}: {description}: {check}"));
            }
        }
    }
    println!("error ratios of {configurations} specifications:");
    println!("stage                 checks     median    largest");
    for (stage, ratios) in &mut ratios {
        ratios.sort_by(f64::total_cmp);
        println!("{stage:13} {:14} {:10.4} {:10.4}", ratios.len(), ratios[ratios.len() / 2], ratios[ratios.len() - 1]);
    }
    assert!(failures.is_empty(), "{} checks of a correct candidate failed:\n{}", failures.len(), failures.join("\n"));
    assert!(ratios.values().all(|ratios| ratios[ratios.len() - 1] > 0.05), "the bounds are not tight");
}
