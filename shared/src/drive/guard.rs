//! A future under guard: its panic is caught, and it is dropped when its time is over.

use std::{
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::Poll,
};

/// How a guarded future ended.
#[derive(Debug, PartialEq)]
pub enum End<V> {
    /// With its value.
    Returned(V),
    /// With a panic; the panic hook has logged it.
    Panicked,
    /// Not in time.
    Late,
}

/// Runs a future until it ends, panics, or `over` resolves. The future looks first: a result in time is never late.
pub async fn bounded<V>(future: impl Future<Output = V>, over: impl Future<Output = ()>) -> End<V> {
    let mut future = Box::pin(future);
    let mut over = pin!(over);
    // Unwind-safe: after a panic nothing but the drop below touches the future.
    let end = poll_fn(|context| {
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context)));
        match polled {
            Ok(Poll::Ready(value)) => Poll::Ready(End::Returned(value)),
            Err(_) => Poll::Ready(End::Panicked),
            Ok(Poll::Pending) => over.as_mut().poll(context).map(|()| End::Late),
        }
    })
    .await;
    match (catch_unwind(AssertUnwindSafe(|| drop(future))), end) {
        (Err(_), End::Late) => End::Panicked,
        (_, end) => end,
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    struct PanicsOnDrop;
    impl Drop for PanicsOnDrop {
        fn drop(&mut self) {
            assert!(std::thread::panicking(), "planted");
        }
    }

    #[tokio::test]
    async fn every_end_is_told() {
        assert_eq!(bounded(ready(1), ready(())).await, End::Returned(1));
        assert_eq!(bounded(pending::<u8>(), ready(())).await, End::Late);
        let panics = async { assert_eq!(1, 2, "planted") };
        assert_eq!(bounded(panics, pending()).await, End::Panicked);
        let late_and_bad = async {
            let _guard = PanicsOnDrop;
            pending::<u8>().await
        };
        assert_eq!(bounded(late_and_bad, ready(())).await, End::Panicked);
    }
}
