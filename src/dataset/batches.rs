//! The batches of an epoch.

use std::ops::Range;
use std::slice::Chunks;

use crate::TrainingConfig;

/// Batches of a run, one after the other: the indices of the images of each, and its learning rate.
#[derive(Clone, Debug)]
pub struct Batches<'a> {
    training: &'a TrainingConfig,
    order: &'a [usize],
    /// What comes after `order`.
    rest: &'a [usize],
    /// What is left of `order`.
    chunks: Chunks<'a, usize>,
    /// The step that the next batch is, counted from 0.
    step: usize,
    /// Steps of the whole run.
    steps: usize,
}

impl<'a> Batches<'a> {
    /// All batches of an epoch (from 1), whose [order](crate::Dataset::epoch_order) this is.
    pub fn of_epoch(training: &'a TrainingConfig, epoch: usize, order: &'a [usize]) -> Self {
        let chunks = order.chunks(training.batch_size());
        let step = epoch.saturating_sub(1).saturating_mul(chunks.len());
        Self { training, order, rest: &[], chunks, step, steps: training.steps(order.len()) }
    }

    /// Some of them, by their position.
    pub(crate) fn part(&self, batches: Range<usize>) -> Self {
        let [start, end] = [batches.start, batches.end]
            .map(|batch| batch.saturating_mul(self.training.batch_size()).min(self.order.len()));
        let (order, rest) = (&self.order[start..end], &self.order[end..]);
        let chunks = order.chunks(self.training.batch_size());
        Self { order, rest, chunks, step: self.step + batches.start, ..self.clone() }
    }

    /// The images of the batch after the last of these, if it is of the same epoch: to be asked for in advance.
    pub fn following(&self) -> &'a [usize] {
        &self.rest[..self.rest.len().min(self.training.batch_size())]
    }
}

impl<'a> Iterator for Batches<'a> {
    type Item = (&'a [usize], f64);

    fn next(&mut self) -> Option<Self::Item> {
        let indices = self.chunks.next()?;
        let learning_rate = self.training.learning_rate_at(self.step, self.steps);
        self.step += 1;
        Some((indices, learning_rate))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.chunks.size_hint()
    }
}

impl ExactSizeIterator for Batches<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_some_batches_is_the_next_one_of_the_epoch() {
        let training = TrainingConfig::builder().batch_size(4).epochs(1).build().unwrap();
        let order: Vec<usize> = (0..10).collect();
        let all = Batches::of_epoch(&training, 1, &order);
        let following = |batches| all.part(batches).following().to_vec();
        assert_eq!(following(0..1), [4, 5, 6, 7]);
        assert_eq!(following(0..2), [8, 9]);
        assert!(following(2..3).is_empty() && all.following().is_empty());
    }
}
