//! Comparison of trained networks over several seeds. The equivalence test accepts correct implementations and rejects
//! a faulty one on the evidence of its accuracies alone, without the check suite.

use mlp_parity::mnist::DataSource;
use mlp_parity::{Activation, Differentiable, MlpConfig, Optimizer, Parameters, TrainingConfig};
use mlp_parity_compare::check::{Case, NamedOptimizer};
use mlp_parity_compare::diagnosis;
use mlp_parity_compare::statistics::Seeds;
use mlp_parity_compare::training::{Equivalence, EquivalenceVerdict, Score, TrainedPair};
use mlp_parity_compare::{Candidate, Comparison, Monitor, NamedTraining, Trial, Verdict};
use mlp_parity_scratch::Mlp;

/// Number of seeds with which each candidate is trained.
const SEEDS: usize = 7;

fn config(activation: Activation) -> MlpConfig {
    MlpConfig::new(784, &[50, 30], 10, activation).unwrap()
}

fn training() -> NamedTraining {
    let training = TrainingConfig::builder().optimizer(Optimizer::sgd()).learning_rate(0.3).epochs(10).build().unwrap();
    NamedTraining { name: "sgd".to_owned(), config: training }
}

/// Returns the hand-written implementation with the incorrect derivative that the report prints.
fn as_printed() -> Candidate {
    Candidate::new(support::scratch().identity().clone(), |config, parameters| {
        let network = Mlp::new(config.clone(), parameters)?.with_derivative_at_activation();
        Ok(Box::new(network) as Box<dyn Differentiable>)
    })
}

/// Trains a candidate with each seed on the first 6,000 training images of MNIST and evaluates it on all test images.
fn train(candidate: &Candidate) -> Vec<Score> {
    let mnist = DataSource::Embedded.load().unwrap();
    let (train, test) = (mnist.train.take(6_000).unwrap(), &mnist.test);
    let train_with = |seed| {
        let training = &training().with_seed(seed);
        let config = config(Activation::Tanh);
        let parameters = Parameters::glorot_uniform(&config, training.config.seed());
        let mut model = candidate.create(&config, &parameters).unwrap();
        let trial = Trial { training, train: &train, test, test_each_epoch: false, check_after_training: false };
        let run = trial.run(model.as_mut(), candidate.identity(), "", &Monitor::default()).unwrap();
        Score::after(&run.record.epochs).unwrap()
    };
    (0..SEEDS).map(train_with).collect()
}

/// Tests whether two candidates are equivalent within `margin`, a fraction of the test images.
fn test_equivalence(first: &Candidate, second: &Candidate, margin: f64) -> Equivalence {
    let pair = TrainedPair {
        training: training().name,
        first: first.identity().to_string(),
        second: second.identity().to_string(),
    };
    Equivalence::test(pair, &train(first), &train(second), margin)
}

#[test]
fn derivative_of_the_report_fails_check_suite_and_equivalence_test() {
    let flex = &support::framework::cpu_candidates()[0];
    let config = config(Activation::Tanh);
    let images = DataSource::Embedded.load().unwrap().train;
    let parameters = Parameters::glorot_uniform(&config, 0);
    let case = Case::new(config, parameters, &images, 64, 0, vec![NamedOptimizer::from(&training())]).unwrap();
    let suite = diagnosis::check(&case, &[support::framework::cpu_candidates().remove(0), as_printed()]).unwrap();
    assert_eq!(suite.verdict(), Verdict::Disagree);
    let reason = suite.reason();
    assert!(reason.contains("gradients of layer2.bias") && reason.contains("(derivative-at-activation)"), "{reason}");

    let faulty = test_equivalence(&as_printed(), flex, 0.001);
    assert_eq!(faulty.verdict, EquivalenceVerdict::Different, "{faulty}");
    assert!(
        faulty.equivalence_p > 0.99 && faulty.to_string().contains("more than the margin of 0.10 percentage points"),
        "{faulty}"
    );

    let correct = test_equivalence(&support::scratch(), flex, 0.001);
    assert_ne!(correct.verdict, EquivalenceVerdict::Different, "{correct}");
    assert!(
        correct.accuracy.difference.mean.abs() < faulty.accuracy.difference.mean.abs() / 3.0,
        "{correct}, but {faulty}"
    );
}

/// Covers three outcomes on small images: agreement, too few seeds for a verdict (inconclusive), and networks that
/// learned nothing (degenerate).
#[test]
fn comparison_over_seeds_distinguishes_agree_inconclusive_and_degenerate() {
    let (train, test) = support::dataset(600).split_at(400).unwrap();
    let candidates = support::cpu_candidates();
    let config = MlpConfig::new(36, &[20], 10, Activation::Relu).unwrap();
    let outcome = |seeds: usize, learning_rate, epochs| {
        let training = TrainingConfig::builder().optimizer(Optimizer::sgd()).learning_rate(learning_rate);
        let training = training.batch_size(32).epochs(epochs).seed(7).build().unwrap();
        let trainings = [NamedTraining { name: "sgd".to_owned(), config: training }];
        let (candidates, config) = (candidates.as_slice(), &config);
        let (train, test) = (&train, &test);
        let comparison = Comparison {
            candidates,
            config,
            trainings: &trainings,
            seeds: Seeds::Fixed(seeds),
            margin: 0.02,
            replicas: 2,
            train,
            test,
            threads: 2,
        };
        comparison.run(&Monitor::default()).unwrap()
    };
    let agreeing = outcome(3, 0.1, 10);
    assert_eq!(agreeing.verdict, Verdict::Agree, "{}", agreeing.reason);
    assert_eq!(agreeing.equivalences.len(), candidates.len() - 1);
    assert_eq!(agreeing.agreements.len(), 3 * (candidates.len() - 1));
    assert!(agreeing.agreements.iter().all(|agreement| agreement.control.is_none()));
    let seeds: Vec<u64> = agreeing.runs.iter().map(|run| run.record.seed).collect();
    assert_eq!(&seeds[..candidates.len() + 1], [vec![7; candidates.len()], vec![8]].concat());

    let too_few = outcome(2, 0.1, 10);
    assert_eq!(too_few.verdict, Verdict::Inconclusive);
    assert!(
        too_few.reason.contains("with training configuration sgd, over 2 seeds,")
            && too_few.reason.contains("at least 3 seeds"),
        "{}",
        too_few.reason
    );

    let untrained = outcome(3, 0.0, 1);
    assert_eq!(untrained.verdict, Verdict::Degenerate, "{}", untrained.reason);
    assert!(
        !untrained.degenerate.is_empty() && untrained.degenerate.len() % candidates.len() == 0,
        "every candidate must be degenerate"
    );
    assert!(untrained.reason.contains("proves nothing"), "{}", untrained.reason);
}
