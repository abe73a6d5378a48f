//! The traits of `mlp-parity` for [`FaultyMlp`], with the faults of the update, the training step and the training
//! loop.

use mlp_parity::classifier::softmax;
use mlp_parity::metrics::History;
use mlp_parity::{
    Batch, Batches, Classifier, Dataset, Differentiable, MlpConfig, Observer, Optimizer, OptimizerState, Parameters,
    Result, Schedule, TrainingConfig, training,
};
use ndarray::{Array2, ArrayView2};

use super::{FaultyMlp, half};
use crate::fault::Fault;

impl Classifier for FaultyMlp {
    fn config(&self) -> &MlpConfig {
        &self.config
    }

    fn fit(&mut self, train: &Dataset, training: &TrainingConfig, observer: &mut dyn Observer) -> Result<History> {
        if self.is(Fault::EpochOrderNotReshuffled) || self.is(Fault::OptimizerStateKept) {
            return self.fit_with_faulty_loop(train, training);
        }
        let constant = training.with_schedule(Schedule::Constant);
        let training = if self.is(Fault::ScheduleIgnored) { &constant } else { training };
        if self.is(Fault::StateLostBetweenEpochs) {
            self.set_optimizer(training.optimizer())?;
        }
        training::fit(self, train, training, observer)
    }

    fn predict_probabilities(&self, images: ArrayView2<'_, f32>) -> Result<Array2<f32>> {
        Ok(softmax(self.logits(images)?))
    }
}

impl Differentiable for FaultyMlp {
    fn parameters(&self) -> Result<Parameters<f32>> {
        Ok(self.parameters.clone())
    }

    fn set_parameters(&mut self, parameters: &Parameters<f32>) -> Result<()> {
        parameters.check_fit(&self.config)?;
        let biases: Vec<_> = self.parameters.layers().iter().map(|layer| layer.bias.clone()).collect();
        self.parameters = match self.fault {
            Fault::ParametersInHalfPrecision => parameters.map(half),
            _ => parameters.clone(),
        };
        if self.is(Fault::BiasesNotSet) {
            self.parameters.layers_mut().iter_mut().zip(biases).for_each(|(layer, bias)| layer.bias = bias);
        }
        Ok(())
    }

    fn logits(&self, images: ArrayView2<'_, f32>) -> Result<Array2<f32>> {
        let [_, mut activations] = self.forward(images);
        Ok(activations.pop().unwrap())
    }

    fn loss_and_gradients(&self, batch: &Batch<f32>) -> Result<(f32, Parameters<f32>)> {
        self.passes(batch)
    }

    fn set_optimizer(&mut self, optimizer: &Optimizer) -> Result<()> {
        let zeros = || Parameters::zeros(&self.config);
        (self.optimizer, self.step, self.moments) = (*optimizer, 0, [zeros(), zeros()]);
        Ok(())
    }

    fn optimizer_state(&self) -> Result<OptimizerState> {
        let moments = self.moments.iter().take(OptimizerState::moment_count(&self.optimizer)).cloned().collect();
        let steps = if self.is(Fault::StepCountInSinglePrecision) { self.step as f32 as i32 } else { self.step };
        Ok(OptimizerState { steps: steps as usize, moments })
    }

    fn set_optimizer_state(&mut self, state: &OptimizerState) -> Result<()> {
        state.check_fit(&self.optimizer, &self.config)?;
        self.step = i32::try_from(state.steps).unwrap();
        let flushed = |value: f32| if value.is_subnormal() && self.is(Fault::SubnormalsFlushed) { 0.0 } else { value };
        let moments: Vec<_> = state.moments.iter().map(|moments| moments.map(flushed)).collect();
        self.moments.iter_mut().zip(moments).for_each(|(moment, new)| *moment = new);
        Ok(())
    }

    fn apply_gradients(&mut self, gradients: &Parameters<f32>, learning_rate: f64) -> Result<()> {
        self.step += 1;
        let mut moments =
            std::mem::replace(&mut self.moments, [Parameters::zeros(&self.config), Parameters::zeros(&self.config)]);
        if self.is(Fault::LayerMomentsSwapped) {
            moments[0].layers_mut().swap(1, 2);
        }
        let mut parameters = self.parameters.clone();
        let [first, second] = &mut moments;
        let states = first.layers_mut().iter_mut().zip(second.layers_mut());
        for ((layer, gradient), (first, second)) in
            parameters.layers_mut().iter_mut().zip(gradients.layers()).zip(states)
        {
            let weights =
                layer.weight.iter_mut().zip(&gradient.weight).zip(first.weight.iter_mut().zip(&mut second.weight));
            weights.for_each(|((value, &gradient), (m, v))| {
                self.update(value, gradient, [m, v], false, learning_rate as f32)
            });
            let biases = layer.bias.iter_mut().zip(&gradient.bias).zip(first.bias.iter_mut().zip(&mut second.bias));
            biases.for_each(|((value, &gradient), (m, v))| {
                self.update(value, gradient, [m, v], true, learning_rate as f32)
            });
        }
        if self.is(Fault::LayerMomentsSwapped) {
            moments[0].layers_mut().swap(1, 2);
        }
        (self.parameters, self.moments) = (parameters, moments);
        Ok(())
    }

    fn step(&mut self, batch: &Batch<f32>, learning_rate: f64) -> Result<f32> {
        let fault = self.update_fault;
        if self.is(Fault::LossOverflows) && batch.len() < 32 {
            return Ok(f32::INFINITY);
        }
        let (loss, mut gradients) = self.passes(batch)?;
        if !loss.is_finite() {
            return Ok(loss);
        }
        match (fault, self.previous_gradients.replace(gradients.clone())) {
            (Fault::GradientsNotZeroed, Some(previous)) => {
                for (layer, previous) in gradients.layers_mut().iter_mut().zip(previous.layers()) {
                    layer.weight += &previous.weight;
                    layer.bias += &previous.bias;
                }
            }
            (Fault::GradientsOfPreviousStep, Some(previous)) => gradients = previous,
            _ => {}
        }
        let rate = if fault == Fault::StepLearningRatePerturbed { learning_rate * 1.001 } else { learning_rate };
        self.apply_gradients(&gradients, rate)?;
        if fault == Fault::WeightPerturbedAfterStep {
            self.parameters.layers_mut()[1].weight[[3, 4]] *= 1.0001;
        }
        Ok(loss)
    }

    fn train_batches(&mut self, train: &Dataset, batches: Batches<'_>, losses: &mut Vec<f32>) -> Result<()> {
        let mut full_size = 0;
        for (number, (indices, learning_rate)) in batches.enumerate() {
            full_size = full_size.max(indices.len());
            let is_partial = indices.len() < full_size;
            let batch = train.batch::<f32>(indices);
            let (mut images, mut labels) = (batch.images().to_owned(), batch.labels().to_vec());
            match self.fault {
                Fault::LabelsShifted if number == 1 => labels.rotate_left(1),
                Fault::ImageRowReplaced if number == 1 => {
                    let other = train.batch::<f32>(&[(indices[0] + 1) % train.len()]);
                    images.row_mut(0).assign(&other.images().row(0));
                }
                Fault::TrainingPixelsScaledTwice => images /= 255.0,
                Fault::PixelsScaledByReciprocal => images.indexed_iter_mut().for_each(|((row, column), pixel)| {
                    *pixel = f32::from(train.image(indices[row])[column]) * (1.0 / 255.0);
                }),
                _ => {}
            }
            let rate = match self.fault {
                Fault::LastBatchDropped if is_partial => 0.0,
                Fault::PartialBatchDividedByFullSize if is_partial => {
                    learning_rate * indices.len() as f64 / full_size as f64
                }
                _ => learning_rate,
            };
            let loss = self.step(&Batch::new(images, labels)?, rate)?;
            losses.push(loss);
            if !loss.is_finite() {
                break;
            }
        }
        Ok(())
    }

    /// Returns more batches than an epoch of the tests has. Batches are counted within a call, so a fault of the second
    /// batch then affects only one batch of an epoch.
    fn batches_per_call(&self) -> usize {
        32
    }
}
