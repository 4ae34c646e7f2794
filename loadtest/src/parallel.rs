//! A bounded number of things at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::task::JoinSet;

use crate::{Failure, Result};

/// Does `work` for `0..count`, `at_once` of them at a time, in order of their beginning. The first failure ends all,
/// and so does dropping the future.
pub(crate) async fn in_parallel<F, W>(count: usize, at_once: usize, work: F) -> Result<()>
where
    F: Fn(usize) -> W + Clone + Send + 'static,
    W: Future<Output = Result<()>> + Send + 'static,
{
    let next = Arc::new(AtomicUsize::new(0));
    let mut workers: JoinSet<Result<()>> = JoinSet::new();
    for _ in 0..at_once.min(count) {
        let (next, work) = (next.clone(), work.clone());
        workers.spawn(async move {
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= count {
                    return Ok(());
                }
                work(index).await?;
            }
        });
    }
    while let Some(ended) = workers.join_next().await {
        ended.map_err(|error| Failure::Server(format!("a worker of this tool ended: {error}")))??;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_is_done_once_and_no_more_than_allowed_at_once() {
        let done: Arc<Vec<AtomicUsize>> = Arc::new((0..100).map(|_| AtomicUsize::new(0)).collect());
        let (busy, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (all, peak) = (done.clone(), most.clone());
        let work = move |index: usize| {
            let (done, busy, most) = (done.clone(), busy.clone(), most.clone());
            async move {
                most.fetch_max(busy.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                done[index].fetch_add(1, Ordering::SeqCst);
                busy.fetch_sub(1, Ordering::SeqCst);
                Ok(())
            }
        };
        in_parallel(100, 7, work).await.expect("done");
        assert!(all.iter().all(|times| times.load(Ordering::SeqCst) == 1));
        assert!(peak.load(Ordering::SeqCst) <= 7);
    }

    #[tokio::test]
    async fn a_failure_ends_all() {
        let work =
            |index: usize| async move { if index == 3 { Err(Failure::Usage("three".to_owned())) } else { Ok(()) } };
        assert!(matches!(in_parallel(10, 2, work).await, Err(Failure::Usage(_))));
    }
}
