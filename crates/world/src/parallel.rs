//! Work shared out over a few threads, results in the order of the input.

use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Result, anyhow};

/// `work` on every item, on up to `threads` threads. The result does not depend on the number of threads.
///
/// # Errors
/// The first error in the order of the items.
pub(crate) fn map<T: Sync, R: Send>(
    items: &[T],
    threads: usize,
    work: impl Fn(&T) -> Result<R> + Sync,
) -> Result<Vec<R>> {
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut done = Vec::new();
        while let Some((index, item)) = {
            let index = next.fetch_add(1, Ordering::Relaxed);
            items.get(index).map(|item| (index, item))
        } {
            let result = work(item);
            // After a failure nobody needs the rest.
            if result.is_err() {
                next.store(items.len(), Ordering::Relaxed);
            }
            done.push((index, result));
        }
        done
    };
    let mut results = std::thread::scope(|scope| {
        let handles: Vec<_> = (0..threads.clamp(1, 64)).map(|_| scope.spawn(worker)).collect();
        let mut all = Vec::with_capacity(items.len());
        for handle in handles {
            all.extend(
                handle
                    .join()
                    .map_err(|_| anyhow!("a worker thread stopped unexpectedly"))?,
            );
        }
        anyhow::Ok(all)
    })?;
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}
