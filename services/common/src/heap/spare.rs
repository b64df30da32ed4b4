//! Large room that was given back a moment ago, for whoever needs as much next: most of the time of a large copy goes into
//! pages that the system makes and clears for it.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::BytesMut;
use paraply_core::time::Time;
use tokio::sync::Notify;

use super::LARGE;
use crate::clock;

/// What nobody has taken for so long goes back to the system.
const PATIENCE: Duration = Duration::from_secs(1);

/// The most bytes that are kept.
const MOST: usize = 256 << 20;

/// Room is not taken for less than this part of it.
const FIT: usize = 2;

static SPARE: Mutex<Spare> = Mutex::new(Spare { rooms: Vec::new(), watched: 0 });
static CHANGED: Notify = Notify::const_new();

/// Oldest first.
struct Spare {
    rooms: Vec<(Time, BytesMut)>,
    /// How many see to it that nothing stays for long. Nothing is kept while there is nobody.
    watched: usize,
}

/// Room that nobody needs any more may be used again.
pub fn reuse(mut room: BytesMut) {
    room.clear();
    let mut spare = lock();
    let kept: usize = spare.rooms.iter().map(|(_, room)| room.capacity()).sum();
    if spare.watched > 0 && room.capacity() >= LARGE && room.capacity() <= MOST.saturating_sub(kept) {
        spare.rooms.push((clock::now(), room));
        CHANGED.notify_one();
    }
}

/// Room for `length` bytes, if there is some that fits.
pub(super) fn take(length: usize) -> Option<BytesMut> {
    let fits = |room: &BytesMut| (length..=length.saturating_mul(FIT)).contains(&room.capacity());
    let mut spare = lock();
    let found = spare.rooms.iter().position(|(_, room)| fits(room))?;
    Some(spare.rooms.swap_remove(found).1)
}

/// Lets what is given back be kept, and sees to it that nothing stays for long. Runs until it is dropped.
pub async fn keep_for_a_moment() {
    let _watching = Watching::begin();
    loop {
        CHANGED.notified().await;
        while let Some(oldest) = oldest() {
            clock::sleep_until(oldest + PATIENCE).await;
            let gone = let_go(clock::now());
            // Outside of the lock: giving pages back takes a while.
            drop(gone);
        }
    }
}

fn oldest() -> Option<Time> {
    lock().rooms.iter().map(|(since, _)| *since).min()
}

fn let_go(now: Time) -> Vec<(Time, BytesMut)> {
    lock().rooms.extract_if(.., |(since, _)| now.since(*since) >= PATIENCE).collect()
}

struct Watching;

impl Watching {
    fn begin() -> Self {
        lock().watched += 1;
        Self
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let mut spare = lock();
        spare.watched -= 1;
        if spare.watched == 0 {
            spare.rooms.clear();
        }
    }
}

fn lock() -> MutexGuard<'static, Spare> {
    // Nothing panics while it is held.
    SPARE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heap::room_for;

    #[tokio::test(start_paused = true)]
    async fn room_is_there_for_a_moment_for_who_needs_about_as_much() {
        let room = || room_for(LARGE).unwrap();
        reuse(room());
        assert!(take(LARGE).is_none(), "nobody sees to it");

        let watching = crate::spawn::spawn(keep_for_a_moment());
        tokio::task::yield_now().await;
        let first = room();
        let place = first.as_ptr();
        reuse(first);
        assert!(take(LARGE + 1).is_none(), "too small");
        assert!(take(LARGE / 4).is_none(), "too large");
        let again = take(LARGE - 1).unwrap();
        assert_eq!((again.as_ptr(), again.len()), (place, 0));
        assert!(take(LARGE).is_none(), "it is taken");

        reuse(again);
        tokio::time::sleep(PATIENCE * 2).await;
        assert!(take(LARGE).is_none(), "it went back to the system");
        let rooms: Vec<BytesMut> = (0..=MOST / LARGE).map(|_| room()).collect();
        rooms.into_iter().for_each(reuse);
        assert_eq!(lock().rooms.len(), MOST / LARGE);
        drop(watching);
        tokio::task::yield_now().await;
        assert!(lock().rooms.is_empty());
    }
}
