//! The tokens of a cluster: what each opens, and how one takes the place of another without a restart.

use std::time::Duration;

use paraply_core::time::Time;

use crate::{clock, reload::Reloaded, secret::Secret};

/// What a service accepts. Cheap to clone; follows the files that tokens are in.
pub type Tokens = Reloaded<TokenSet>;

/// The tokens at one time.
#[derive(Clone, Debug)]
pub struct TokenSet {
    /// Of clients.
    pub client: Accepted,
    /// Of engines and schedulers.
    pub engine: Accepted,
    /// Of who changes the cluster for others. Without it, a client's token is enough for that.
    pub admin: Option<Accepted>,
}

/// A token, and the one before it for as long as that is still good.
#[derive(Clone, Debug)]
pub struct Accepted {
    current: Secret,
    earlier: Option<(Secret, Time)>,
}

impl TokenSet {
    /// Tokens that have taken no other's place.
    #[must_use]
    pub fn new(client: Secret, engine: Secret, admin: Option<Secret>) -> Self {
        Self { client: Accepted::new(client), engine: Accepted::new(engine), admin: admin.map(Accepted::new) }
    }

    /// These in place of `before`, whose own are good for `overlap` more.
    #[must_use]
    pub fn after(self, before: &Self, overlap: Duration) -> Self {
        let until = clock::now() + overlap;
        Self {
            client: self.client.after(&before.client, until),
            engine: self.engine.after(&before.engine, until),
            admin: match (self.admin, &before.admin) {
                (Some(new), Some(old)) => Some(new.after(old, until)),
                (new, _) => new,
            },
        }
    }
}

impl Accepted {
    fn new(current: Secret) -> Self {
        Self { current, earlier: None }
    }

    /// What to show, where it is shown.
    #[must_use]
    pub fn current(&self) -> &Secret {
        &self.current
    }

    /// Whether this is the token, or one that it has taken the place of not long ago. The time it takes does not depend on
    /// where they differ.
    #[must_use]
    pub fn matches(&self, token: &[u8]) -> bool {
        let earlier =
            self.earlier.as_ref().is_some_and(|(secret, until)| secret.matches(token) && clock::now() < *until);
        self.current.matches(token) | earlier
    }

    fn after(self, before: &Self, until: Time) -> Self {
        if self.current.matches(before.current.expose().as_bytes()) {
            return before.clone();
        }
        Self { current: self.current, earlier: Some((before.current.clone(), until)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(client: &str) -> TokenSet {
        let secret = |text: &str| Secret::try_from(text.to_owned()).unwrap();
        TokenSet::new(secret(client), secret("engine-token-engine-token"), None)
    }

    #[tokio::test(start_paused = true)]
    async fn the_token_before_is_good_for_the_overlap_and_no_longer() {
        let old = set("client-token-number-one");
        let new = set("client-token-number-two").after(&old, Duration::from_secs(60));
        assert!(new.client.matches(b"client-token-number-one") && new.client.matches(b"client-token-number-two"));
        assert_eq!(new.client.current().expose(), "client-token-number-two");
        tokio::time::advance(Duration::from_secs(30)).await;
        // Another token's turn does not make this one's time longer.
        let new = set("client-token-number-two").after(&new, Duration::from_secs(60));
        tokio::time::advance(Duration::from_secs(29)).await;
        assert!(new.client.matches(b"client-token-number-one"));
        tokio::time::advance(Duration::from_secs(2)).await;
        assert!(!new.client.matches(b"client-token-number-one"));
        assert!(new.client.matches(b"client-token-number-two"));
    }
}
