//! What the controller knows of engines, so that only what changed is told.

use std::collections::BTreeMap;

use paraply_common::wire::status::encode_load;
use paraply_core::{id::EngineId, scheduler::EngineStatus};
use paraply_proto::controller::v1::EngineLoad;

/// What was told, by engine.
#[derive(Debug, Default)]
pub(super) struct Told(BTreeMap<EngineId, Option<EngineLoad>>);

impl Told {
    /// A controller that knows nothing yet is to hear of every engine that is there, and still of those that are not.
    pub(super) fn start_over(&mut self) {
        self.0.values_mut().for_each(|load| *load = None);
    }

    /// What is news: loads that differ from what was told, and engines that are gone.
    pub(super) fn update(&mut self, engines: &[EngineStatus]) -> (Vec<EngineLoad>, Vec<u32>) {
        let now: BTreeMap<EngineId, Option<EngineLoad>> =
            engines.iter().map(|engine| (engine.info.id, Some(encode_load(engine)))).collect();
        let lost = self.0.keys().filter(|id| !now.contains_key(id)).map(|id| id.0).collect();
        let changed =
            now.iter().filter(|(id, load)| self.0.get(id) != Some(load)).filter_map(|(_, load)| *load).collect();
        self.0 = now;
        (changed, lost)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use paraply_core::{id::Incarnation, session_link::EngineInfo};

    use super::*;

    fn engine(id: u32, queued: usize) -> EngineStatus {
        let (id, incarnation) = (EngineId(id), Incarnation(1));
        let info = Arc::new(EngineInfo { id, incarnation, peer: Bytes::new(), labels: Vec::new() });
        EngineStatus { info, queued, claimed: 0, completed: 0, draining: false }
    }

    fn ids(news: (Vec<EngineLoad>, Vec<u32>)) -> (Vec<u32>, Vec<u32>) {
        (news.0.iter().map(|load| load.engine_id).collect(), news.1)
    }

    #[test]
    fn only_changes_are_told() {
        let mut told = Told::default();
        assert_eq!(ids(told.update(&[engine(0, 0), engine(1, 0)])), (vec![0, 1], vec![]));
        assert_eq!(ids(told.update(&[engine(0, 0), engine(1, 5)])), (vec![1], vec![]));
        assert_eq!(ids(told.update(&[engine(1, 5)])), (vec![], vec![0]));
        assert_eq!(ids(told.update(&[engine(1, 5)])), (vec![], vec![]));
    }

    #[test]
    fn a_new_controller_hears_of_all_and_of_those_lost_on_the_way() {
        let mut told = Told::default();
        told.update(&[engine(0, 0), engine(1, 1)]);
        told.start_over();
        assert_eq!(ids(told.update(&[engine(0, 0)])), (vec![0], vec![1]));
    }
}
