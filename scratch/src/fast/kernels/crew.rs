//! How many threads of a pool take part: a thread whose processor another program has taken is not waited for again and
//! again.

use std::time::{Duration, Instant};

/// How long a thread rests that was late for the first time: about as long as its processor is taken away.
const SHORT: Duration = Duration::from_millis(5);

/// The longest rest, after which a program that still keeps the processor busy costs one more late round.
const LONG: Duration = Duration::from_millis(640);

/// The threads of a pool that take part.
#[derive(Debug)]
pub(super) struct Crew {
    all: usize,
    active: usize,
    /// When that changed.
    since: Instant,
    /// How long it stays so before one more takes part again.
    rest: Duration,
}

impl Crew {
    /// All of them.
    pub(super) fn new(all: usize) -> Self {
        Self { all, active: all, since: Instant::now(), rest: SHORT }
    }

    /// How many take part in a round that starts now.
    pub(super) fn at(&mut self, now: Instant) -> usize {
        if self.active < self.all && now.duration_since(self.since) >= self.rest {
            (self.active, self.since) = (self.active + 1, now);
        }
        self.active
    }

    /// One of them was late, in the round that ends now: it rests, and for twice as long as the last time if that was not
    /// long ago.
    pub(super) fn was_late(&mut self, now: Instant) {
        let again = now.duration_since(self.since) < 8 * self.rest;
        self.rest = if again { (2 * self.rest).min(LONG) } else { SHORT };
        (self.active, self.since) = ((self.active - 1).max(1), now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_late_rests_and_comes_back() {
        let mut crew = Crew::new(3);
        let start = Instant::now() + Duration::from_secs(1);
        assert_eq!(crew.at(start), 3);
        crew.was_late(start);
        assert_eq!(crew.at(start), 2);
        assert_eq!(crew.at(start + SHORT - Duration::from_nanos(1)), 2);
        assert_eq!(crew.at(start + SHORT), 3);
        assert_eq!(crew.at(start + 10 * SHORT), 3, "no more than there are");
    }

    #[test]
    fn who_is_late_at_once_rests_twice_as_long() {
        let mut crew = Crew::new(2);
        let mut now = Instant::now() + Duration::from_secs(1);
        for rest in [1, 2, 4, 8, 16, 32, 64, 128, 128, 128].map(|times| times * SHORT) {
            crew.was_late(now);
            assert_eq!(crew.at(now + rest - Duration::from_nanos(1)), 1);
            assert_eq!(crew.at(now + rest), 2);
            now += rest + 8 * rest - Duration::from_nanos(1);
        }
        crew.was_late(now + 8 * LONG);
        assert_eq!(crew.at(now + 8 * LONG + SHORT), 2, "things went well for long");
    }

    #[test]
    fn one_thread_always_works() {
        let mut crew = Crew::new(2);
        let now = Instant::now();
        for _ in 0..5 {
            crew.was_late(now);
            assert_eq!(crew.at(now), 1);
        }
    }
}
