//! Threads that wait for the next piece of work in a loop: handing some to them takes less than a microsecond, where
//! waking a thread up takes as long as a layer.

use std::cell::UnsafeCell;
use std::fmt;
use std::hint::spin_loop;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, TryLockError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::crew::Crew;

/// Turns in which a worker looks for work before it sleeps: a hundred microseconds or two, longer than a step of training
/// ever does something alone.
const TURNS: usize = 5_000;

/// Turns in which the caller looks whether the others are done before it lets some other thread run.
const PATIENCE: usize = 2_000;

/// Who is waited for longer than this, beyond twice as long as the caller's own part took, has lost its processor to
/// another program, for some milliseconds.
const LATE: Duration = Duration::from_millis(1);

/// Some threads, one of which is the caller.
pub(crate) struct Pool {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    /// Held by who has work for them.
    crew: Mutex<Crew>,
}

/// A part of the work: which one, and of how many.
type Work<'a> = dyn Fn(usize, usize) + Sync + 'a;

struct Shared {
    /// What is done in this round.
    work: UnsafeCell<*const Work<'static>>,
    /// The number of this round and how many threads take part, in one word: see [`next_round`].
    round: AtomicU64,
    /// Workers that have not done their part of this round.
    busy: Apart<AtomicUsize>,
    /// Which workers sleep, or are about to.
    asleep: Vec<AtomicBool>,
    panicked: AtomicBool,
    ended: AtomicBool,
}

/// In cache lines of its own: who writes it does not take the rest away from others.
#[repr(align(128))]
struct Apart<T>(T);

/// The round after this one, with so many threads.
fn next_round(round: u64, threads: usize) -> u64 {
    (round >> 16).wrapping_add(1) << 16 | threads as u64
}

/// How many threads take part in a round.
fn threads_of(round: u64) -> usize {
    usize::from(round as u16)
}

// SAFETY: `work` is written by the caller of `Pool::run` alone, which holds `crew`, and only while no worker is busy; a
// worker reads it only after it has seen a `round` (acquire) that it takes part in, which the caller has started after the
// write (release), and before it says that it is not busy any more. What it points to is `Sync`, and outlives the round,
// since `run` waits for those who take part.
unsafe impl Send for Shared {}
// SAFETY: likewise.
unsafe impl Sync for Shared {}

impl Pool {
    /// So many threads, the caller included; at least one.
    pub(crate) fn new(threads: usize) -> Self {
        let threads = threads.clamp(1, usize::from(u16::MAX));
        let shared = Arc::new(Shared {
            work: UnsafeCell::new(&|_, _| ()),
            round: AtomicU64::new(0),
            busy: Apart(AtomicUsize::new(0)),
            asleep: (1..threads).map(|_| AtomicBool::new(false)).collect(),
            panicked: AtomicBool::new(false),
            ended: AtomicBool::new(false),
        });
        let start = |number| {
            let shared = Arc::clone(&shared);
            // Without it, the others do its part: the pool has as many as could be started.
            thread::Builder::new().name("mlp-parity".to_owned()).spawn(move || shared.serve(number)).ok()
        };
        let workers: Vec<_> = (1..threads).map_while(start).collect();
        let crew = Mutex::new(Crew::new(1 + workers.len()));
        Self { shared, workers, crew }
    }

    /// How many threads there are.
    pub(crate) fn threads(&self) -> usize {
        1 + self.workers.len()
    }

    /// Calls `body` with each index and its two elements. Threads take neighbours, as many as come to each; who was late
    /// lately takes none.
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
        if self.threads().min(count) <= 1 {
            left.iter_mut().zip(right).enumerate().for_each(|(index, (left, right))| body(index, left, right));
            return;
        }
        let elements = Elements(left.as_mut_ptr(), right.as_mut_ptr());
        self.run(count, &|part, parts| {
            for index in count * part / parts..count * (part + 1) / parts {
                let (left, right) = elements.at(index);
                // SAFETY: the index is below `count`; the ranges of the parts do not overlap, and `run` calls each part
                // once. The slices are borrowed until `run` has returned, when no part is running any more.
                let (left, right) = unsafe { (&mut *left, &mut *right) };
                body(index, left, right);
            }
        });
    }

    /// Calls `work` once with each part, at most `count` of them and one for each thread, the caller doing the first.
    fn run(&self, count: usize, work: &Work<'_>) {
        let mut crew = match self.crew.try_lock() {
            Ok(crew) => crew,
            Err(TryLockError::Poisoned(error)) => error.into_inner(),
            // Another thread has work for them, or this is part of their work.
            Err(TryLockError::WouldBlock) => return work(0, 1),
        };
        let start = Instant::now();
        let parts = crew.at(start).min(count);
        if parts == 1 {
            return work(0, 1);
        }
        // SAFETY: only the lifetime changes; below, this waits until no worker uses the reference any more.
        let work_for_others = unsafe { std::mem::transmute::<*const Work<'_>, *const Work<'static>>(work) };
        // SAFETY: `crew` is held, and no worker is busy, since the last round was waited for.
        unsafe { *self.shared.work.get() = work_for_others };
        self.shared.busy.0.store(parts - 1, Ordering::Relaxed);
        self.start_round(parts);
        let own = catch_unwind(AssertUnwindSafe(|| work(0, parts)));
        if self.wait(start) > LATE {
            crew.was_late(Instant::now());
        }
        drop(crew);
        let panicked = self.shared.panicked.swap(false, Ordering::Relaxed);
        match own {
            Err(panic) => resume_unwind(panic),
            Ok(()) => assert!(!panicked, "a thread of the pool panicked: see above"),
        }
    }

    /// So many threads begin the next round, the caller among them.
    fn start_round(&self, threads: usize) {
        let round = next_round(self.shared.round.load(Ordering::Relaxed), threads);
        // Sequentially consistent, as is what a worker does before it sleeps: one of the two sees the other.
        self.shared.round.store(round, Ordering::SeqCst);
        for (worker, asleep) in self.workers.iter().zip(&self.shared.asleep).take(threads - 1) {
            if asleep.load(Ordering::SeqCst) {
                worker.thread().unpark();
            }
        }
    }

    /// Waits for the others' parts of a round that started at `start`: for how long, beyond twice as long as the caller's own
    /// part took.
    fn wait(&self, start: Instant) -> Duration {
        let is_done = || self.shared.busy.0.load(Ordering::Acquire) == 0;
        for _ in 0..PATIENCE {
            if is_done() {
                return Duration::ZERO;
            }
            spin_loop();
        }
        let own = start.elapsed();
        while !is_done() {
            thread::yield_now();
        }
        start.elapsed().saturating_sub(3 * own)
    }
}

impl Shared {
    /// Does the parts with this number until the pool is dropped.
    fn serve(&self, number: usize) {
        let mut last = 0;
        loop {
            last = self.wait_for_round(number, last);
            if self.ended.load(Ordering::Acquire) {
                return;
            }
            // SAFETY: see `Sync`; this worker takes part, and is busy until it says otherwise.
            let work = unsafe { &**self.work.get() };
            if catch_unwind(AssertUnwindSafe(|| work(number, threads_of(last)))).is_err() {
                self.panicked.store(true, Ordering::Relaxed);
            }
            self.busy.0.fetch_sub(1, Ordering::Release);
        }
    }

    /// The next round in which the worker with this number takes part.
    fn wait_for_round(&self, number: usize, last: u64) -> u64 {
        let own = |round: &u64| *round != last && number < threads_of(*round);
        for _ in 0..TURNS {
            if let Some(round) = Some(self.round.load(Ordering::Acquire)).filter(own) {
                return round;
            }
            spin_loop();
        }
        let asleep = &self.asleep[number - 1];
        asleep.store(true, Ordering::SeqCst);
        let round = loop {
            if let Some(round) = Some(self.round.load(Ordering::SeqCst)).filter(own) {
                break round;
            }
            thread::park();
        };
        asleep.store(false, Ordering::SeqCst);
        round
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Release);
        self.start_round(self.threads());
        for worker in self.workers.drain(..) {
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
            while pool.shared.asleep.iter().any(|asleep| !asleep.load(Ordering::SeqCst)) {
                assert!(start.elapsed() < Duration::from_secs(60), "nobody keeps a processor busy for nothing");
                thread::sleep(Duration::from_millis(1));
            }
            let mut elements = [0; 6];
            pool.for_each(&mut elements, &mut [(); 6], |_, element, ()| *element += 1);
            assert_eq!(elements, [1; 6]);
        }
    }

    #[test]
    fn who_is_late_rests_for_a_while() {
        let pool = Pool::new(2);
        let caller = thread::current().id();
        let others = |body: &(dyn Fn() + Sync)| {
            let mut threads = [caller; 2];
            pool.for_each(&mut threads, &mut [(); 2], |_, thread, ()| {
                *thread = thread::current().id();
                if *thread != caller {
                    body();
                }
            });
            threads.iter().filter(|&&thread| thread != caller).count()
        };
        let active = || pool.crew.lock().unwrap().at(Instant::now() - Duration::from_secs(1));
        assert_eq!(others(&|| thread::sleep(Duration::from_secs(1))), 1);
        assert_eq!(active(), 1);
        thread::sleep(Duration::from_secs(1));
        assert_eq!(others(&|| ()), 1, "who has rested takes part");
        pool.crew.lock().unwrap().was_late(Instant::now() + Duration::from_secs(3600));
        assert_eq!(others(&|| ()), 0, "who rests does not");
    }

    #[test]
    fn who_has_a_little_more_to_do_is_not_late() {
        let pool = Pool::new(2);
        pool.for_each(&mut [500, 550], &mut [(); 2], |_, &mut milliseconds, ()| {
            thread::sleep(Duration::from_millis(milliseconds));
        });
        assert_eq!(pool.crew.lock().unwrap().at(Instant::now() - Duration::from_secs(1)), 2);
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
