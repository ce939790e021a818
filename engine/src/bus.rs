//! EventBridge events that left the engine: kept, numbered, and followed by whoever listens.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use engine_events::route::{Delivery, Routes};
use serde_json::Value;
use tokio::sync::watch;

/// Events kept for those who come late.
const KEPT: usize = 4_096;

/// What leaves the engine; clones share it.
#[derive(Debug, Clone)]
pub struct Bus {
    ring: Ring<Value>,
    routes: Arc<RwLock<Routes>>,
}

impl Bus {
    /// An empty one.
    pub fn new() -> Self {
        Self {
            ring: Ring::new(KEPT),
            routes: Arc::default(),
        }
    }

    /// Sends one event, complete with its `id`, to those who follow.
    pub fn publish(&self, event: Value) {
        self.ring.push(event);
    }

    /// From now on events go by these rules.
    pub fn route(&self, routes: Routes) {
        *self.routes.write().unwrap_or_else(PoisonError::into_inner) = routes;
    }

    /// The deliveries of one event that rules of this event bus want. Costs next to nothing without rules.
    pub fn wanted(&self, event_bus: &str, event: &Value) -> Vec<Delivery> {
        let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        routes.wanted(event_bus, event)
    }

    /// The kept events from this number on, oldest first.
    pub fn since(&self, number: u64) -> Vec<Numbered<Value>> {
        self.ring.since(number)
    }

    /// Follows from the next event on.
    pub fn follow(&self) -> Follower<Value> {
        self.ring.follow()
    }
}

impl Default for Bus {
    fn default() -> Self {
        Self::new()
    }
}

/// The newest items of a stream, numbered from 0 without gaps; clones share it.
#[derive(Debug)]
pub struct Ring<T> {
    inner: Arc<Inner<T>>,
}

#[derive(Debug)]
struct Inner<T> {
    capacity: usize,
    kept: Mutex<Kept<T>>,
    /// The number of the next item.
    next: watch::Sender<u64>,
}

#[derive(Debug)]
struct Kept<T> {
    first: u64,
    items: VecDeque<Arc<T>>,
}

/// One item and its place in the stream.
#[derive(Debug)]
pub struct Numbered<T> {
    /// From 0, without gaps.
    pub number: u64,
    /// The item.
    pub item: Arc<T>,
}

/// Reads a ring at its own pace; one that is too slow loses the oldest and sees a gap in the numbers.
#[derive(Debug)]
pub struct Follower<T> {
    ring: Ring<T>,
    next: u64,
    changed: watch::Receiver<u64>,
}

impl<T> Ring<T> {
    /// Keeps this many.
    pub fn new(capacity: usize) -> Self {
        Self {
            inner: Arc::new(Inner {
                capacity,
                kept: Mutex::new(Kept {
                    first: 0,
                    items: VecDeque::new(),
                }),
                next: watch::Sender::new(0),
            }),
        }
    }

    /// Adds one; the oldest goes when there are too many.
    pub fn push(&self, item: T) {
        let next = {
            let mut kept = self.lock();
            if kept.items.len() == self.inner.capacity {
                kept.items.pop_front();
                kept.first += 1;
            }
            kept.items.push_back(Arc::new(item));
            kept.first + kept.items.len() as u64
        };
        self.inner.next.send_modify(|n| *n = next.max(*n));
    }

    /// What is kept from this number on, oldest first.
    pub fn since(&self, number: u64) -> Vec<Numbered<T>> {
        let kept = self.lock();
        let skip = number.saturating_sub(kept.first);
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        (kept.first..)
            .zip(&kept.items)
            .skip(skip)
            .map(|(number, item)| Numbered {
                number,
                item: Arc::clone(item),
            })
            .collect()
    }

    /// Follows from the next item on.
    pub fn follow(&self) -> Follower<T> {
        let changed = self.inner.next.subscribe();
        let next = *changed.borrow();
        Follower {
            ring: self.clone(),
            next,
            changed,
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept<T>> {
        self.inner
            .kept
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Follower<T> {
    /// The next item; waits for it.
    pub async fn next(&mut self) -> Numbered<T> {
        loop {
            if let Some(found) = self.try_next() {
                return found;
            }
            if self.changed.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// The next item, if it is there.
    pub fn try_next(&mut self) -> Option<Numbered<T>> {
        self.changed.borrow_and_update();
        let kept = self.ring.lock();
        let number = self.next.max(kept.first);
        let at = usize::try_from(number - kept.first).ok()?;
        let item = Arc::clone(kept.items.get(at)?);
        self.next = number + 1;
        Some(Numbered { number, item })
    }
}

impl<T> Clone for Ring<T> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
        }
    }
}

impl<T> Clone for Numbered<T> {
    fn clone(&self) -> Self {
        Self {
            number: self.number,
            item: Arc::clone(&self.item),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_follower_sees_everything_in_order_and_a_slow_one_a_gap() {
        let ring = Ring::new(2);
        let mut slow = ring.follow();
        let mut quick = ring.follow();
        for n in 0..4_u8 {
            ring.push(n);
            let seen = quick.next().await;
            assert_eq!((seen.number, *seen.item), (u64::from(n), n));
        }
        assert_eq!(slow.next().await.number, 2);
        assert_eq!(slow.next().await.number, 3);
        assert!(slow.try_next().is_none());
        let waiting = tokio::spawn(async move { *slow.next().await.item });
        tokio::task::yield_now().await;
        ring.push(9);
        assert_eq!(waiting.await.unwrap(), 9);
    }

    #[test]
    fn since_starts_at_the_number_or_at_the_oldest_kept() {
        let bus = Bus::new();
        for n in 0..3 {
            bus.publish(serde_json::json!({"id": format!("id-{n}"), "detail": n}));
        }
        let from_one: Vec<_> = bus.since(1).iter().map(|n| n.item["id"].clone()).collect();
        assert_eq!(from_one, ["id-1", "id-2"]);
        assert_eq!(bus.since(7).len(), 0);
    }
}
