//! Trained networks over several seeds: equivalent where the implementations are, different where one is wrong and the
//! suite is left out.

use mlp_parity::metrics::Evaluation;
use mlp_parity::mnist::DataSource;
use mlp_parity::{Activation, Differentiable, MlpConfig, Optimizer, Parameters, TrainingConfig};
use mlp_parity_compare::check::{self, Case, NamedOptimizer};
use mlp_parity_compare::training::{Equivalence, Finding, Names, Score};
use mlp_parity_compare::{Candidate, Comparison, Monitor, NamedTraining, Trial, Verdict};
use mlp_parity_scratch::Mlp;

const SEEDS: usize = 7;

fn config(activation: Activation) -> MlpConfig {
    MlpConfig::new(784, &[50, 30], 10, activation).unwrap()
}

fn training() -> NamedTraining {
    let training = TrainingConfig::builder().optimizer(Optimizer::sgd()).learning_rate(0.3).epochs(10).build().unwrap();
    NamedTraining { name: "sgd".to_owned(), config: training }
}

/// By hand, with the derivative that the report prints, whatever the activation is said to be.
fn as_printed() -> Candidate {
    Candidate::new(support::scratch().identity().clone(), |config, parameters| {
        let hidden = config.hidden();
        let wrong = MlpConfig::new(config.inputs(), hidden, config.classes(), Activation::TanhAsPrinted)?;
        Ok(Box::new(Mlp::new(wrong, parameters)?) as Box<dyn Differentiable>)
    })
}

/// Everyone's accuracy on all of MNIST's test images after training on its first tenth.
fn train(candidate: &Candidate) -> Vec<Evaluation> {
    let mnist = DataSource::Embedded.load().unwrap();
    let (train, test) = (mnist.train.take(6_000).unwrap(), &mnist.test);
    let one = |seed| {
        let training = &training().with_seed(seed);
        let config = config(Activation::Tanh);
        let parameters = Parameters::glorot_uniform(&config, training.config.seed());
        let mut model = candidate.create(&config, &parameters).unwrap();
        let trial = Trial { training, train: &train, test, test_each_epoch: false };
        trial.run(model.as_mut(), candidate.identity(), "", &Monitor::default()).unwrap().evaluation.unwrap()
    };
    (0..SEEDS).map(one).collect()
}

fn judge(left: &Candidate, right: &Candidate, margin: f64) -> Equivalence {
    let names =
        Names { training: training().name, left: left.identity().to_string(), right: right.identity().to_string() };
    let (left, right) = (train(left), train(right));
    let scores = |side: &[Evaluation]| side.iter().map(Score::from).collect::<Vec<_>>();
    Equivalence::judge(names, &scores(&left), &scores(&right), margin)
}

#[test]
fn the_printed_derivative_fails_on_the_ladder_and_forced_past_it_by_the_accuracies() {
    let flex = &support::framework::on_the_processor()[0];
    let config = config(Activation::Tanh);
    let images = DataSource::Embedded.load().unwrap().train;
    let parameters = Parameters::glorot_uniform(&config, 0);
    let case = Case::new(config, parameters, &images, 64, 0, vec![NamedOptimizer::from(&training())]).unwrap();
    let suite = check::check(&case, &[support::framework::on_the_processor().remove(0), as_printed()]).unwrap();
    assert_eq!(suite.verdict(), Verdict::Disagree);
    assert!(suite.reason().contains("gradients of layer2.bias"), "{}", suite.reason());

    let wrong = judge(&as_printed(), flex, 0.001);
    assert_eq!(wrong.finding, Finding::Different, "{wrong}");
    assert!(wrong.equivalence_p > 0.99 && wrong.to_string().contains("which is more than 0.10 points"), "{wrong}");

    let right = judge(&support::scratch(), flex, 0.001);
    assert_ne!(right.finding, Finding::Different, "{right}");
    assert!(right.accuracy.difference.mean.abs() < wrong.accuracy.difference.mean.abs() / 3.0, "{right}, but {wrong}");
}

/// The verdict over seeds, on small images: agreement, too few seeds, nothing learned.
#[test]
fn seeds_decide_where_there_are_enough() {
    let (train, test) = support::dataset(600).split_at(400).unwrap();
    let candidates = support::on_the_processor();
    let config = MlpConfig::new(36, &[20], 10, Activation::Relu).unwrap();
    let outcome = |seeds, learning_rate, epochs| {
        let training = TrainingConfig::builder().optimizer(Optimizer::sgd()).learning_rate(learning_rate);
        let training = training.batch_size(32).epochs(epochs).seed(7).build().unwrap();
        let trainings = [NamedTraining { name: "training".to_owned(), config: training }];
        let (candidates, config) = (candidates.as_slice(), &config);
        let (train, test) = (&train, &test);
        let comparison = Comparison {
            candidates,
            config,
            trainings: &trainings,
            seeds,
            margin: 0.02,
            replicas: 2,
            train,
            test,
            threads: 2,
        };
        comparison.run(&Monitor::default()).unwrap()
    };
    let enough = outcome(3, 0.1, 10);
    assert_eq!(enough.verdict, Verdict::Agree, "{}", enough.reason);
    assert_eq!(enough.equivalences.len(), candidates.len() - 1);
    assert_eq!(enough.agreements.len(), 3 * (candidates.len() - 1));
    assert!(enough.agreements.iter().all(|agreement| agreement.control.is_none()));
    let seeds: Vec<u64> = enough.runs.iter().map(|run| run.record.seed).collect();
    assert_eq!(&seeds[..candidates.len() + 1], [vec![7; candidates.len()], vec![8]].concat());

    let two = outcome(2, 0.1, 10);
    assert_eq!(two.verdict, Verdict::Inconclusive);
    assert!(two.reason.contains("over 2 seeds") && two.reason.contains("3 seeds would"), "{}", two.reason);

    let useless = outcome(3, 0.0, 1);
    assert_eq!(useless.verdict, Verdict::Degenerate, "{}", useless.reason);
    assert!(!useless.degenerate.is_empty() && useless.degenerate.len() % candidates.len() == 0, "all learn alike");
    assert!(useless.reason.contains("proves nothing"), "{}", useless.reason);
}
