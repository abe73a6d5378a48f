//! Threads that wait for the next piece of work in a loop: handing some to them takes less than a microsecond, where
//! waking a thread up takes as long as a layer.

use std::cell::UnsafeCell;
use std::fmt;
use std::hint::spin_loop;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, TryLockError};
use std::thread::{self, JoinHandle};

/// Turns in which a worker looks for work before it sleeps: a hundred microseconds or two, longer than a step of training
/// ever does something alone.
const TURNS: usize = 5_000;

/// Turns in which the caller looks whether the others are done before it lets some other thread run.
const PATIENCE: usize = 2_000;

/// Some threads, one of which is the caller.
pub(crate) struct Pool {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    /// Held by who has work for them.
    in_use: Mutex<()>,
}

type Work<'a> = dyn Fn(usize) + Sync + 'a;

struct Shared {
    /// What the workers do in this round, each with its number.
    work: UnsafeCell<*const Work<'static>>,
    /// Counts the rounds.
    round: AtomicUsize,
    /// Workers that have not done their part of this round.
    busy: Apart<AtomicUsize>,
    /// Workers that sleep, or are about to.
    asleep: AtomicUsize,
    panicked: AtomicBool,
    ended: AtomicBool,
}

/// In cache lines of its own: who writes it does not take the rest away from others.
#[repr(align(128))]
struct Apart<T>(T);

// SAFETY: `work` is written by the caller of `Pool::run` alone, which holds `in_use`, and only while no worker is busy; a
// worker reads it only after it has seen `round` change (acquire), which the caller does after the write (release), and
// before it says that it is not busy any more. What it points to is `Sync`, and outlives the round, since `run` waits.
unsafe impl Send for Shared {}
// SAFETY: likewise.
unsafe impl Sync for Shared {}

impl Pool {
    /// So many threads, the caller included; at least one.
    pub(crate) fn new(threads: usize) -> Self {
        let shared = Arc::new(Shared {
            work: UnsafeCell::new(&|_| ()),
            round: AtomicUsize::new(0),
            busy: Apart(AtomicUsize::new(0)),
            asleep: AtomicUsize::new(0),
            panicked: AtomicBool::new(false),
            ended: AtomicBool::new(false),
        });
        let start = |number| {
            let shared = Arc::clone(&shared);
            // Without it, the others do its part: the pool has as many as could be started.
            thread::Builder::new().name("mlp-parity".to_owned()).spawn(move || shared.serve(number)).ok()
        };
        let workers = (1..threads).map_while(start).collect();
        Self { shared, workers, in_use: Mutex::new(()) }
    }

    /// How many threads there are.
    pub(crate) fn threads(&self) -> usize {
        1 + self.workers.len()
    }

    /// Calls `body` with each index and its two elements. Which thread does which depends on their number alone.
    pub(crate) fn for_each<A: Send, B: Send>(
        &self,
        left: &mut [A],
        right: &mut [B],
        body: impl Fn(usize, &mut A, &mut B) + Sync,
    ) {
        /// Elements of which each thread takes its own.
        struct Elements<A, B>(*mut A, *mut B);
        // SAFETY: no two threads take the same element, and the elements may be sent to another thread.
        unsafe impl<A: Send, B: Send> Sync for Elements<A, B> {}
        impl<A, B> Elements<A, B> {
            fn at(&self, index: usize) -> (*mut A, *mut B) {
                (self.0.wrapping_add(index), self.1.wrapping_add(index))
            }
        }

        let count = left.len().min(right.len());
        let parts = self.threads().min(count);
        if parts <= 1 {
            left.iter_mut().zip(right).enumerate().for_each(|(index, (left, right))| body(index, left, right));
            return;
        }
        let elements = Elements(left.as_mut_ptr(), right.as_mut_ptr());
        self.run(&|part| {
            for index in count * part.min(parts) / parts..count * (part + 1).min(parts) / parts {
                let (left, right) = elements.at(index);
                // SAFETY: the index is below `count`; the ranges of the parts do not overlap, and `run` calls each part
                // once. The slices are borrowed until `run` has returned, when no part is running any more.
                let (left, right) = unsafe { (&mut *left, &mut *right) };
                body(index, left, right);
            }
        });
    }

    /// Calls `work` once with each number below [`threads`](Self::threads), the caller doing the first.
    fn run(&self, work: &Work<'_>) {
        let guard = match self.in_use.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(error)) => error.into_inner(),
            // Another thread has work for them, or this is part of their work.
            Err(TryLockError::WouldBlock) => return (0..self.threads()).for_each(work),
        };
        // SAFETY: only the lifetime changes; below, this waits until no worker uses the reference any more.
        let work_for_others = unsafe { std::mem::transmute::<*const Work<'_>, *const Work<'static>>(work) };
        // SAFETY: `in_use` is held, and no worker is busy, since the last round was waited for.
        unsafe { *self.shared.work.get() = work_for_others };
        self.shared.busy.0.store(self.workers.len(), Ordering::Relaxed);
        // Sequentially consistent, as is what a worker does before it sleeps: one of the two sees the other.
        self.shared.round.fetch_add(1, Ordering::SeqCst);
        if self.shared.asleep.load(Ordering::SeqCst) > 0 {
            self.workers.iter().for_each(|worker| worker.thread().unpark());
        }
        let own = catch_unwind(AssertUnwindSafe(|| work(0)));
        let mut turns = 0;
        while self.shared.busy.0.load(Ordering::Acquire) > 0 {
            turns += 1;
            if turns < PATIENCE { spin_loop() } else { thread::yield_now() }
        }
        drop(guard);
        let panicked = self.shared.panicked.swap(false, Ordering::Relaxed);
        match own {
            Err(panic) => resume_unwind(panic),
            Ok(()) => assert!(!panicked, "a thread of the pool panicked: see above"),
        }
    }
}

impl Shared {
    /// Does the parts with this number until the pool is dropped.
    fn serve(&self, number: usize) {
        let mut last = 0;
        loop {
            last = self.wait_for_round(last);
            if self.ended.load(Ordering::Acquire) {
                return;
            }
            // SAFETY: see `Sync`; this worker is busy until it says otherwise.
            let work = unsafe { &**self.work.get() };
            if catch_unwind(AssertUnwindSafe(|| work(number))).is_err() {
                self.panicked.store(true, Ordering::Relaxed);
            }
            self.busy.0.fetch_sub(1, Ordering::Release);
        }
    }

    /// The number of the next round.
    fn wait_for_round(&self, last: usize) -> usize {
        for _ in 0..TURNS {
            let round = self.round.load(Ordering::Acquire);
            if round != last {
                return round;
            }
            spin_loop();
        }
        self.asleep.fetch_add(1, Ordering::SeqCst);
        let round = loop {
            let round = self.round.load(Ordering::SeqCst);
            if round != last {
                break round;
            }
            thread::park();
        };
        self.asleep.fetch_sub(1, Ordering::SeqCst);
        round
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Release);
        self.shared.round.fetch_add(1, Ordering::SeqCst);
        for worker in self.workers.drain(..) {
            worker.thread().unpark();
            // Panics of the work were caught.
            let _ = worker.join();
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Pool").field("threads", &self.threads()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn every_element_is_taken_once_whatever_the_number_of_threads() {
        for threads in [1, 2, 3, 8] {
            let pool = Pool::new(threads);
            assert_eq!(pool.threads(), threads);
            assert_eq!(format!("{pool:?}"), format!("Pool {{ threads: {threads}, .. }}"));
            for count in [0, 1, 2, 7, 100] {
                let (mut left, mut right) = (vec![0; count], vec![0; count]);
                for round in 0..50 {
                    pool.for_each(&mut left, &mut right, |index, left, right| {
                        *left += index + 1;
                        *right += round;
                    });
                }
                assert_eq!(left, (1..=count).map(|index| 50 * index).collect::<Vec<_>>());
                assert!(right.iter().all(|&sum| sum == 49 * 25));
            }
        }
    }

    #[test]
    fn who_sleeps_is_woken() {
        let pool = Pool::new(3);
        for _ in 0..3 {
            let start = Instant::now();
            while pool.shared.asleep.load(Ordering::SeqCst) < 2 {
                assert!(start.elapsed() < Duration::from_secs(60), "nobody keeps a processor busy for nothing");
                thread::sleep(Duration::from_millis(1));
            }
            let mut elements = [0; 6];
            pool.for_each(&mut elements, &mut [(); 6], |_, element, ()| *element += 1);
            assert_eq!(elements, [1; 6]);
        }
    }

    #[test]
    fn a_pool_in_use_does_not_make_others_wait() {
        let pool = Pool::new(2);
        let mut outer = [0; 4];
        pool.for_each(&mut outer, &mut [(); 4], |_, sum, ()| {
            let mut inner = [0; 3];
            pool.for_each(&mut inner, &mut [(); 3], |index, element, ()| *element = index);
            *sum = inner.iter().sum();
        });
        assert_eq!(outer, [3; 4]);
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_pool_goes_on() {
        let pool = Pool::new(2);
        for bad in [0, 1] {
            let result = catch_unwind(AssertUnwindSafe(|| {
                pool.for_each(&mut [0; 2], &mut [(); 2], |index, _, ()| assert_ne!(index, bad, "as it should"));
            }));
            assert!(result.is_err());
        }
        let mut elements = [0; 2];
        pool.for_each(&mut elements, &mut [(); 2], |_, element, ()| *element += 1);
        assert_eq!(elements, [1; 2]);
    }
}
