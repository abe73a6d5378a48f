//! Parallel execution of independent jobs.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Runs `work` on every job, on up to `threads` threads at a time, and returns the results by the index of the job.
///
/// Jobs start in order. As soon as `keep_going` returns false for a result, no further job starts; jobs that are
/// already running are completed. Jobs that never started are missing from the results. If the system starts fewer
/// threads, those that it starts do all jobs.
pub(crate) fn run_parallel<J: Sync, R: Send>(
    jobs: &[J],
    threads: usize,
    work: impl Fn(&J) -> R + Sync,
    keep_going: impl Fn(&R) -> bool + Sync,
) -> BTreeMap<usize, R> {
    let results = Mutex::new(BTreeMap::new());
    let next = AtomicUsize::new(0);
    let worker = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(job) = jobs.get(index) else { break };
            let result = work(job);
            if !keep_going(&result) {
                // No index is left for the other workers.
                next.store(jobs.len(), Ordering::Relaxed);
            }
            results.lock().unwrap_or_else(PoisonError::into_inner).insert(index, result);
        }
    };
    // Each worker installs a rayon pool of one thread, so that an implementation which uses rayon does not take the
    // processors of the jobs that run beside it.
    let worker_with_pool = || match rayon::ThreadPoolBuilder::new().num_threads(1).build() {
        Ok(pool) => pool.install(worker),
        Err(_) => worker(),
    };
    std::thread::scope(|scope| {
        let spawn = || std::thread::Builder::new().spawn_scoped(scope, worker_with_pool);
        let spawned = (0..threads.clamp(1, jobs.len().max(1))).map_while(|_| spawn().ok()).count();
        // The operating system may allow no further thread.
        if spawned == 0 {
            worker();
        }
    });
    results.into_inner().unwrap_or_else(PoisonError::into_inner)
}
