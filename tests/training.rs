//! Tests of the training loop: the order of the batches, reproducible results, reported losses, early stopping and
//! divergence.

use std::ops::ControlFlow;

use mlp_parity::metrics::Epoch;
use mlp_parity::{
    Activation, BatchReport, Classifier, Dataset, Differentiable, Error, Observer, Optimizer, Schedule, TrainingConfig,
};
use mlp_parity_compare::Candidate;

/// Returns a training configuration with batches of 16 images and seed 3.
fn training(optimizer: Optimizer, learning_rate: f64, epochs: usize) -> TrainingConfig {
    let training = TrainingConfig::builder().optimizer(optimizer).learning_rate(learning_rate);
    training.batch_size(16).epochs(epochs).seed(3).build().unwrap()
}

/// Creates a model with two hidden layers and nonzero biases.
fn create(candidate: &Candidate, activation: Activation) -> Box<dyn Differentiable> {
    let (config, parameters) = support::network(&[20, 12], activation);
    candidate.create(&config, &parameters).unwrap()
}

/// Returns the candidates that run on the CPU, and one that checks losses only after it has updated the parameters.
fn cpu_candidates() -> Vec<Candidate> {
    support::cpu_candidates().into_iter().chain([support::deferred_loss_check()]).collect()
}

/// Returns all candidates that this machine can run, and one that checks losses only after it has updated the
/// parameters.
fn all_candidates() -> Vec<Candidate> {
    support::all_candidates().into_iter().chain([support::deferred_loss_check()]).collect()
}

/// With 70 images in batches of 16, an epoch has five steps, the last one with 6 images.
#[test]
fn fit_equals_single_steps_over_batches_in_order() {
    let data = support::dataset(70);
    for candidate in cpu_candidates() {
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
                    let rate = 0.01 * schedule.factor((epoch - 1) * 5 + index, 10);
                    stepped.step(&data.batch(indices), rate).unwrap();
                }
            }
            assert_eq!(fitted.parameters().unwrap(), stepped.parameters().unwrap(), "{}", candidate.identity());
        }
    }
}

#[test]
fn step_equals_separate_gradients_and_update_bit_for_bit() {
    let batch = support::dataset(16).batch(&(0..16).collect::<Vec<_>>());
    for candidate in cpu_candidates() {
        let [mut whole, mut parts] = [(); 2].map(|()| create(&candidate, Activation::Tanh));
        let loss = whole.step(&batch, 0.1).unwrap();
        let (same_loss, gradients) = parts.loss_and_gradients(&batch).unwrap();
        parts.apply_gradients(&gradients, 0.1).unwrap();
        assert_eq!(loss.to_bits(), same_loss.to_bits());
        assert_eq!(whole.parameters().unwrap(), parts.parameters().unwrap(), "{}", candidate.identity());
    }
}

#[test]
fn fit_is_bit_reproducible_and_depends_on_seed() {
    let data = support::dataset(70);
    for candidate in cpu_candidates() {
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
fn reported_train_loss_is_mean_weighted_by_batch_size() {
    #[derive(Default)]
    struct WeightedLoss {
        sum: f64,
        batches: usize,
    }
    impl Observer for WeightedLoss {
        fn batch_ended(&mut self, report: &BatchReport) -> ControlFlow<()> {
            assert_eq!(report.images, if report.batch == 5 { 6 } else { 16 });
            self.sum += f64::from(report.loss) * report.images as f64;
            self.batches += 1;
            ControlFlow::Continue(())
        }
    }
    for candidate in cpu_candidates() {
        let mut loss = WeightedLoss::default();
        let mut model = create(&candidate, Activation::Relu);
        let history = model.fit(&support::dataset(70), &training(Optimizer::adam(), 0.01, 1), &mut loss).unwrap();
        assert_eq!(loss.batches, 5);
        assert_eq!(history.epochs[0].train_loss, loss.sum / 70.0);
    }
}

#[test]
fn fit_stops_when_observer_breaks() {
    /// Stops the run after a batch of an epoch, or after the epoch itself if `batch` is 0.
    struct StopAfter {
        epoch: usize,
        batch: usize,
    }
    impl Observer for StopAfter {
        fn batch_ended(&mut self, report: &BatchReport) -> ControlFlow<()> {
            if (report.epoch, report.batch) == (self.epoch, self.batch) {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        }

        fn epoch_ended(&mut self, epoch: &Epoch, _: &dyn Classifier) -> mlp_parity::Result<ControlFlow<()>> {
            let stop = self.batch == 0 && epoch.epoch == self.epoch;
            Ok(if stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        }
    }
    for (epoch, batch, complete_epochs, stopped) in [
        // In the middle of an epoch, after the last batch of an epoch, after the last batch of the run.
        (2, 3, 1, true),
        (2, 5, 2, true),
        (3, 5, 3, false),
        // After an epoch, after the last epoch.
        (2, 0, 2, true),
        (3, 0, 3, false),
        // Never, because the run has only 3 epochs.
        (9, 9, 3, false),
    ] {
        let mut observer = StopAfter { epoch, batch };
        let mut model = create(&support::scratch(), Activation::Relu);
        let history = model.fit(&support::dataset(70), &training(Optimizer::adam(), 0.01, 3), &mut observer).unwrap();
        assert_eq!((history.epochs.len(), history.stopped), (complete_epochs, stopped));
    }
}

#[test]
fn diverged_error_names_epoch_batch_and_first_tensor() {
    let diverged = |candidate: &Candidate, weight_decay, learning_rate| {
        let mut model = create(candidate, Activation::Relu);
        let training = training(Optimizer::sgd().with_weight_decay(weight_decay), learning_rate, 9);
        match model.fit(&support::dataset(70), &training, &mut ()) {
            Err(Error::Diverged { epoch, batch, tensor }) => (epoch, batch, tensor),
            other => panic!("{}: {other:?}", candidate.identity()),
        }
    };
    for candidate in all_candidates() {
        let name = candidate.identity();
        // The first update leaves parameters that are finite, but so large that the logits of the second batch
        // overflow.
        assert_eq!(diverged(&candidate, 0.0, 3e38), (1, 2, "logits".to_owned()), "{name}");
        // Weight decay adds 1e10 times the parameters to the gradient, so the first update overflows single precision.
        assert_eq!(diverged(&candidate, 1e10, 3e38), (1, 2, "layer1.weight".to_owned()), "{name}");
        // With this weight decay every step multiplies the parameters by about −10. They overflow in the second epoch,
        // in the middle of a group of batches whose losses are read together.
        assert_eq!(diverged(&candidate, 11.0, 1.0), (2, 2, "logits".to_owned()), "{name}");
        // Every step multiplies the parameters by about −300. They overflow in the last batch of the first epoch.
        assert_eq!(diverged(&candidate, 301.0, 1.0), (1, 5, "logits".to_owned()), "{name}");
    }
}

/// The weights are so large that the squares of the gradients overflow in Adam's second moment, but neither the loss nor
/// the parameters. The moment would suppress all later updates.
#[test]
fn diverged_error_names_optimizer_moment() {
    for candidate in support::all_candidates() {
        let (config, mut parameters) = support::network(&[20], Activation::Relu);
        parameters.layers_mut()[1].weight.mapv_inplace(|weight| weight * 1e25);
        let mut model = candidate.create(&config, &parameters).unwrap();
        match model.fit(&support::dataset(16), &training(Optimizer::adam(), 0.01, 1), &mut ()) {
            Err(Error::Diverged { epoch: 1, batch: 1, tensor }) => assert_eq!(tensor, "moment2.layer1.weight"),
            other => panic!("{}: {other:?}", candidate.identity()),
        }
    }
}
