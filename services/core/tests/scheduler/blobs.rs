//! Readers of blobs that others keep.

use paraply_core::{
    id::{BlobId, TransferId},
    payload::{BlobRef, Payload},
    scheduler::Stimulus,
    session_link::{ToClient, ToScheduler},
};

use crate::world::{A, World, direct};

const BLOB: BlobId = BlobId(9);
const READER: TransferId = TransferId(3);

#[test]
fn a_reader_whose_keeper_was_asked_and_is_gone_is_told() {
    let mut world = World::new();
    world.attach(0);
    let (client, _) = world.open(A, None);
    let mut call = direct(0, &[0]);
    call.arguments =
        vec![Payload { data_blob: Some(BlobRef { id: BLOB, size: 1 << 20, kept: true }), ..Payload::default() }];
    world.submit(client, vec![call]);
    world.step(Stimulus::BlobWanted { transfer: READER, blob: BLOB, session: A, offset: 0 });
    let asked = |message: &ToClient| matches!(message, ToClient::Update(update) if !update.wanted_blobs.is_empty());
    assert!(world.to_session[&client].iter().any(asked));
    assert_eq!(world.refused_readers, []);
    world.say(client, ToScheduler::Close);
    assert_eq!(world.refused_readers, [READER]);
}
