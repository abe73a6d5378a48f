//! The check suite on networks that have trained: correct candidates pass, also from random states with tiny moments and
//! large numbers of steps, and faults that only show after many updates are found.

use mlp_parity::{Activation, Optimizer, OptimizerState, Parameters, TrainingConfig};
use mlp_parity_compare::check::{self, Case, Check, Stage, TrainedState};
use mlp_parity_compare::statistics::Seeds;
use mlp_parity_compare::{Candidate, Comparison, Monitor, NamedTraining, Run, Verdict};
use support::fault::Fault;

use crate::draw::Draw;
use crate::random_configurations;

/// Number of random states.
const STATES: u64 = 100;

/// Number of random states on a GPU. It is small because kernels are compiled for each new shape.
const GPU_STATES: u64 = 3;

/// Trains a candidate epoch by epoch, and returns the case that continues the run, from what the network returns. Each epoch
/// has ten updates.
fn trained_case(candidate: &Candidate, optimizer: Optimizer, epochs: usize) -> Case {
    let (config, parameters) = support::network(&[20, 20], Activation::Relu);
    let dataset = support::dataset(160);
    let training = TrainingConfig::builder().optimizer(optimizer).learning_rate(0.01).batch_size(16).epochs(epochs);
    let training = training.build().unwrap();
    let mut model = candidate.create(&config, &parameters).unwrap();
    for epoch in 1..=epochs {
        model.fit(&dataset, &training.with_epoch_range(epoch..=epoch), &mut ()).unwrap();
    }
    let updates = Some(training.steps(dataset.len()));
    let trained = TrainedState { training, epochs, updates, optimizer: Some(model.optimizer_state().unwrap()) };
    Case::after_training(config, model.parameters().unwrap(), &dataset, "training", trained).unwrap()
}

fn adam() -> Optimizer {
    Optimizer::adam().with_weight_decay(1e-4)
}

fn optimizers() -> [Optimizer; 4] {
    let momentum = Optimizer::Momentum { momentum: 0.9, nesterov: true, weight_decay: 1e-3 };
    [Optimizer::sgd(), momentum, adam(), Optimizer::adamw().with_weight_decay(0.01)]
}

#[test]
fn trained_candidates_pass_every_stage() {
    let passes = |candidate: &Candidate, optimizer: Optimizer| {
        let case = trained_case(candidate, optimizer, 6);
        let suite = check::check(&case, std::slice::from_ref(candidate)).unwrap();
        assert_eq!(suite.first_failure(), None, "{}, {optimizer}", candidate.identity());
        assert_eq!(suite.reports[0].not_implemented, Vec::<String>::new());
        for stage in [Stage::Parameters, Stage::Gradients, Stage::Update, Stage::Trajectory, Stage::TrainingLoop] {
            let checked = suite.reports[0].checks.iter().find(|check| check.stage == stage).unwrap();
            assert!(checked.scenario.ends_with("after epoch 6"), "{}", checked.scenario);
        }
    };
    for candidate in support::cpu_candidates() {
        optimizers().into_iter().for_each(|optimizer| passes(&candidate, optimizer));
    }
    if let Some(gpu) = support::framework::gpu_candidate() {
        passes(&gpu, adam());
    }
}

/// Draws a value that is often tiny: zero, subnormal, or with a square that is.
fn tiny(draw: &mut Draw, largest: f64) -> f32 {
    if draw.chance(0.1) { 0.0 } else { draw.magnitude(-46.0, largest) as f32 }
}

/// Draws an optimizer state after up to 10⁸ updates. Its second moments need not fit the first ones.
fn random_state(draw: &mut Draw, optimizer: &Optimizer, shape: &Parameters<f32>) -> OptimizerState {
    let mut moment = |index| {
        shape.map(|_| {
            let sign = if index == 0 { draw.one_of(&[-1.0, 1.0]) } else { 1.0 };
            sign * tiny(draw, 2.0)
        })
    };
    let moments = (0..OptimizerState::moment_count(optimizer)).map(&mut moment).collect();
    OptimizerState { steps: draw.magnitude(0.0, 8.0) as usize, moments }
}

#[test]
fn correct_candidates_pass_from_random_states() {
    let mut undecided = pass_from_random_states(STATES, &support::cpu_candidates());
    if let Some(gpu) = support::framework::gpu_candidate() {
        undecided += pass_from_random_states(GPU_STATES, &[gpu]);
    }
    assert!(undecided > 0, "no quotient of tiny moments is undecided");
}

/// Checks the candidates from random states, and returns the number of undecided elements in updates.
fn pass_from_random_states(states: u64, candidates: &[Candidate]) -> usize {
    let mut undecided = 0;
    for seed in 0..states {
        let case = random_configurations::case(seed);
        let mut draw = Draw::new(seed);
        let optimizer = case.optimizers[0].optimizer;
        let state = random_state(&mut draw, &optimizer, &case.parameters);
        let training = TrainingConfig::builder().optimizer(optimizer).learning_rate(case.optimizers[0].learning_rate);
        let training = training.epochs(3).build().unwrap();
        let trained = TrainedState { training, epochs: 3, updates: None, optimizer: Some(state) };
        let case = Case { trained: Some(trained), ..case };
        let suite = check::check(&case, candidates).unwrap();
        assert_eq!(suite.first_failure(), None, "seed {seed}: {}, {optimizer}", case.config);
        let checks = suite.reports.iter().flat_map(|report| &report.checks);
        undecided += checks.filter(|check| check.stage == Stage::Update).map(|check| check.undecided).sum::<usize>();
    }
    undecided
}

/// Returns the first failed check of a network with a fault, from the state after its own training.
fn first_failure(fault: Fault, epochs: usize, change: impl Fn(&mut OptimizerState)) -> Option<Check> {
    let candidate = support::faulty(fault);
    let mut case = trained_case(&candidate, adam(), epochs);
    if let Some(TrainedState { optimizer: Some(state), updates, .. }) = &mut case.trained {
        change(state);
        *updates = None;
    }
    check::check(&case, &[candidate]).unwrap().first_failure().cloned()
}

#[test]
fn late_faults_are_found_from_trained_state_only() {
    let unchanged: fn(&mut OptimizerState) = |_| ();
    let odd_number: fn(&mut OptimizerState) = |state| state.steps = (1 << 24) + 1;
    let subnormal: fn(&mut OptimizerState) = |state| state.moments[0] = state.moments[0].map(|m| m * 1e-38);
    for (fault, epochs, change, stage, tensor) in [
        (Fault::StepCountSaturates, 40, unchanged, Stage::Update, "layer1.weight"),
        (Fault::StepCountInSinglePrecision, 1, odd_number, Stage::Parameters, "updates"),
        (Fault::StateLostBetweenEpochs, 2, unchanged, Stage::TrainingLoop, "output_layer.bias"),
        (Fault::SubnormalsFlushed, 1, subnormal, Stage::Parameters, "moment1.layer1.weight"),
    ] {
        assert_eq!(first_failure(Fault::None, epochs, change), None, "without {fault:?}");
        let found = first_failure(fault, epochs, change).map(|check| (check.stage, check.tensor));
        assert_eq!(found, Some((stage, tensor.to_owned())), "{fault:?}");
        let (config, parameters) = support::network(&[20, 20], Activation::Relu);
        let named = check::NamedOptimizer { name: "adam".to_owned(), optimizer: adam(), learning_rate: 0.01 };
        let case = Case::new(config, parameters, &support::dataset(160), 16, 0, vec![named]).unwrap();
        assert_eq!(check::check(&case, &[support::faulty(fault)]).unwrap().first_failure(), None, "{fault:?}");
    }
}

#[test]
fn comparison_disagrees_if_check_after_training_fails() {
    let (config, _) = support::network(&[20, 20], Activation::Relu);
    let (train, test) = support::dataset(300).split_at(200).unwrap();
    let training = TrainingConfig::builder().optimizer(adam()).learning_rate(0.01).batch_size(16).epochs(3);
    let comparison = Comparison {
        candidates: &[support::scratch(), support::faulty(Fault::StateLostBetweenEpochs)],
        config: &config,
        trainings: &[NamedTraining { name: "adam".to_owned(), config: training.build().unwrap() }],
        seeds: Seeds::Fixed(1),
        margin: 0.005,
        replicas: 0,
        train: &train,
        test: &test,
        threads: 2,
    };
    let outcome = comparison.run(&Monitor::default()).unwrap();
    assert_eq!((outcome.verdict, outcome.runs.len()), (Verdict::Disagree, 2), "{}", outcome.reason);
    for part in ["from the state after training", "training loop", "after epoch 3", "continues a run"] {
        assert!(outcome.reason.contains(part), "{part}: {}", outcome.reason);
    }
    let failed = |run: &Run| run.record.checks_after_training.as_ref().unwrap().failure.is_some();
    assert_eq!(outcome.runs.iter().map(failed).collect::<Vec<_>>(), [false, true], "records carry the result");
}

#[test]
fn updates_that_the_state_does_not_count_are_reported() {
    let candidate = support::scratch();
    let mut case = trained_case(&candidate, adam(), 2);
    case.trained.as_mut().unwrap().updates = Some(30);
    let suite = check::check(&case, &[candidate]).unwrap();
    let found = suite.first_failure().map(|check| (check.tensor.as_str(), check.expected, check.actual));
    assert_eq!(found, Some(("updates", 30.0, 20.0)));
}

#[test]
fn without_optimizer_state_only_gradients_are_compared() {
    let candidate = support::scratch();
    let mut case = trained_case(&candidate, adam(), 1);
    case.trained.as_mut().unwrap().optimizer = None;
    let suite = check::check(&case, std::slice::from_ref(&candidate)).unwrap();
    assert_eq!(suite.first_failure(), None);
    assert!(suite.reports[0].checks.iter().all(|check| check.stage < Stage::Update));
    assert_eq!(suite.reports[0].not_implemented, ["scratch (training after epoch 1)"]);
    case = trained_case(&candidate, Optimizer::sgd(), 1);
    case.trained.as_mut().unwrap().optimizer = None;
    let suite = check::check(&case, &[candidate]).unwrap();
    assert!(suite.reports[0].checks.iter().any(|check| check.stage == Stage::TrainingLoop), "SGD has no state");
}
