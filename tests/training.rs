//! `fit`: the steps it promises, in the promised order, the same every time, and an end when there is no sense in going on.

use std::ops::ControlFlow;

use mlp_parity::metrics::Epoch;
use mlp_parity::{
    Activation, BatchReport, Classifier, Dataset, Differentiable, Error, Observer, Optimizer, Schedule, TrainingConfig,
};
use mlp_parity_compare::Candidate;

fn training(optimizer: Optimizer, learning_rate: f64, epochs: usize) -> TrainingConfig {
    let training = TrainingConfig::builder().optimizer(optimizer).learning_rate(learning_rate);
    training.batch_size(16).epochs(epochs).seed(3).build().unwrap()
}

fn create(candidate: &Candidate, activation: Activation) -> Box<dyn Differentiable> {
    let (config, parameters) = support::network(&[20, 12], activation);
    candidate.create(&config, &parameters).unwrap()
}

fn on_the_processor() -> Vec<Candidate> {
    support::on_the_processor().into_iter().chain([support::ahead()]).collect()
}

fn everyone() -> Vec<Candidate> {
    support::everyone().into_iter().chain([support::ahead()]).collect()
}

/// 70 images in batches of 16 leave a last batch of 6: five steps an epoch.
#[test]
fn fit_is_one_step_for_each_batch_of_the_promised_order() {
    let data = support::dataset(70);
    for candidate in on_the_processor() {
        let sgd = Optimizer::sgd();
        for (optimizer, schedule) in
            [(sgd, Schedule::OneCycle), (Optimizer::adam().with_weight_decay(1e-4), Schedule::Constant)]
        {
            let training = training(optimizer, 0.01, 2).with_schedule(schedule);
            let mut fitted = create(&candidate, Activation::Relu);
            fitted.fit(&data, &training, &mut ()).unwrap();
            let mut stepped = create(&candidate, Activation::Relu);
            stepped.set_optimizer(&optimizer).unwrap();
            for epoch in 1..=2 {
                let order = Dataset::epoch_order(3, epoch, 70);
                for (index, indices) in order.chunks(16).enumerate() {
                    let rate = 0.01 * schedule.share((epoch - 1) * 5 + index, 10);
                    stepped.step(&data.batch(indices), rate).unwrap();
                }
            }
            assert_eq!(fitted.parameters().unwrap(), stepped.parameters().unwrap(), "{}", candidate.identity());
        }
    }
}

#[test]
fn a_step_is_the_gradient_and_its_update() {
    let batch = support::dataset(16).batch(&(0..16).collect::<Vec<_>>());
    for candidate in on_the_processor() {
        let [mut whole, mut parts] = [(); 2].map(|()| create(&candidate, Activation::Tanh));
        let loss = whole.step(&batch, 0.1).unwrap();
        let (same_loss, gradients) = parts.loss_and_gradients(&batch).unwrap();
        parts.apply_gradients(&gradients, 0.1).unwrap();
        assert_eq!(loss.to_bits(), same_loss.to_bits());
        assert_eq!(whole.parameters().unwrap(), parts.parameters().unwrap(), "{}", candidate.identity());
    }
}

#[test]
fn the_same_plan_gives_the_same_bytes_and_another_seed_others() {
    let data = support::dataset(70);
    for candidate in on_the_processor() {
        let trained = |seed| {
            let mut model = create(&candidate, Activation::Sigmoid);
            let training = TrainingConfig::builder().optimizer(Optimizer::adam()).learning_rate(0.01);
            let training = training.batch_size(16).epochs(2).seed(seed).build().unwrap();
            model.fit(&data, &training, &mut ()).unwrap();
            model.parameters().unwrap()
        };
        assert_eq!(trained(1), trained(1), "{}", candidate.identity());
        assert_ne!(trained(1), trained(2), "{}", candidate.identity());
    }
}

#[test]
fn the_training_loss_is_the_running_mean_of_the_batches_weighted_by_their_images() {
    struct Sum(f64, usize);
    impl Observer for Sum {
        fn batch_ended(&mut self, report: &BatchReport) -> ControlFlow<()> {
            assert_eq!(report.images, if report.batch == 5 { 6 } else { 16 });
            self.0 += f64::from(report.loss) * report.images as f64;
            self.1 += 1;
            ControlFlow::Continue(())
        }
    }
    for candidate in on_the_processor() {
        let mut sum = Sum(0.0, 0);
        let mut model = create(&candidate, Activation::Relu);
        let history = model.fit(&support::dataset(70), &training(Optimizer::adam(), 0.01, 1), &mut sum).unwrap();
        assert_eq!(sum.1, 5);
        assert_eq!(history.epochs[0].train_loss, sum.0 / 70.0);
    }
}

#[test]
fn an_observer_ends_the_run() {
    struct After(usize, usize);
    impl Observer for After {
        fn batch_ended(&mut self, report: &BatchReport) -> ControlFlow<()> {
            if (report.epoch, report.batch) == (self.0, self.1) {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        }

        fn epoch_ended(&mut self, epoch: &Epoch, _: &dyn Classifier) -> mlp_parity::Result<ControlFlow<()>> {
            let stop = self.1 == 0 && epoch.epoch == self.0;
            Ok(if stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        }
    }
    for (mut observer, complete, stopped) in
        // A batch, the last batch of an epoch, of all; an epoch, the last epoch; never.
        [
            (After(2, 3), 1, true),
            (After(2, 5), 2, true),
            (After(3, 5), 3, false),
            (After(2, 0), 2, true),
            (After(3, 0), 3, false),
            (After(9, 9), 3, false),
        ]
    {
        let mut model = create(&support::scratch(), Activation::Relu);
        let history = model.fit(&support::dataset(70), &training(Optimizer::adam(), 0.01, 3), &mut observer).unwrap();
        assert_eq!((history.epochs.len(), history.stopped), (complete, stopped));
    }
}

#[test]
fn divergence_names_epoch_batch_and_first_tensor() {
    let diverged = |candidate: &Candidate, weight_decay, learning_rate| {
        let mut model = create(candidate, Activation::Relu);
        let training = training(Optimizer::sgd().with_weight_decay(weight_decay), learning_rate, 9);
        match model.fit(&support::dataset(70), &training, &mut ()) {
            Err(Error::Diverged { epoch, batch, tensor }) => (epoch, batch, tensor),
            other => panic!("{}: {other:?}", candidate.identity()),
        }
    };
    for candidate in everyone() {
        let name = candidate.identity();
        // The first step makes parameters that are finite and so large that the second batch's logits are not.
        assert_eq!(diverged(&candidate, 0.0, 3e38), (1, 2, "logits".to_owned()), "{name}");
        // In single precision this is infinite, and so is what it updates.
        assert_eq!(diverged(&candidate, 0.0, 1e300), (1, 2, "layer1.weight".to_owned()), "{name}");
        // The decay makes every parameter grow tenfold in a step, which overflows in the second epoch, in the middle of
        // batches whose losses are read together.
        assert_eq!(diverged(&candidate, 11.0, 1.0), (2, 2, "logits".to_owned()), "{name}");
        // By three hundred, which overflows in the last batch of the first epoch.
        assert_eq!(diverged(&candidate, 301.0, 1.0), (1, 5, "logits".to_owned()), "{name}");
    }
}
