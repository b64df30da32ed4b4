//! An engine's ticket: what shows a scheduler that the controller gave an engine its id, while no controller is there.

use hmac::{Hmac, KeyInit as _, Mac as _};
use paraply_core::id::{EngineId, Incarnation};
use sha2::Sha256;

use crate::secret::Secret;

/// HMAC-SHA256 with the cluster's ticket key over cluster id, member id and incarnation.
#[must_use]
pub fn issue(key: &Secret, cluster_id: &str, engine: EngineId, incarnation: Incarnation) -> [u8; 32] {
    mac(key, cluster_id, engine, incarnation).finalize().into_bytes().into()
}

/// Whether `ticket` was issued for exactly these, in a time that does not depend on where it differs.
#[must_use]
pub fn verify(key: &Secret, cluster_id: &str, engine: EngineId, incarnation: Incarnation, ticket: &[u8]) -> bool {
    mac(key, cluster_id, engine, incarnation).verify_slice(ticket).is_ok()
}

fn mac(key: &Secret, cluster_id: &str, engine: EngineId, incarnation: Incarnation) -> Hmac<Sha256> {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.expose().as_bytes()) else {
        unreachable!("HMAC takes keys of any length")
    };
    mac.update(cluster_id.as_bytes());
    mac.update(&[0]);
    mac.update(&engine.0.to_be_bytes());
    mac.update(&incarnation.to_bytes());
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_good_for_exactly_what_it_was_issued_for() {
        let token = Secret::try_from("0123456789abcdef".to_owned()).unwrap();
        let ticket = issue(&token, "c", EngineId(3), Incarnation(7));
        assert!(verify(&token, "c", EngineId(3), Incarnation(7), &ticket));
        assert!(!verify(&token, "d", EngineId(3), Incarnation(7), &ticket));
        assert!(!verify(&token, "c", EngineId(4), Incarnation(7), &ticket));
        assert!(!verify(&token, "c", EngineId(3), Incarnation(8), &ticket));
        assert!(!verify(&token, "c", EngineId(3), Incarnation(7), &ticket[..31]));
        let other = Secret::try_from("0123456789abcdeF".to_owned()).unwrap();
        assert!(!verify(&other, "c", EngineId(3), Incarnation(7), &ticket));
    }

    #[test]
    fn the_bytes_are_those_that_the_protocol_fixes() {
        // python: hmac.new(b"0123456789abcdef", b"c\0" + (3).to_bytes(4, "big") + (7).to_bytes(16, "big"), "sha256").hexdigest()
        let token = Secret::try_from("0123456789abcdef".to_owned()).unwrap();
        let ticket = issue(&token, "c", EngineId(3), Incarnation(7));
        let hex: String = ticket.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "40e6b364e2499535d4bb282875ea66ca6cb59c9060bab955c9e87ffa91472772");
    }
}
