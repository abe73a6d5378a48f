//! Jobs side by side.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// What came of these jobs, by their index, as many at a time as there are threads, each on one thread. They begin in their
/// order. After one that says so (`goes_on`) no other begins.
pub(crate) fn side_by_side<J: Sync, R: Send>(
    jobs: &[J],
    threads: usize,
    work: impl Fn(&J) -> R + Sync,
    goes_on: impl Fn(&R) -> bool + Sync,
) -> BTreeMap<usize, R> {
    let results = Mutex::new(BTreeMap::new());
    let next = AtomicUsize::new(0);
    let work = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(job) = jobs.get(index) else { break };
            let result = work(job);
            if !goes_on(&result) {
                next.store(jobs.len(), Ordering::Relaxed);
            }
            results.lock().unwrap_or_else(PoisonError::into_inner).insert(index, result);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..threads.clamp(1, jobs.len().max(1)) {
            // An implementation that uses rayon finds one thread: its neighbour has the other ones.
            scope.spawn(|| match rayon::ThreadPoolBuilder::new().num_threads(1).build() {
                Ok(pool) => pool.install(work),
                Err(_) => work(),
            });
        }
    });
    results.into_inner().unwrap_or_else(PoisonError::into_inner)
}
