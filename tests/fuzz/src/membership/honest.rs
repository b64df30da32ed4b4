//! Members that keep the rules, once the others have gone.

use bytes::Bytes;
use paraply_core::{
    id::{ConnectionId, EngineId, Incarnation},
    membership::{
        Endpoint, Grant, NewEngine, NewScheduler, Refusal, RequestId, SchedulerInfo, SchedulerReport, Stimulus,
        WatchKind,
    },
};

use super::{World, world::Stream};

const SCHEDULER: Incarnation = Incarnation(u128::MAX);
const ENGINE: Incarnation = Incarnation(u128::MAX - 1);

/// A scheduler and an engine enter; the engine is seen, is sent a signal, and is told to leave.
pub(super) fn serve(world: &mut World) -> Result<(), String> {
    world.prompt = true;
    world.settle()?;
    world.pass(world.config.lease * 3)?;
    if let Some(engine) = world.machine.engines().next() {
        return Err(format!("{engine:?} is silent, and is there"));
    }
    let watcher = ConnectionId(world.number());
    world.open.insert(watcher, Stream::Watcher { kind: WatchKind::Members, known: None });
    world.give(Stimulus::WatchOpened { connection: watcher, kind: WatchKind::Members });

    let info = SchedulerInfo { incarnation: SCHEDULER, peer: Bytes::new(), endpoints: vec![Endpoint::Same] };
    let scheduler = NewScheduler { info, next_engine_id: 0 };
    answered(world, |request| Stimulus::RegisterScheduler { request, scheduler })?
        .map_err(|refusal| format!("an honest scheduler was refused: {refusal}"))?;
    let engine = NewEngine {
        incarnation: ENGINE,
        peer: Bytes::new(),
        labels: Vec::new(),
        id: None,
        proven: false,
        registered_unix_nanos: 1,
    };
    let id = match answered(world, |request| Stimulus::RegisterEngine { request, engine })? {
        Ok(grant) => EngineId(grant.member_id),
        // Somebody with a scheduler's rights said that all ids were given.
        Err(Refusal::IdTooHigh { .. }) if world.kept > EngineId::MOST.0 => return Ok(()),
        Err(refusal) => return Err(format!("an honest engine was refused: {refusal}")),
    };
    is_known(world, watcher, id, true)?;

    let connection = ConnectionId(world.number());
    world.open.insert(connection, Stream::KeepAlive);
    let report = SchedulerReport::default();
    world.give(Stimulus::KeepAliveOpened { connection, member_id: id.0, incarnation: ENGINE, report });
    world.give(Stimulus::Signal { engines: vec![id], signal: Bytes::from_static(b"SIGUSR1") });
    world.give(Stimulus::Remove { engine: id });
    world.settle()?;
    let told: Vec<_> = world.told.iter().filter(|(to, _)| *to == connection).map(|(_, answer)| answer).collect();
    let signals = told.iter().map(|answer| answer.signals.len()).sum::<usize>();
    if signals != 1 || !told.iter().any(|answer| answer.exit) {
        return Err(format!("an honest engine was told {told:?}"));
    }
    world.give(Stimulus::Deregister { member_id: id.0, incarnation: ENGINE });
    world.settle()?;
    is_known(world, watcher, id, false)
}

fn answered(world: &mut World, stimulus: impl FnOnce(RequestId) -> Stimulus) -> Result<Result<Grant, Refusal>, String> {
    let request = RequestId(world.number());
    world.give(stimulus(request));
    world.settle()?;
    world.answers.remove(&request).ok_or_else(|| "an honest member was not answered".to_owned())
}

fn is_known(world: &World, watcher: ConnectionId, id: EngineId, wanted: bool) -> Result<(), String> {
    let Some(Stream::Watcher { known: Some(known), .. }) = world.open.get(&watcher) else {
        return Err("an honest watcher was told nothing".to_owned());
    };
    if known.contains(&id) == wanted {
        Ok(())
    } else {
        Err(format!("a watcher knows {known:?}, engine {id} is {wanted}"))
    }
}
