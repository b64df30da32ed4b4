//! The tokens of a service, from its settings.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use super::{ConfigError, token::token};
use crate::{
    reload::Reloaded,
    secret::Secret,
    tokens::{TokenSet, Tokens},
    transport::tls::{ServerTls, TlsSettings},
};

/// How long a token that another has taken the place of is still good, unless the setting `token_overlap_millis` says so:
/// an hour, in milliseconds.
pub const TOKEN_OVERLAP_MILLIS: u64 = 3_600_000;

/// A token as it is set: itself, or the file that it is in.
#[derive(Clone, Debug)]
pub struct TokenSetting {
    /// Name of the setting.
    pub key: &'static str,
    /// `<key>`.
    pub inline: Option<Secret>,
    /// `<key>_file`.
    pub file: Option<PathBuf>,
}

/// All tokens of a service as they are set.
#[derive(Clone, Debug)]
pub struct TokenSettings {
    /// The service's table in the file.
    pub section: &'static str,
    /// `client_token`.
    pub client: TokenSetting,
    /// `engine_token`.
    pub engine: TokenSetting,
    /// `admin_token`, which need not be set.
    pub admin: TokenSetting,
    /// `ticket_key`, which need not be set.
    pub ticket_key: TokenSetting,
    /// How long a token that another has taken the place of is still good.
    pub overlap: Duration,
}

/// What a service shows and accepts, as it is set.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// Its tokens.
    pub tokens: TokenSettings,
    /// Its certificates and authorities.
    pub tls: TlsSettings,
    /// Authorities of peers on other listeners than the service's own.
    pub more_authorities: Vec<PathBuf>,
}

impl Credentials {
    /// The files of tokens, keys and certificates.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        let TlsSettings { ca, cert, key, client_ca } = &self.tls;
        let of_tls = [cert, key, ca, client_ca].into_iter().flatten().chain(&self.more_authorities);
        self.tokens.files().into_iter().chain(of_tls.cloned()).collect()
    }

    /// What listeners show; nothing where there is no certificate. Within a runtime.
    ///
    /// # Errors
    /// If a file cannot be used, or one of two that go together is missing.
    pub fn server_tls(&self) -> Result<Option<ServerTls>, ConfigError> {
        self.tls.server(self.tokens.section)
    }
}

impl TokenSetting {
    /// A token by the name of its setting.
    #[must_use]
    pub fn new(key: &'static str, inline: &Option<Secret>, file: &Option<PathBuf>) -> Self {
        Self { key, inline: inline.clone(), file: file.clone() }
    }

    fn read(&self, section: &'static str) -> Result<Secret, ConfigError> {
        token(section, self.key, self.inline.as_ref(), self.file.as_deref())
    }

    fn read_if_set(&self, section: &'static str) -> Result<Option<Secret>, ConfigError> {
        if self.inline.is_none() && self.file.is_none() { Ok(None) } else { self.read(section).map(Some) }
    }
}

impl TokenSettings {
    /// Reads them, and again when their files change. Within a runtime.
    ///
    /// # Errors
    /// If one that is needed is not set, a file holds none, or two are the same: then one would open what only the other
    /// is to open.
    pub fn tokens(self) -> Result<Tokens, ConfigError> {
        let files = [&self.client, &self.engine, &self.admin].into_iter().filter_map(|token| token.file.clone());
        let files: Vec<PathBuf> = files.collect();
        Reloaded::new("tokens", files, move |before| {
            let now = self.read()?;
            Ok(match before {
                Some(before) => now.after(before, self.overlap),
                None => now,
            })
        })
    }

    /// The files that they are in.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        let all = [&self.client, &self.engine, &self.admin, &self.ticket_key];
        all.into_iter().filter_map(|token| token.file.clone()).collect()
    }

    fn read(&self) -> Result<TokenSet, ConfigError> {
        let client = self.client.read(self.section)?;
        let engine = self.engine.read(self.section)?;
        let admin = self.admin.read_if_set(self.section)?;
        let same = |a: &Secret, b: &Secret| a.matches(b.expose().as_bytes());
        let pair = match &admin {
            _ if same(&client, &engine) => Some(("client_token", "engine_token")),
            Some(admin) if same(admin, &client) => Some(("admin_token", "client_token")),
            Some(admin) if same(admin, &engine) => Some(("admin_token", "engine_token")),
            _ => None,
        };
        if let Some((one, other)) = pair {
            let message = format!("is the same as `{other}`: whoever has one would have both");
            return Err(ConfigError::Value { place: format!("{}.{one}", self.section), message });
        }
        Ok(TokenSet::new(client, engine, admin))
    }

    /// What engines' tickets are made with: `ticket_key`, or where it is not set, the engine token of now.
    ///
    /// # Errors
    /// If a file holds none.
    pub fn ticket_key(&self) -> Result<Secret, ConfigError> {
        if let Some(key) = self.ticket_key.read_if_set(self.section)? {
            return Ok(key);
        }
        if self.engine.file.as_deref().is_some_and(Path::exists) {
            tracing::warn!(
                "`ticket_key_file` is not set, so tickets are made with the engine token: once that is replaced and a \
                 service restarts, engines lose their ids"
            );
        }
        self.engine.read(self.section)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(key: &'static str, token: &str) -> TokenSetting {
        let inline = (!token.is_empty()).then(|| Secret::try_from(token.to_owned()).unwrap());
        TokenSetting { key, inline, file: None }
    }

    fn settings(client: &str, engine: &str, admin: &str) -> TokenSettings {
        TokenSettings {
            section: "controller",
            client: setting("client_token", client),
            engine: setting("engine_token", engine),
            admin: setting("admin_token", admin),
            ticket_key: setting("ticket_key", ""),
            overlap: Duration::from_secs(1),
        }
    }

    #[test]
    fn one_token_is_not_two() {
        let (a, b, c) = ("aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb", "cccccccccccccccc");
        settings(a, b, c).tokens().unwrap();
        settings(a, b, "").tokens().unwrap();
        for (client, engine, admin, place) in
            [(a, a, "", "client_token"), (a, b, a, "admin_token"), (a, b, b, "admin_token")]
        {
            let error = settings(client, engine, admin).tokens().unwrap_err().to_string();
            assert!(error.contains(place) && error.contains("is the same as"), "{error}");
        }
    }

    #[test]
    fn tickets_have_a_key_of_their_own_or_the_engine_token() {
        let mut settings = settings("aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb", "");
        assert_eq!(settings.ticket_key().unwrap().expose(), "bbbbbbbbbbbbbbbb");
        settings.ticket_key = setting("ticket_key", "kkkkkkkkkkkkkkkk");
        assert_eq!(settings.ticket_key().unwrap().expose(), "kkkkkkkkkkkkkkkk");
    }
}
