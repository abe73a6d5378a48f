//! Regression test of the error bounds of the check suite: the bounds for some small networks are compared with a
//! golden table, so that no change of the error model goes unnoticed.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;

use mlp_parity::{Activation, Arithmetic, Batch, MlpConfig, Optimizer, Parameters, SafetensorsFile, Scalar};
use mlp_parity_compare::Verdict;
use mlp_parity_compare::check::{self, Case, Check, NamedOptimizer, Stage, SuiteReport, Trace};
use mlp_parity_scratch::ReferenceMlp;
use ndarray::{Array2, ArrayViewD};
use safetensors::Dtype;
use safetensors::tensor::TensorView;

/// Path of the golden table. Each line has the network, scenario and stage, followed by an entry for each tensor: the
/// error bound, after a slash the worst-case bound, and after a plus sign the number of undecided elements
/// ([`Check::undecided`]).
const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/error_bounds.txt");

/// Environment variable that makes this test regenerate [`TABLE`] instead of only comparing with it.
const WRITE: &str = "MLP_PARITY_WRITE_TABLES";

/// Relative tolerance of the comparison. The table has eight digits, and another processor or mathematical library
/// changes the last digits of double precision.
const TOLERANCE: f64 = 1e-6;

/// An arithmetic of such low precision that the error model of [`check`] has to treat ReLU units, exponents and Adam's
/// quotients as undecided. All of its constants are nonzero, so that every term of the error model contributes.
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

/// Returns a test case with three batches of five images, in which some pixels are background. `shift` is added to all
/// weights, so that most of them have the same sign if it is large.
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
    Case { config, parameters, batches, dataset: None, optimizers: optimizers(), trained: None }
}

/// Returns the results of the reference itself as a trace in double precision, with Adam, the third optimizer. No
/// element has an error, so each check reports the first element of its tensor.
fn trace(case: &Case) -> Trace {
    let batches: Vec<Batch<f64>> = case.batches.iter().map(Batch::cast).collect();
    let NamedOptimizer { optimizer, learning_rate, .. } = case.optimizers[2].clone();
    let mut network = ReferenceMlp::<f64>::new(&case.config, case.parameters.cast()).unwrap();
    network.set_optimizer(&optimizer).unwrap();
    let mut tensors = BTreeMap::new();
    let mut floats = |name: String, values: ArrayViewD<'_, f64>| {
        let mut bytes = Vec::new();
        values.iter().for_each(|value| value.extend_le_bytes(&mut bytes));
        tensors.insert(name, (Dtype::F64, values.shape().to_vec(), bytes));
    };
    let scalar = |loss: f64| ndarray::arr1(&[loss]).into_dyn();
    let (loss, gradients) = network.loss_and_gradients(&batches[0]).unwrap();
    floats("loss".to_owned(), scalar(loss).view());
    floats("logits".to_owned(), network.logits(batches[0].images()).unwrap().view().into_dyn());
    gradients.tensors().for_each(|(name, values)| floats(format!("gradient.{name}"), values.t()));
    network.parameters().tensors().for_each(|(name, values)| floats(format!("initial.{name}"), values.t()));
    for (number, batch) in batches.iter().enumerate() {
        floats(format!("batch.{number}.images"), batch.images().into_dyn());
        floats(format!("step.{number}.loss"), scalar(network.step(batch, learning_rate).unwrap()).view());
        network.parameters().tensors().for_each(|(name, values)| floats(format!("step.{number}.{name}"), values.t()));
    }
    for (number, batch) in batches.iter().enumerate() {
        let labels: Vec<u8> = batch.labels().iter().flat_map(|&label| (label as i64).to_le_bytes()).collect();
        tensors.insert(format!("batch.{number}.labels"), (Dtype::I64, vec![batch.len()], labels));
    }
    let Optimizer::Adam { beta1, beta2, epsilon, weight_decay } = optimizer else {
        panic!("the third optimizer must be Adam")
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

/// Returns the lines of the table for one network: for each scenario and stage, the beginning of the line and the
/// checks that it lists.
fn lines(network: &str, suite: &SuiteReport) -> Vec<(String, Vec<Check>)> {
    assert!(suite.first_failure().is_none(), "{network}: {}", suite.reason());
    let mut lines: Vec<(String, Vec<Check>)> = Vec::new();
    for check in suite.reports.iter().flat_map(|report| &report.checks).filter(|check| check.bound > 0.0) {
        let scenario = if check.scenario.is_empty() { String::new() } else { format!("{}, ", check.scenario) };
        let head = format!("{network}, {scenario}{}", check.stage);
        match lines.iter_mut().find(|line| line.0 == head) {
            Some(line) => line.1.push(check.clone()),
            None => lines.push((head, vec![check.clone()])),
        }
    }
    lines
}

/// Computes all lines of the table.
fn current_lines() -> Vec<(String, Vec<Check>)> {
    let mut all = Vec::new();
    for (inputs, hidden, activation, shift) in [
        (6, &[][..], Activation::Relu, 0.0),
        (6, &[4], Activation::Sigmoid, 0.0),
        (6, &[4, 3], Activation::Relu, 0.0),
        (6, &[4, 1, 3], Activation::Tanh, 0.0),
        (7, &[5, 4], Activation::Sigmoid, 0.5),
        (7, &[5, 4], Activation::Relu, 0.5),
        // These are wide enough for the statistical bound λE to be below the worst case.
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
            "the reference must agree exactly with itself"
        );
        all.extend(lines(&format!("{network}, double"), &suite));
    }
    // The precision is so low that units with undecided inputs are undecided themselves.
    let case = case(6, &[5, 5, 5], Activation::Relu, 0.0);
    let coarser = support::rounded(Arithmetic { unit_roundoff: 1.0 / 64.0, ..COARSE });
    all.extend(lines("relu, coarser", &check::check(&case, &[coarser]).unwrap()));
    // The training loop has bounds above 0 only for candidates whose results are not reproducible.
    for scale in [1.0, 0.01] {
        let (config, mut parameters) = support::network(&[5, 4], Activation::Tanh);
        for layer in parameters.layers_mut() {
            layer.weight *= scale;
            layer.bias *= scale;
        }
        let case = Case::new(config, parameters, &support::dataset(50), 12, 0, Vec::new()).unwrap();
        let suite = check::check(&case, &[support::nondeterministic()]).unwrap();
        let name = format!("parameters times {scale}");
        all.extend(lines(&name, &suite).into_iter().filter(|line| line.1[0].stage == Stage::TrainingLoop));
    }
    all
}

#[test]
fn gradient_error_bounds_match_bounds_of_check_suite() {
    let case = case(6, &[4, 3], Activation::Sigmoid, 0.0);
    let bounds = check::gradient_error_bounds(&case.config, &case.parameters, &case.batches[0]).unwrap();
    let network = ReferenceMlp::<f64>::new(&case.config, case.parameters.cast()).unwrap();
    let (_, gradients) = network.loss_and_gradients(&case.batches[0].cast()).unwrap();
    let suite = check::check(&case, &[support::rounded(Arithmetic::SINGLE)]).unwrap();
    assert_eq!(bounds.len(), 6);
    for ((name, largest, bound), (tensor, values)) in bounds.into_iter().zip(gradients.tensors()) {
        assert_eq!((&name, largest), (&tensor, values.fold(0.0, |largest, value| f64::max(largest, value.abs()))));
        let of_tensor =
            |check: &&Check| check.stage == Stage::Gradients && check.scenario.is_empty() && check.tensor == name;
        let check = suite.reports[0].checks.iter().find(of_tensor).unwrap();
        // The bound of the check is that of one element, the other is the largest of the tensor.
        assert!(check.bound <= bound && bound < 10.0 * check.bound, "{name}: {bound:e}");
    }
}

/// The check of the trajectory does not compare steps that overflow in the candidate's arithmetic. With zero parameters
/// only gradients can overflow, with large biases only logits.
#[test]
fn trajectory_check_stops_before_overflow() {
    let has_trajectory = |bias: f32, overflow: f64| {
        let mut case = case(6, &[], Activation::Relu, 0.0);
        case.parameters = Parameters::zeros(&case.config);
        case.parameters.layers_mut()[0].bias.fill(bias);
        let candidate = support::rounded(Arithmetic { overflow, ..Arithmetic::SINGLE });
        let suite = check::check(&case, &[candidate]).unwrap();
        let has_trajectory = suite.reports[0].checks.iter().any(|check| check.stage == Stage::Trajectory);
        let verdict = if has_trajectory { Verdict::Agree } else { Verdict::Inconclusive };
        assert_eq!(suite.verdict(), verdict, "{}", suite.reason());
        let names_step = suite.reason().contains("may overflow: step 0 of ");
        assert_eq!(names_step, !has_trajectory, "{}", suite.reason());
        has_trajectory
    };
    // Logits and gradients may be at most the square root of the second argument: 1,000, then 0.01.
    assert!(has_trajectory(0.0, 1e6));
    assert!(!has_trajectory(0.0, 1e-4));
    assert!(!has_trajectory(2e3, 1e6));
}

/// Formats a check as an entry of the golden [`TABLE`].
fn entry(check: &Check) -> String {
    let worst_case_bound = check.worst_case_bound.map_or_else(String::new, |worst| format!("/{worst:.7e}"));
    let undecided = if check.undecided == 0 { String::new() } else { format!("+{}", check.undecided) };
    format!("{:.7e}{worst_case_bound}{undecided}", check.bound)
}

/// Returns true if the numbers in two entries of the table are equal within [`TOLERANCE`].
fn are_equal(expected: &str, actual: &str) -> bool {
    let numbers = |entry: &str| -> Vec<f64> { entry.split(['/', '+']).map(|text| text.parse().unwrap()).collect() };
    let (expected, actual) = (numbers(expected), numbers(actual));
    let is_close = |(a, b): (&f64, &f64)| (a - b).abs() <= TOLERANCE * a.abs().max(b.abs());
    expected.len() == actual.len() && expected.iter().zip(&actual).all(is_close)
}

#[test]
fn error_bounds_match_golden_table() {
    let lines = current_lines();
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
    let mut changes = Vec::new();
    assert_eq!(
        written.iter().map(|line| line.0).collect::<Vec<_>>(),
        lines.iter().map(|line| line.0.as_str()).collect::<Vec<_>>()
    );
    for ((head, checks), (_, entries)) in lines.iter().zip(&written) {
        assert_eq!(checks.len(), entries.len(), "{head}");
        for (check, expected) in checks.iter().zip(entries) {
            let actual = entry(check);
            if !are_equal(expected, &actual) {
                let Check { tensor, index, .. } = check;
                changes.push(format!("{head} of {tensor} at {index:?}: expected {expected}, found {actual}"));
            }
        }
    }
    assert!(
        changes.is_empty(),
        "{} bounds changed; if the change is intended, set {WRITE}=1 to regenerate {TABLE}:\n{}",
        changes.len(),
        changes.join("\n")
    );
}
