//! Exponential back-off for stragglers: reduces the number of active threads while another program occupies a
//! processor.
//!
//! A *straggler* is a worker that finishes its part of a task long after the calling thread, because the operating
//! system has given its processor to another program. The caller of a [`Pool`](super::pool::Pool) waits for all workers
//! at the end of every round, so a straggler delays the round by milliseconds, although a round takes microseconds.
//! After such a round the pool therefore uses one thread fewer. It activates the thread again after a delay, which
//! doubles with each further straggler.

use std::time::{Duration, Instant};

/// Time for which a thread is inactive after an isolated straggler: about as long as the operating system gives the
/// processor to another program.
const MIN_DELAY: Duration = Duration::from_millis(5);

/// Longest time for which a thread is inactive. While another program occupies a processor permanently, each such
/// period ends with one slow round.
const MAX_DELAY: Duration = Duration::from_millis(640);

/// The number of active threads of a pool, and when to raise it again.
#[derive(Debug)]
pub(super) struct StragglerBackoff {
    /// Number of threads of the pool, the caller included.
    total: usize,
    /// Number of threads that take part in a round at present, 1 to `total`.
    active: usize,
    /// Time of the last change of `active`.
    changed: Instant,
    /// Time from the last change until one more thread is activated.
    delay: Duration,
}

impl StragglerBackoff {
    /// Starts with all `total` threads active.
    pub(super) fn new(total: usize) -> Self {
        Self { total, active: total, changed: Instant::now(), delay: MIN_DELAY }
    }

    /// Returns the number of threads for a round that starts at `now`. First activates one more thread, if any is
    /// inactive and the delay is over.
    pub(super) fn active_threads(&mut self, now: Instant) -> usize {
        if self.active < self.total && now.duration_since(self.changed) >= self.delay {
            (self.active, self.changed) = (self.active + 1, now);
        }
        self.active
    }

    /// Records that a worker was a straggler in the round that ended at `now`: deactivates one thread for a while.
    ///
    /// The thread is activated again after a delay. If the number of active threads last changed less than eight delays
    /// ago, the delay is twice the previous one, at most [`MAX_DELAY`]; otherwise it is [`MIN_DELAY`].
    pub(super) fn record_straggler(&mut self, now: Instant) {
        let is_recent = now.duration_since(self.changed) < 8 * self.delay;
        self.delay = if is_recent { (2 * self.delay).min(MAX_DELAY) } else { MIN_DELAY };
        // The caller always takes part.
        (self.active, self.changed) = ((self.active - 1).max(1), now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_deactivates_one_thread_after_straggler() {
        let mut backoff = StragglerBackoff::new(3);
        let start = Instant::now() + Duration::from_secs(1);
        assert_eq!(backoff.active_threads(start), 3);
        backoff.record_straggler(start);
        assert_eq!(backoff.active_threads(start), 2);
        assert_eq!(backoff.active_threads(start + MIN_DELAY - Duration::from_nanos(1)), 2);
        assert_eq!(backoff.active_threads(start + MIN_DELAY), 3);
        assert_eq!(backoff.active_threads(start + 10 * MIN_DELAY), 3, "more active threads than the pool has");
    }

    #[test]
    fn backoff_doubles_delay_after_repeated_stragglers() {
        let mut backoff = StragglerBackoff::new(2);
        let mut now = Instant::now() + Duration::from_secs(1);
        for delay in [1, 2, 4, 8, 16, 32, 64, 128, 128, 128].map(|times| times * MIN_DELAY) {
            backoff.record_straggler(now);
            assert_eq!(backoff.active_threads(now + delay - Duration::from_nanos(1)), 1);
            assert_eq!(backoff.active_threads(now + delay), 2);
            now += delay + 8 * delay - Duration::from_nanos(1);
        }
        backoff.record_straggler(now + 8 * MAX_DELAY);
        assert_eq!(
            backoff.active_threads(now + 8 * MAX_DELAY + MIN_DELAY),
            2,
            "the delay did not start again at its minimum"
        );
    }

    #[test]
    fn backoff_never_deactivates_caller() {
        let mut backoff = StragglerBackoff::new(2);
        let now = Instant::now();
        for _ in 0..5 {
            backoff.record_straggler(now);
            assert_eq!(backoff.active_threads(now), 1);
        }
    }
}
