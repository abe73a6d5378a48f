//! A thread pool for tasks of a few microseconds, such as one layer of a batch.
//!
//! Waking a sleeping thread through the operating system takes about as long as computing a layer. Here the workers
//! wait for the next task in a loop instead, so that starting a task takes less than a microsecond. A worker that finds
//! no task for a while parks, and the next task wakes it up.
//!
//! # Rounds
//!
//! A *round* runs one task. The calling thread publishes the task, does part 0 itself, and waits until every worker
//! that takes part has finished its part. Only one thread at a time can run a round: if the pool is in use, including
//! by the task itself, another caller runs its whole task alone. If a worker is a straggler, later rounds use fewer
//! threads for a while (see [`StragglerBackoff`]).
//!
//! The number of threads decides which thread computes an element, never how a sum is split, so results do not depend
//! on it.

use std::cell::UnsafeCell;
use std::fmt;
use std::hint::spin_loop;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, TryLockError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::backoff::StragglerBackoff;

/// Number of times that a worker looks for a new round before it parks. This takes 100 to 200 µs, longer than any part
/// of a training step that runs on the caller alone, so workers do not park during training.
const WORKER_SPINS: usize = 5_000;

/// Number of times that the caller looks whether the workers have finished before it starts to yield its processor.
const CALLER_SPINS: usize = 2_000;

/// A worker is a straggler if the caller, having finished its own part, waits longer than twice the time that this part
/// took plus this threshold. All parts have similar size, so the worker has probably lost its processor.
const STRAGGLER_THRESHOLD: Duration = Duration::from_millis(1);

/// A fixed number of threads: the workers, and the thread that calls [`for_each`](Self::for_each).
pub(crate) struct Pool {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    /// Locked for the duration of a round, so that only one thread at a time runs one.
    backoff: Mutex<StragglerBackoff>,
}

/// A task that is split into parts. Its arguments are the index of the part to compute and the number of parts.
type Task<'a> = dyn Fn(usize, usize) + Sync + 'a;

/// The state that the caller and the workers share.
struct Shared {
    /// The task of the current round.
    task: UnsafeCell<*const Task<'static>>,
    /// Number of the current round and number of its threads, packed in one word: see [`next_round`].
    round: AtomicU64,
    /// Number of workers that have not finished their part of the current round.
    busy: CachePadded<AtomicUsize>,
    /// For each worker, true if it is parked or about to park.
    parked: Vec<AtomicBool>,
    /// True if a worker's part of the current round has panicked.
    panicked: AtomicBool,
    /// True once the pool is being dropped.
    ended: AtomicBool,
}

/// A value in cache lines of its own. Every worker writes `busy` at the end of a round; without the padding these
/// writes would also evict `round`, on which the others spin. 128 bytes are a pair of cache lines, as x86-64 processors
/// prefetch them.
#[repr(align(128))]
struct CachePadded<T>(T);

/// Returns the `round` word of [`Shared`] for the round after `round`, with `threads` threads. The upper 48 bits count
/// rounds, the lower 16 bits hold the number of threads, so that a worker reads a consistent pair with one load.
fn next_round(round: u64, threads: usize) -> u64 {
    (round >> 16).wrapping_add(1) << 16 | threads as u64
}

/// Returns the number of threads, the caller included, that a `round` word of [`next_round`] holds in its lower bits.
fn threads_of(round: u64) -> usize {
    usize::from(round as u16)
}

// SAFETY: `task` is the only field that is not `Send` and `Sync` by itself.
// - Only the thread that runs `Pool::run` writes it. That thread holds the lock of `backoff`, and no worker is busy, so
//   no worker reads it at the same time.
// - A worker reads it only in a round that it takes part in, after it has read the `round` word with acquire ordering.
//   The caller stores that word with release ordering (or stronger) after it has written `task`, so the write happens
//   before the read. The worker then uses the task only until it decrements `busy`.
// - The task is `Sync`, so several threads may call it, and it outlives the round: `run` waits until `busy` is zero.
unsafe impl Send for Shared {}
// SAFETY: as for `Send`.
unsafe impl Sync for Shared {}

impl Pool {
    /// Creates a pool of `threads` threads, the caller included, and starts its `threads - 1` workers. `threads` is
    /// limited to the range 1 to 65,535. If the operating system cannot start all of them, the pool has fewer.
    pub(crate) fn new(threads: usize) -> Self {
        let threads = threads.clamp(1, usize::from(u16::MAX));
        let shared = Arc::new(Shared {
            task: UnsafeCell::new(&|_, _| ()),
            round: AtomicU64::new(0),
            busy: CachePadded(AtomicUsize::new(0)),
            parked: (1..threads).map(|_| AtomicBool::new(false)).collect(),
            panicked: AtomicBool::new(false),
            ended: AtomicBool::new(false),
        });
        let start = |number| {
            let shared = Arc::clone(&shared);
            thread::Builder::new().name("mlp-parity".to_owned()).spawn(move || shared.serve(number)).ok()
        };
        // `map_while` stops at the first thread that cannot be started, so the workers are numbered without gaps.
        let workers: Vec<_> = (1..threads).map_while(start).collect();
        let backoff = Mutex::new(StragglerBackoff::new(1 + workers.len()));
        Self { shared, workers, backoff }
    }

    /// Returns the number of threads, the caller included.
    pub(crate) fn threads(&self) -> usize {
        1 + self.workers.len()
    }

    /// Calls `body(i, &mut first[i], &mut second[i])` once for each index i of both slices, in parallel. Each thread
    /// gets a contiguous range of indices; the lengths of the ranges differ by at most one.
    pub(crate) fn for_each<A: Send, B: Send>(
        &self,
        first: &mut [A],
        second: &mut [B],
        body: impl Fn(usize, &mut A, &mut B) + Sync,
    ) {
        /// Pointers to the first element of each slice.
        struct ElementPointers<A, B>(*mut A, *mut B);
        // SAFETY: no two threads access the same element (see below), and since `A` and `B` are `Send`, an element may
        // be accessed by another thread than the caller.
        unsafe impl<A: Send, B: Send> Sync for ElementPointers<A, B> {}
        impl<A, B> ElementPointers<A, B> {
            // A closure that calls this method captures the whole struct, which is `Sync`. If it used the fields, it
            // would capture the pointers themselves, which are not.
            fn at(&self, index: usize) -> (*mut A, *mut B) {
                (self.0.wrapping_add(index), self.1.wrapping_add(index))
            }
        }

        let count = first.len().min(second.len());
        if self.threads().min(count) <= 1 {
            first.iter_mut().zip(second).enumerate().for_each(|(index, (first, second))| body(index, first, second));
            return;
        }
        let elements = ElementPointers(first.as_mut_ptr(), second.as_mut_ptr());
        self.run(count, &|part, parts| {
            for index in count * part / parts..count * (part + 1) / parts {
                let (first, second) = elements.at(index);
                // SAFETY: `index < count`, so both pointers are in bounds. The ranges of different parts do not
                // overlap, and `run` calls each part once, so no other reference to these elements exists. Both slices
                // stay mutably borrowed until `run` returns, at which time no part is running any more.
                let (first, second) = unsafe { (&mut *first, &mut *second) };
                body(index, first, second);
            }
        });
    }

    /// Runs one round: calls `task` once for each part, in parallel, and returns when all parts are finished. The
    /// number of parts is the number of active threads, at most `max_parts`. Part 0 runs on the calling thread.
    ///
    /// # Panics
    ///
    /// If the task panics on any thread.
    fn run(&self, max_parts: usize, task: &Task<'_>) {
        let mut backoff = match self.backoff.try_lock() {
            Ok(backoff) => backoff,
            // A task panicked while its caller held the lock. The state is consistent: no method panics halfway.
            Err(TryLockError::Poisoned(error)) => error.into_inner(),
            // The workers are in use, perhaps by a task that contains this call: waiting could then deadlock.
            Err(TryLockError::WouldBlock) => return task(0, 1),
        };
        let start = Instant::now();
        let parts = backoff.active_threads(start).min(max_parts);
        if parts == 1 {
            return task(0, 1);
        }
        // SAFETY: both types are wide pointers to the same trait object type; only its lifetime bound is extended. The
        // workers do not use the pointer after `wait` below has returned, and until then `task` is borrowed.
        let task_for_workers = unsafe { std::mem::transmute::<*const Task<'_>, *const Task<'static>>(task) };
        // SAFETY: this thread holds the lock of `backoff`, and `busy` is zero since the last round was waited for, so
        // no other thread accesses `task`.
        unsafe { *self.shared.task.get() = task_for_workers };
        // Relaxed: `start_round` publishes this store together with that of the task.
        self.shared.busy.0.store(parts - 1, Ordering::Relaxed);
        self.start_round(parts);
        // If the caller's part panics, the workers still use what `task` borrows: wait for them before unwinding.
        let own_result = catch_unwind(AssertUnwindSafe(|| task(0, parts)));
        if self.wait(start) > STRAGGLER_THRESHOLD {
            backoff.record_straggler(Instant::now());
        }
        drop(backoff);
        // Relaxed: `wait` has read `busy` with acquire ordering, and workers set the flag before they decrement `busy`.
        let panicked = self.shared.panicked.swap(false, Ordering::Relaxed);
        match own_result {
            Err(panic) => resume_unwind(panic),
            Ok(()) => assert!(!panicked, "a worker of the thread pool panicked; its own message is printed above"),
        }
    }

    /// Starts the next round on `threads` threads, the caller included, and wakes up the parked workers among them.
    fn start_round(&self, threads: usize) {
        let round = next_round(self.shared.round.load(Ordering::Relaxed), threads);
        // This store and the load of `parked` below, and the store of `parked` and the load of `round` in
        // `wait_for_round`, are sequentially consistent: either this thread sees that the worker parks, or the worker
        // sees the new round. With acquire and release alone both could miss the other's store, and the worker would
        // sleep through the round.
        self.shared.round.store(round, Ordering::SeqCst);
        for (worker, parked) in self.workers.iter().zip(&self.shared.parked).take(threads - 1) {
            if parked.load(Ordering::SeqCst) {
                worker.thread().unpark();
            }
        }
    }

    /// Waits until all workers have finished the round that started at `start`, after the caller has finished its own
    /// part. Returns the waiting time beyond twice the duration of the caller's part, or zero if the wait was short.
    fn wait(&self, start: Instant) -> Duration {
        // Acquire: everything that the workers wrote before they decremented `busy` is visible after this.
        let is_done = || self.shared.busy.0.load(Ordering::Acquire) == 0;
        for _ in 0..CALLER_SPINS {
            if is_done() {
                return Duration::ZERO;
            }
            spin_loop();
        }
        // If threads outnumber processors, spinning any longer could keep a worker from running.
        let own = start.elapsed();
        while !is_done() {
            thread::yield_now();
        }
        // total − 3·own = (total − own) − 2·own, where total − own is the waiting time.
        start.elapsed().saturating_sub(3 * own)
    }
}

impl Shared {
    /// Main loop of a worker: computes part `number` (from 1) of each round that has such a part, until the pool ends.
    fn serve(&self, number: usize) {
        let mut last_round = 0;
        loop {
            last_round = self.wait_for_round(number, last_round);
            if self.ended.load(Ordering::Acquire) {
                return;
            }
            // SAFETY: this worker takes part in the round, has read its word with acquire ordering, and has not
            // decremented `busy` yet, so the task has been written, does not change and is alive: see `Send` above.
            let task = unsafe { &**self.task.get() };
            // The worker must survive a panic: the caller waits until `busy` is zero, and panics in its place.
            if catch_unwind(AssertUnwindSafe(|| task(number, threads_of(last_round)))).is_err() {
                self.panicked.store(true, Ordering::Relaxed);
            }
            // Release: makes the results and `panicked` visible to the caller, which reads `busy` with acquire.
            self.busy.0.fetch_sub(1, Ordering::Release);
        }
    }

    /// Waits for the next round after `last_round` in which the worker with this number takes part, and returns the
    /// round's word (see [`next_round`]). Spins at first, then parks.
    fn wait_for_round(&self, number: usize, last_round: u64) -> u64 {
        let takes_part = |round: &u64| *round != last_round && number < threads_of(*round);
        for _ in 0..WORKER_SPINS {
            // Acquire: the task of this round, written before its word, is visible.
            if let Some(round) = Some(self.round.load(Ordering::Acquire)).filter(takes_part) {
                return round;
            }
            spin_loop();
        }
        let parked = &self.parked[number - 1];
        // Announce first, then look once more: see `start_round`.
        parked.store(true, Ordering::SeqCst);
        let round = loop {
            if let Some(round) = Some(self.round.load(Ordering::SeqCst)).filter(takes_part) {
                break round;
            }
            // May also return for no reason, or because of an earlier `unpark`; therefore the loop.
            thread::park();
        };
        parked.store(false, Ordering::SeqCst);
        round
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Release);
        // A last round for all workers, in which each sees `ended` and returns.
        self.start_round(self.threads());
        for worker in self.workers.drain(..) {
            // Always `Ok`: `serve` catches the panics of tasks.
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
    use super::*;

    #[test]
    fn pool_for_each_visits_every_element_once() {
        for threads in [1, 2, 3, 8] {
            let pool = Pool::new(threads);
            assert_eq!(pool.threads(), threads);
            assert_eq!(format!("{pool:?}"), format!("Pool {{ threads: {threads}, .. }}"));
            for count in [0, 1, 2, 7, 100] {
                let (mut first, mut second) = (vec![0; count], vec![0; count]);
                for round in 0..50 {
                    pool.for_each(&mut first, &mut second, |index, first, second| {
                        *first += index + 1;
                        *second += round;
                    });
                }
                assert_eq!(first, (1..=count).map(|index| 50 * index).collect::<Vec<_>>());
                assert!(second.iter().all(|&sum| sum == 49 * 25));
            }
        }
    }

    #[test]
    fn parked_worker_wakes_up() {
        let pool = Pool::new(3);
        for _ in 0..3 {
            let start = Instant::now();
            while pool.shared.parked.iter().any(|parked| !parked.load(Ordering::SeqCst)) {
                assert!(start.elapsed() < Duration::from_secs(60), "idle workers did not park within a minute");
                thread::sleep(Duration::from_millis(1));
            }
            let mut elements = [0; 6];
            pool.for_each(&mut elements, &mut [(); 6], |_, element, ()| *element += 1);
            assert_eq!(elements, [1; 6]);
        }
    }

    #[test]
    fn pool_excludes_straggler_until_delay_ends() {
        let pool = Pool::new(2);
        let caller = thread::current().id();
        let parts_on_worker = |body: &(dyn Fn() + Sync)| {
            let mut threads = [caller; 2];
            pool.for_each(&mut threads, &mut [(); 2], |_, thread, ()| {
                *thread = thread::current().id();
                if *thread != caller {
                    body();
                }
            });
            threads.iter().filter(|&&thread| thread != caller).count()
        };
        let active = || pool.backoff.lock().unwrap().active_threads(Instant::now() - Duration::from_secs(1));
        assert_eq!(parts_on_worker(&|| thread::sleep(Duration::from_secs(1))), 1);
        assert_eq!(active(), 1);
        thread::sleep(Duration::from_secs(1));
        assert_eq!(parts_on_worker(&|| ()), 1, "the worker is still excluded after its delay");
        pool.backoff.lock().unwrap().record_straggler(Instant::now() + Duration::from_secs(3600));
        assert_eq!(parts_on_worker(&|| ()), 0, "the straggler was not excluded");
    }

    #[test]
    fn slightly_slower_worker_is_not_straggler() {
        let pool = Pool::new(2);
        pool.for_each(&mut [500, 550], &mut [(); 2], |_, &mut milliseconds, ()| {
            thread::sleep(Duration::from_millis(milliseconds));
        });
        assert_eq!(pool.backoff.lock().unwrap().active_threads(Instant::now() - Duration::from_secs(1)), 2);
    }

    #[test]
    fn nested_pool_task_runs_on_calling_thread() {
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
    fn pool_propagates_panic_and_stays_usable() {
        let pool = Pool::new(2);
        for bad in [0, 1] {
            let result = catch_unwind(AssertUnwindSafe(|| {
                pool.for_each(&mut [0; 2], &mut [(); 2], |index, _, ()| assert_ne!(index, bad, "intended panic"));
            }));
            assert!(result.is_err());
        }
        let mut elements = [0; 2];
        pool.for_each(&mut elements, &mut [(); 2], |_, element, ()| *element += 1);
        assert_eq!(elements, [1; 2]);
    }
}
