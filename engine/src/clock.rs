//! The engine's time: the machine's, or one that jumps to the next due timer (`--fast-clock`).
//!
//! Engine time is the machine's time plus an offset that only grows. A real clock keeps the offset that an earlier
//! run left behind (see [`Clock::continue_from`]); a fast clock adds to it whenever nothing but a timer can happen:
//! no [`Busy`] guard is alive, and none was taken for a short quiet time.

use std::{
    cmp::max,
    collections::BTreeSet,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;

/// How long nothing must have happened before a fast clock jumps: tasks that were just woken take their guards in it.
const QUIET: Duration = Duration::from_millis(50);

/// A clock; clones share it.
#[derive(Debug, Clone)]
pub struct Clock {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    fast: bool,
    /// Microseconds ahead of the machine.
    ahead: AtomicI64,
    busy: AtomicUsize,
    /// Counts guards ever taken, so that a quiet time with a short piece of work in it is no quiet time.
    taken: AtomicU64,
    sleepers: Mutex<BTreeSet<(Timestamp, u64)>>,
    next_sleeper: AtomicU64,
    changed: Notify,
}

/// As long as one is alive, a fast clock does not jump.
#[derive(Debug)]
pub struct Busy {
    inner: Arc<Inner>,
}

impl Clock {
    /// The machine's time.
    pub fn real() -> Self {
        Self::new(false)
    }

    /// A clock that jumps to the next due timer as soon as nothing else can happen.
    pub fn fast() -> Self {
        Self::new(true)
    }

    /// Now, with microseconds.
    pub fn now(&self) -> Timestamp {
        let machine = Timestamp::now().as_microsecond();
        let ahead = self.inner.ahead.load(Ordering::Acquire);
        Timestamp::from_microsecond(machine.saturating_add(ahead)).unwrap_or(Timestamp::MAX)
    }

    /// Whether this clock jumps.
    pub fn is_fast(&self) -> bool {
        self.inner.fast
    }

    /// Says that work is going on: hold the guard while a provider, a function, a build or a request runs.
    pub fn busy(&self) -> Busy {
        self.inner.busy.fetch_add(1, Ordering::AcqRel);
        self.inner.taken.fetch_add(1, Ordering::AcqRel);
        Busy {
            inner: Arc::clone(&self.inner),
        }
    }

    /// Waits for this long in engine time. A guard held meanwhile keeps a fast clock from jumping here:
    /// good for timeouts of running work; a poll of an outside system rests with [`Clock::rest`].
    pub async fn sleep(&self, duration: Duration) {
        let duration = SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX);
        let due = self.now().checked_add(duration).unwrap_or(Timestamp::MAX);
        self.sleep_until(due).await;
    }

    /// Gives the guard back for as long as it sleeps: nothing happens here until then.
    pub async fn rest(&self, busy: Busy, duration: Duration) -> Busy {
        drop(busy);
        self.sleep(duration).await;
        self.busy()
    }

    /// Waits until the engine's time has reached `due`.
    pub async fn sleep_until(&self, due: Timestamp) {
        if self.now() >= due {
            return;
        }
        let me = Sleeper::new(&self.inner, due);
        loop {
            let changed = self.inner.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let left = due.duration_since(self.now());
            if left <= SignedDuration::ZERO {
                return;
            }
            let real = Duration::try_from(left)
                .unwrap_or(Duration::MAX)
                .min(Duration::from_secs(3600));
            let seen = self.inner.taken.load(Ordering::Acquire);
            let may_jump = self.inner.fast && me.is_first() && self.idle();
            let wait = if may_jump { real.min(QUIET) } else { real };
            tokio::select! {
                () = &mut changed => continue,
                () = tokio::time::sleep(wait) => {}
            }
            let quiet = seen == self.inner.taken.load(Ordering::Acquire);
            if may_jump && quiet && me.is_first() && self.idle() {
                self.continue_from(due);
                self.inner.changed.notify_waiters();
            }
        }
    }

    /// Makes sure that the engine's time is not before `at`: a restart continues where the last run was.
    pub fn continue_from(&self, at: Timestamp) {
        let needed = at
            .as_microsecond()
            .saturating_sub(Timestamp::now().as_microsecond());
        self.inner
            .ahead
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |ahead| {
                Some(max(ahead, needed))
            })
            .ok();
    }

    fn new(fast: bool) -> Self {
        Self {
            inner: Arc::new(Inner {
                fast,
                ahead: AtomicI64::new(0),
                busy: AtomicUsize::new(0),
                taken: AtomicU64::new(0),
                sleepers: Mutex::default(),
                next_sleeper: AtomicU64::new(0),
                changed: Notify::new(),
            }),
        }
    }

    fn idle(&self) -> bool {
        self.inner.busy.load(Ordering::Acquire) == 0
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::real()
    }
}

impl Clone for Busy {
    fn clone(&self) -> Self {
        Clock {
            inner: Arc::clone(&self.inner),
        }
        .busy()
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        if self.inner.busy.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.inner.changed.notify_waiters();
        }
    }
}

/// One entry in the list of timers, taken out when its sleep ends or is dropped.
struct Sleeper<'a> {
    inner: &'a Inner,
    key: (Timestamp, u64),
}

impl<'a> Sleeper<'a> {
    fn new(inner: &'a Inner, due: Timestamp) -> Self {
        let key = (due, inner.next_sleeper.fetch_add(1, Ordering::Relaxed));
        let me = Self { inner, key };
        me.with(|sleepers| sleepers.insert(key));
        me
    }

    fn is_first(&self) -> bool {
        self.with(|sleepers| sleepers.first() == Some(&self.key))
    }

    fn with<R>(&self, change: impl FnOnce(&mut BTreeSet<(Timestamp, u64)>) -> R) -> R {
        change(
            &mut self
                .inner
                .sleepers
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }
}

impl Drop for Sleeper<'_> {
    fn drop(&mut self) {
        self.with(|sleepers| sleepers.remove(&self.key));
        self.inner.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(n: i64) -> SignedDuration {
        SignedDuration::from_hours(n)
    }

    #[tokio::test]
    async fn a_fast_clock_jumps_from_timer_to_timer_in_order() {
        let clock = Clock::fast();
        let start = clock.now();
        let begun = std::time::Instant::now();
        let order = Arc::new(Mutex::new(Vec::new()));
        let sleep = |n: i64| {
            let (clock, order) = (clock.clone(), Arc::clone(&order));
            async move {
                clock.sleep_until(start + hours(n)).await;
                order
                    .lock()
                    .unwrap()
                    .push((n, clock.now() >= start + hours(n)));
            }
        };
        tokio::join!(sleep(48), sleep(1), sleep(24));
        assert_eq!(*order.lock().unwrap(), [(1, true), (24, true), (48, true)]);
        assert!(begun.elapsed() < Duration::from_secs(20));
        assert!(clock.now() < start + hours(49));
    }

    #[tokio::test]
    async fn a_guard_keeps_it_from_jumping_and_a_rest_lets_it() {
        let clock = Clock::fast();
        let start = clock.now();
        let busy = clock.busy();
        let slept = tokio::time::timeout(QUIET * 5, clock.sleep(Duration::from_secs(3600))).await;
        assert!(slept.is_err(), "jumped over running work");
        assert!(clock.now() < start + hours(1));
        let _busy = clock.rest(busy, Duration::from_secs(3600)).await;
        assert!(clock.now() >= start + hours(1));
    }

    #[tokio::test]
    async fn it_jumps_when_the_last_guard_goes() {
        let clock = Clock::fast();
        let (one, two) = (clock.busy(), clock.busy());
        let sleeper = tokio::spawn({
            let clock = clock.clone();
            async move { clock.sleep(Duration::from_secs(3600)).await }
        });
        tokio::task::yield_now().await;
        drop(one);
        drop(two);
        sleeper.await.unwrap();
    }

    #[test]
    fn a_restart_continues_in_engine_time() {
        let clock = Clock::real();
        let later = clock.now() + hours(24 * 30);
        clock.continue_from(later);
        assert!(clock.now() >= later);
        clock.continue_from(Timestamp::UNIX_EPOCH);
        assert!(clock.now() >= later, "time went back");
    }
}
