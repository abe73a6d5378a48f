//! What is bound must not move unnoticed: the errors that the checks allow on some small networks, against those that
//! are written down.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;

use mlp_parity::{Activation, Arithmetic, Batch, MlpConfig, Optimizer, Parameters, SafetensorsFile, Scalar};
use mlp_parity_compare::Verdict;
use mlp_parity_compare::check::{self, Case, Check, NamedOptimizer, Stage, SuiteReport, Trace};
use mlp_parity_scratch::ReferenceMlp;
use ndarray::{Array2, ArrayViewD};
use safetensors::Dtype;
use safetensors::tensor::TensorView;

/// Each line: network, training and stage, then for each tensor what is bound, after a slash what the worst case is, and
/// after a plus the elements that are undecided.
const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/error_bounds.txt");

/// Set to write the table anew.
const WRITE: &str = "MLP_PARITY_WRITE_TABLES";

/// Another processor, or another library of functions, changes the last digits of double precision; the table has eight.
const SAME: f64 = 1e-6;

/// An arithmetic with so few digits that ReLU units, exponents and Adam's quotients are undecided, and in which nothing
/// that may be off is left out.
const COARSE: Arithmetic = Arithmetic {
    unit_roundoff: 1.0 / 2048.0,
    underflow: 1e-5,
    overflow: 1e8,
    division: 1.5,
    square_root: 2.5,
    exponential: [2.0, 1.25],
    logarithm: [3.0, 1.75],
    tanh: [4.0, 0.75],
    sigmoid: [6.0, 2.25],
    single_hyper_parameters: true,
};

fn optimizers() -> Vec<NamedOptimizer> {
    let (beta1, beta2, epsilon) = (0.8, 0.95, 1e-3);
    [
        ("sgd", Optimizer::sgd().with_weight_decay(0.02)),
        ("nesterov", Optimizer::Momentum { momentum: 0.7, nesterov: true, weight_decay: 0.03 }),
        ("adam", Optimizer::Adam { beta1, beta2, epsilon, weight_decay: 0.04 }),
        ("adamw", Optimizer::AdamW { beta1, beta2, epsilon, weight_decay: 0.05 }),
    ]
    .map(|(name, optimizer)| NamedOptimizer { name: name.to_owned(), optimizer, learning_rate: 0.1 })
    .into()
}

/// Batches of five images, some of whose pixels are background; `shift` gives the weights a sign that prevails.
fn case(inputs: usize, hidden: &[usize], activation: Activation, shift: f32) -> Case {
    let config = MlpConfig::new(inputs, hidden, 4, activation).unwrap();
    let mut parameters = Parameters::<f32>::glorot_uniform(&config, 3);
    for (index, layer) in parameters.layers_mut().iter_mut().enumerate() {
        layer.weight += shift;
        layer.bias.indexed_iter_mut().for_each(|(unit, bias)| *bias = 0.1 * (index + unit) as f32 - 0.15);
    }
    let batch = |number: usize| {
        let pixel = |(image, pixel): (usize, usize)| match (number * 29 + image * 11 + pixel * 7) % 13 {
            0..4 => 0.0,
            lit => lit as f32 / 13.0,
        };
        Batch::new(Array2::from_shape_fn([5, inputs], pixel), (0..5).map(|image| (number + image * 3) % 4).collect())
    };
    let batches = (0..3).map(|number| batch(number).unwrap()).collect();
    Case { config, parameters, batches, dataset: None, optimizers: optimizers() }
}

/// What the reference itself does under the third training, in double precision and as a trace: every element is right to the bit,
/// so the first of each tensor is reported.
fn trace(case: &Case) -> Trace {
    let batches: Vec<Batch<f64>> = case.batches.iter().map(Batch::cast).collect();
    let NamedOptimizer { optimizer, learning_rate, .. } = case.optimizers[2].clone();
    let mut network = ReferenceMlp::<f64>::new(case.config.clone(), case.parameters.cast()).unwrap();
    network.set_optimizer(&optimizer).unwrap();
    let mut tensors = BTreeMap::new();
    let mut floats = |name: String, values: ArrayViewD<'_, f64>| {
        let mut bytes = Vec::new();
        values.iter().for_each(|value| value.extend_le_bytes(&mut bytes));
        tensors.insert(name, (Dtype::F64, values.shape().to_vec(), bytes));
    };
    let one = |loss: f64| ndarray::arr1(&[loss]).into_dyn();
    let (loss, gradients) = network.loss_and_gradients(&batches[0]).unwrap();
    floats("loss".to_owned(), one(loss).view());
    floats("logits".to_owned(), network.logits(batches[0].images()).unwrap().view().into_dyn());
    gradients.tensors().for_each(|(name, values)| floats(format!("gradient.{name}"), values.t()));
    network.parameters().tensors().for_each(|(name, values)| floats(format!("initial.{name}"), values.t()));
    for (number, batch) in batches.iter().enumerate() {
        floats(format!("batch.{number}.images"), batch.images().into_dyn());
        floats(format!("step.{number}.loss"), one(network.step(batch, learning_rate).unwrap()).view());
        network.parameters().tensors().for_each(|(name, values)| floats(format!("step.{number}.{name}"), values.t()));
    }
    for (number, batch) in batches.iter().enumerate() {
        let labels: Vec<u8> = batch.labels().iter().flat_map(|&label| (label as i64).to_le_bytes()).collect();
        tensors.insert(format!("batch.{number}.labels"), (Dtype::I64, vec![batch.len()], labels));
    }
    let Optimizer::Adam { beta1, beta2, epsilon, weight_decay } = optimizer else {
        panic!("the third training is Adam")
    };
    let numbers = [("beta1", beta1), ("beta2", beta2), ("epsilon", epsilon), ("weight_decay", weight_decay)];
    let texts = [("format", check::TRACE_FORMAT.to_owned()), ("optimizer", optimizer.name().to_owned())];
    let metadata: HashMap<String, String> = numbers
        .map(|(key, value)| (key, value.to_string()))
        .into_iter()
        .chain(texts)
        .chain([("activation", case.config.activation().to_string()), ("learning_rate", learning_rate.to_string())])
        .map(|(key, value)| (key.to_owned(), value))
        .collect();
    let views = tensors
        .iter()
        .map(|(name, (dtype, shape, bytes))| (name, TensorView::new(*dtype, shape.clone(), bytes).unwrap()));
    Trace::from_bytes(&safetensors::serialize(views, Some(metadata)).unwrap(), "a trace").unwrap()
}

/// One line for each training and stage.
fn lines(network: &str, suite: &SuiteReport) -> Vec<(String, Vec<Check>)> {
    assert_eq!(suite.verdict(), Verdict::Agree, "{network}: {}", suite.reason());
    let mut lines: Vec<(String, Vec<Check>)> = Vec::new();
    for check in suite.reports.iter().flat_map(|report| &report.checks).filter(|check| check.bound > 0.0) {
        let training = if check.scenario.is_empty() { String::new() } else { format!("{}, ", check.scenario) };
        let head = format!("{network}, {training}{}", check.stage);
        match lines.iter_mut().find(|line| line.0 == head) {
            Some(line) => line.1.push(check.clone()),
            None => lines.push((head, vec![check.clone()])),
        }
    }
    lines
}

fn now() -> Vec<(String, Vec<Check>)> {
    let mut all = Vec::new();
    for (inputs, hidden, activation, shift) in [
        (6, &[][..], Activation::Relu, 0.0),
        (6, &[4], Activation::Sigmoid, 0.0),
        (6, &[4, 3], Activation::Relu, 0.0),
        (6, &[4, 1, 3], Activation::Tanh, 0.0),
        (7, &[5, 4], Activation::Sigmoid, 0.5),
        (7, &[5, 4], Activation::Relu, 0.5),
        // So wide that chance allows less than the worst case.
        (90, &[30], Activation::Tanh, 0.0),
        (90, &[30], Activation::Relu, 0.1),
    ] {
        let case = case(inputs, hidden, activation, shift);
        let network = format!("{activation} {:?}", case.config.sizes());
        for (name, arithmetic) in [("single", Arithmetic::SINGLE), ("coarse", COARSE)] {
            let suite = check::check(&case, &[support::rounded(arithmetic)]).unwrap();
            all.extend(lines(&format!("{network}, {name}"), &suite));
        }
        let suite = trace(&case).check(&[]).unwrap();
        assert_eq!(
            suite.reports[0].checks.iter().map(|check| check.error_ratio).fold(0.0, f64::max),
            0.0,
            "the reference is exact"
        );
        all.extend(lines(&format!("{network}, double"), &suite));
    }
    // So coarse that a unit is undecided whose inputs are.
    let case = case(6, &[5, 5, 5], Activation::Relu, 0.0);
    let coarser = support::rounded(Arithmetic { unit_roundoff: 1.0 / 64.0, ..COARSE });
    all.extend(lines("relu, coarser", &check::check(&case, &[coarser]).unwrap()));
    // A loop is bound something only where it does not repeat itself.
    for scale in [1.0, 0.01] {
        let (config, mut parameters) = support::network(&[5, 4], Activation::Tanh);
        for layer in parameters.layers_mut() {
            layer.weight *= scale;
            layer.bias *= scale;
        }
        let case = Case::new(config, parameters, &support::dataset(50), 12, 0, Vec::new()).unwrap();
        let suite = check::check(&case, &[support::shaken()]).unwrap();
        let name = format!("parameters times {scale}");
        all.extend(lines(&name, &suite).into_iter().filter(|line| line.1[0].stage == Stage::TrainingLoop));
    }
    all
}

#[test]
fn the_gradients_bounds_are_those_of_the_checks() {
    let case = case(6, &[4, 3], Activation::Sigmoid, 0.0);
    let bounds = check::gradient_error_bounds(&case.config, &case.parameters, &case.batches[0]).unwrap();
    let network = ReferenceMlp::<f64>::new(case.config.clone(), case.parameters.cast()).unwrap();
    let (_, gradients) = network.loss_and_gradients(&case.batches[0].cast()).unwrap();
    let suite = check::check(&case, &[support::rounded(Arithmetic::SINGLE)]).unwrap();
    assert_eq!(bounds.len(), 6);
    for ((name, largest, bound), (tensor, values)) in bounds.into_iter().zip(gradients.tensors()) {
        assert_eq!((&name, largest), (&tensor, values.fold(0.0, |largest, value| f64::max(largest, value.abs()))));
        let of_tensor =
            |check: &&Check| check.stage == Stage::Gradients && check.scenario.is_empty() && check.tensor == name;
        let check = suite.reports[0].checks.iter().find(of_tensor).unwrap();
        // The largest of the tensor, and one of its elements.
        assert!(check.bound <= bound && bound < 10.0 * check.bound, "{name}: {bound:e}");
    }
}

/// With parameters of zero all logits are zero, and the gradients are not; and the other way round.
#[test]
fn what_cannot_be_held_is_not_followed() {
    let followed = |largest_bias: f32, overflow: f64| {
        let mut case = case(6, &[], Activation::Relu, 0.0);
        case.parameters = Parameters::zeros(&case.config);
        case.parameters.layers_mut()[0].bias.fill(largest_bias);
        let candidate = support::rounded(Arithmetic { overflow, ..Arithmetic::SINGLE });
        let suite = check::check(&case, &[candidate]).unwrap();
        assert_eq!(suite.verdict(), Verdict::Agree, "{}", suite.reason());
        suite.reports[0].checks.iter().any(|check| check.stage == Stage::Trajectory)
    };
    // Squares of up to a million, of 0.0001, and of a million.
    assert!(followed(0.0, 1e6));
    assert!(!followed(0.0, 1e-4));
    assert!(!followed(2e3, 1e6));
}

fn entry(check: &Check) -> String {
    let worst_case_bound = check.worst_case_bound.map_or_else(String::new, |worst| format!("/{worst:.7e}"));
    let undecided = if check.undecided == 0 { String::new() } else { format!("+{}", check.undecided) };
    format!("{:.7e}{worst_case_bound}{undecided}", check.bound)
}

/// Whether two entries have the same numbers, but for the last digits.
fn same(left: &str, right: &str) -> bool {
    let numbers = |entry: &str| -> Vec<f64> { entry.split(['/', '+']).map(|text| text.parse().unwrap()).collect() };
    let (left, right) = (numbers(left), numbers(right));
    left.len() == right.len()
        && left.iter().zip(&right).all(|(left, right)| (left - right).abs() <= SAME * left.abs().max(right.abs()))
}

#[test]
fn what_is_allowed_is_what_is_written_down() {
    let lines = now();
    let mut table = String::new();
    for (head, checks) in &lines {
        writeln!(table, "{head}: {}", checks.iter().map(entry).collect::<Vec<_>>().join(" ")).unwrap();
    }
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(TABLE, &table).unwrap();
    }
    let written = std::fs::read_to_string(TABLE).unwrap();
    let written: Vec<(&str, Vec<&str>)> = written
        .lines()
        .filter_map(|line| line.split_once(": "))
        .map(|(head, rest)| (head, rest.split(' ').collect()))
        .collect();
    let mut moved = Vec::new();
    assert_eq!(
        written.iter().map(|line| line.0).collect::<Vec<_>>(),
        lines.iter().map(|line| line.0.as_str()).collect::<Vec<_>>()
    );
    for ((head, checks), (_, entries)) in lines.iter().zip(&written) {
        assert_eq!(checks.len(), entries.len(), "{head}");
        for (check, was) in checks.iter().zip(entries) {
            if !same(was, &entry(check)) {
                moved.push(format!("{head} of {} at {:?}: was {was}, is {}", check.tensor, check.index, entry(check)));
            }
        }
    }
    assert!(
        moved.is_empty(),
        "{} moved; if that is meant, {WRITE}=1 writes {TABLE} anew:\n{}",
        moved.len(),
        moved.join("\n")
    );
}
