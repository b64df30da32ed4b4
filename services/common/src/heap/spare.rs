//! Large room that was given back a moment ago, for whoever needs as much next: most of the time of a large copy goes into
//! pages that the system makes and clears for it.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use paraply_core::time::Time;
use tokio::sync::Notify;

use super::{LARGE, offer_pages};
use crate::clock;

/// What nobody has taken for so long goes back to the system. Longer than what comes between two transfers of a gigabyte.
const PATIENCE: Duration = Duration::from_secs(5);

/// The most bytes that are kept: more where the system takes them when it needs some.
const MOST: usize = if cfg!(target_os = "linux") { 2 << 30 } else { 256 << 20 };

/// Room is not taken for less than this part of it.
const FIT: usize = 2;

static SPARE: Mutex<Spare> = Mutex::new(Spare { rooms: Vec::new(), watched: 0 });
static CHANGED: Notify = Notify::const_new();

struct Spare {
    /// And when they were given back.
    rooms: Vec<(Time, BytesMut)>,
    /// How many see to it that nothing stays for long. Nothing is kept while there is nobody.
    watched: usize,
}

impl Spare {
    /// Whether so many bytes more are kept.
    fn has_room(&self, bytes: usize) -> bool {
        let kept: usize = self.rooms.iter().map(|(_, room)| room.capacity()).sum();
        self.watched > 0 && bytes <= MOST.saturating_sub(kept)
    }
}

/// Room that nobody needs any more may be used again.
pub fn reuse(mut room: BytesMut) {
    room.clear();
    if room.capacity() < LARGE || !lock().has_room(room.capacity()) {
        return;
    }
    // Not with the lock held: of small pages there are many.
    offer_pages(room.spare_capacity_mut());
    let mut spare = lock();
    if spare.has_room(room.capacity()) {
        spare.rooms.push((clock::now(), room));
        CHANGED.notify_one();
    }
}

/// The same for bytes, where nobody else has any of them.
pub fn reuse_bytes(bytes: Bytes) {
    if let Ok(room) = bytes.try_into_mut() {
        reuse(room);
    }
}

/// The same bytes, whose room is for [`reuse`] when nobody has any of them any more.
#[must_use]
pub fn reusable(bytes: Bytes) -> Bytes {
    struct Room(BytesMut);

    impl AsRef<[u8]> for Room {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }

    impl Drop for Room {
        fn drop(&mut self) {
            reuse(std::mem::take(&mut self.0));
        }
    }

    if bytes.len() < LARGE {
        return bytes;
    }
    bytes.try_into_mut().map_or_else(|shared| shared, |room| Bytes::from_owner(Room(room)))
}

/// Room for `length` bytes that was given back, if there is some that fits.
#[must_use]
pub fn take(length: usize) -> Option<BytesMut> {
    if length < LARGE / FIT {
        return None;
    }
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
        let gone = if spare.watched == 0 { std::mem::take(&mut spare.rooms) } else { Vec::new() };
        drop(spare);
        // Another may not have heard of what this one has.
        CHANGED.notify_one();
        // Outside of the lock: giving pages back takes a while.
        drop(gone);
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

        let mut bytes = again;
        bytes.resize(LARGE, 7);
        let bytes = reusable(bytes.freeze());
        let part = bytes.slice(1..3);
        drop(bytes);
        assert!(take(LARGE).is_none(), "somebody has a part of it");
        assert_eq!(part, [7, 7][..]);
        drop(part);
        let again = take(LARGE).unwrap();
        assert_eq!((again.as_ptr(), again.len()), (place, 0));

        reuse(again);
        tokio::time::sleep(PATIENCE * 2).await;
        assert!(take(LARGE).is_none(), "it went back to the system");
        let rooms: Vec<BytesMut> = (0..=MOST / LARGE).map(|_| room()).collect();
        rooms.into_iter().for_each(reuse);
        assert_eq!(lock().rooms.len(), MOST / LARGE);
        drop(watching);
        tokio::task::yield_now().await;
        assert!(lock().rooms.is_empty());

        // Who has heard of it ends, and another sees to it.
        let first = crate::spawn::spawn(keep_for_a_moment());
        let _second = crate::spawn::spawn(keep_for_a_moment());
        tokio::task::yield_now().await;
        reuse(room());
        tokio::task::yield_now().await;
        drop(first);
        tokio::time::sleep(PATIENCE * 2).await;
        assert!(take(LARGE).is_none(), "it went back to the system");
    }
}
