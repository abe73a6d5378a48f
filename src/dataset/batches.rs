//! The batches of an epoch: the images of each batch, and its learning rate.

use std::ops::Range;
use std::slice::Chunks;

use crate::TrainingConfig;

/// Iterator over consecutive batches of an epoch. Each item is the indices of the batch's images in the data set, and
/// the batch's learning rate.
#[derive(Clone, Debug)]
pub struct Batches<'a> {
    training: &'a TrainingConfig,
    /// Indices of the images in these batches, in the order of training.
    order: &'a [usize],
    /// Indices of the images that the epoch visits after those in `order`.
    rest: &'a [usize],
    /// The batches of `order` that the iterator has not returned yet.
    chunks: Chunks<'a, usize>,
    /// Index of the next batch within the whole training run, from 0; the learning-rate schedule needs it.
    step: usize,
    /// Number of steps of the whole training run.
    steps: usize,
}

impl<'a> Batches<'a> {
    /// Returns all batches of epoch number `epoch` (counted from 1), which visits the images in the given
    /// [order](crate::Dataset::epoch_order). Every batch has the configured batch size, except that the last may be
    /// smaller.
    pub fn of_epoch(training: &'a TrainingConfig, epoch: usize, order: &'a [usize]) -> Self {
        let chunks = order.chunks(training.batch_size());
        let step = epoch.saturating_sub(1).saturating_mul(chunks.len());
        Self { training, order, rest: &[], chunks, step, steps: training.steps(order.len()) }
    }

    /// Returns the batches at the positions `batches` of this iterator, where 0 is its first batch.
    pub(crate) fn part(&self, batches: Range<usize>) -> Self {
        let [start, end] = [batches.start, batches.end]
            .map(|batch| batch.saturating_mul(self.training.batch_size()).min(self.order.len()));
        let (order, rest) = (&self.order[start..end], &self.order[end..]);
        let chunks = order.chunks(self.training.batch_size());
        Self { order, rest, chunks, step: self.step + batches.start, ..self.clone() }
    }

    /// Returns the indices of the images in the batch that follows the last batch of this iterator, so that an
    /// implementation can prefetch them. Empty at the end of the epoch.
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
    fn batches_following_returns_next_batch_of_epoch() {
        let training = TrainingConfig::builder().batch_size(4).epochs(1).build().unwrap();
        let order: Vec<usize> = (0..10).collect();
        let all = Batches::of_epoch(&training, 1, &order);
        let following = |batches| all.part(batches).following().to_vec();
        assert_eq!(following(0..1), [4, 5, 6, 7]);
        assert_eq!(following(0..2), [8, 9]);
        assert!(following(2..3).is_empty() && all.following().is_empty());
    }
}
