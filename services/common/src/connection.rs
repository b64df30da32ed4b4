//! A connection file: all that a client or an engine needs to reach a cluster. Readable by its owner only.

use std::{fs, io, os::unix::fs::MetadataExt as _, path::Path};

use paraply_core::membership::Endpoint;
use serde::{Deserialize, Serialize};

use crate::{private_file, secret::Secret};

/// The version of the format that this program writes and reads.
pub const VERSION: u32 = 1;

/// The content of a connection file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ConnectionFile {
    /// [`VERSION`].
    pub version: u32,
    /// Which cluster.
    pub cluster_id: String,
    /// What its token opens.
    pub role: Role,
    /// The profile that the cluster was started from.
    pub profile: String,
    /// Where a service of the cluster can be reached, best first.
    #[serde(with = "endpoints")]
    pub endpoints: Vec<Endpoint>,
    /// Sent as `authorization: Bearer <token>`.
    pub token: Secret,
    /// Sent instead where an admin's is needed. In the file of a client that is also the cluster's admin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admin_token: Option<Secret>,
    /// Certificates of the authorities, PEM, that certificates of `tls` endpoints are by. Without it, whoever the system
    /// trusts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
    /// Who launches engines, where nobody does who watches the controller for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub launcher: Option<Launcher>,
}

/// Who is to be asked for more engines, or fewer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Launcher {
    /// Compose, for the project of this name.
    Compose(String),
}

/// What a token opens.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Submitting tasks, looking at the cluster.
    Client,
    /// Being a member of it.
    Engine,
    /// What a client may, and what changes the cluster for others.
    Admin,
}

/// A connection file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionFileError {
    /// Not there, or not for us.
    #[error("cannot read the connection file {path}: {source}; is the cluster running? (`paraply list`)")]
    Read {
        /// The file.
        path: String,
        /// What the system says.
        source: io::Error,
    },
    /// Cannot be made.
    #[error("cannot write the connection file {path}: {source}")]
    Write {
        /// The file.
        path: String,
        /// What the system says.
        source: io::Error,
    },
    /// Others can read the token.
    #[error("{path} can be read by others (mode {mode:o}) and has a token in it: `chmod 600 {path}`")]
    Open {
        /// The file.
        path: String,
        /// Its permission bits.
        mode: u32,
    },
    /// It is something else.
    #[error("{path} is not a connection file: {source}")]
    Malformed {
        /// The file.
        path: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// Of another time.
    #[error(
        "{path} has format version {found}, this program reads version {VERSION}: use the same release on both sides"
    )]
    Version {
        /// The file.
        path: String,
        /// Its version.
        found: u32,
    },
}

impl ConnectionFile {
    /// Reads a file.
    ///
    /// # Errors
    /// If it cannot be read, others can read it too, or it is not a connection file of this version.
    pub fn read(path: &Path) -> Result<Self, ConnectionFileError> {
        let name = || path.display().to_string();
        let read = || -> io::Result<(u32, u32, Vec<u8>)> {
            let metadata = fs::metadata(path)?;
            Ok((metadata.mode() & 0o777, metadata.uid(), fs::read(path)?))
        };
        let (mode, owner, bytes) = read().map_err(|source| ConnectionFileError::Read { path: name(), source })?;
        if is_open(mode, owner) {
            return Err(ConnectionFileError::Open { path: name(), mode });
        }
        Self::parse(&bytes, &name())
    }

    /// Reads the text of a file; `path` is for errors.
    ///
    /// # Errors
    /// If it is not a connection file of this version.
    pub fn parse(text: &[u8], path: &str) -> Result<Self, ConnectionFileError> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let malformed = |source| ConnectionFileError::Malformed { path: path.to_owned(), source };
        // The version first: what else a file of another version has in it is not for us to judge.
        let Versioned { version } = serde_json::from_slice(text).map_err(malformed)?;
        if version != VERSION {
            return Err(ConnectionFileError::Version { path: path.to_owned(), found: version });
        }
        serde_json::from_slice(text).map_err(malformed)
    }

    /// Writes a file that only its owner can read, at once and whole.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), ConnectionFileError> {
        let text = serde_json::to_vec_pretty(self).map_err(io::Error::from);
        text.and_then(|text| private_file::write(path, &text))
            .map_err(|source| ConnectionFileError::Write { path: path.display().to_string(), source })
    }
}

/// Whether others can read it. What root has given to a group, as Kubernetes gives a Secret to the processes of a pod, is
/// meant for the group.
fn is_open(mode: u32, owner: u32) -> bool {
    mode & 0o077 != 0 && (owner != 0 || mode & 0o037 != 0)
}

/// `{"unix": path, "boot_id": id}`, `{"tcp": "host:port"}` or `{"tls": "host:port", "server_name": name}`.
mod endpoints {
    use serde::{Deserializer, Serializer};

    use super::{Deserialize, Endpoint, Serialize};

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Form {
        Unix {
            unix: String,
            boot_id: String,
        },
        Tcp {
            tcp: String,
        },
        Tls {
            tls: String,
            #[serde(default, skip_serializing_if = "String::is_empty")]
            server_name: String,
        },
    }

    pub(super) fn serialize<S: Serializer>(endpoints: &[Endpoint], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(endpoints.iter().filter_map(|endpoint| match endpoint.clone() {
            Endpoint::Unix { path, boot_id } => Some(Form::Unix { unix: path, boot_id }),
            Endpoint::Tcp(tcp) => Some(Form::Tcp { tcp }),
            Endpoint::Tls { address, server_name } => Some(Form::Tls { tls: address, server_name }),
            // A file was come by at no address.
            Endpoint::Same => None,
        }))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Endpoint>, D::Error> {
        let forms = Vec::<Form>::deserialize(deserializer)?;
        let endpoint = |form| match form {
            Form::Unix { unix, boot_id } => Endpoint::Unix { path: unix, boot_id },
            Form::Tcp { tcp } => Endpoint::Tcp(tcp),
            Form::Tls { tls, server_name } => Endpoint::Tls { address: tls, server_name },
        };
        Ok(forms.into_iter().map(endpoint).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const VECTOR: &str = include_str!("../../../proto/testdata/connection.json");

    #[test]
    fn reads_the_vector_that_python_reads() {
        let file = ConnectionFile::parse(VECTOR.as_bytes(), "vector").unwrap();
        assert_eq!(
            (file.cluster_id.as_str(), file.profile.as_str(), file.role),
            ("quiet-heron", "default", Role::Client)
        );
        let endpoints = [
            Endpoint::Unix {
                path: "/run/user/1000/paraply/5f0c/controller.sock".into(),
                boot_id: "0b9f6c1e-6d0a-4a4e-9c55-3f2b8a1d7e60".into(),
            },
            Endpoint::Tcp("127.0.0.1:47311".into()),
            Endpoint::Tls { address: "127.0.0.1:47312".into(), server_name: "paraply-controller".into() },
            Endpoint::Tls { address: "paraply.example:443".into(), server_name: String::new() },
        ];
        assert_eq!(file.endpoints, endpoints);
        assert_eq!(file.token.expose(), "a3f1c5d7e9b02468ace013579bdf2468a3f1c5d7e9b02468ace013579bdf2468");
        assert_eq!(
            file.admin_token.as_ref().unwrap().expose(),
            "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0"
        );
        assert!(file.ca.as_ref().unwrap().starts_with("-----BEGIN CERTIFICATE-----"));
        let written = serde_json::to_value(&file).unwrap();
        assert_eq!(written, serde_json::from_str::<serde_json::Value>(VECTOR).unwrap(), "written as it was read");
    }

    #[test]
    fn is_written_for_its_owner_only_and_refused_if_others_can_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("connection.json");
        let file = ConnectionFile::parse(VECTOR.as_bytes(), "vector").unwrap();
        file.write(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(ConnectionFile::read(&path).unwrap().endpoints, file.endpoints);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let error = ConnectionFile::read(&path).unwrap_err().to_string();
        assert!(error.contains("chmod 600"), "{error}");
    }

    #[test]
    fn a_group_may_read_what_root_gave_it() {
        for (mode, owner, open) in [
            (0o600, 1000, false),
            (0o640, 1000, true),
            (0o640, 0, false),
            (0o440, 0, false),
            (0o644, 0, true),
            (0o660, 0, true),
        ] {
            assert_eq!(is_open(mode, owner), open, "{mode:o} of {owner}");
        }
    }

    #[test]
    fn another_version_and_another_file_are_told_apart() {
        let newer = VECTOR.replace("\"version\": 1", "\"version\": 9");
        let error = ConnectionFile::parse(newer.as_bytes(), "x").unwrap_err();
        assert!(matches!(error, ConnectionFileError::Version { found: 9, .. }), "{error}");
        for bad in ["", "{", "[]", "{}", "{\"version\": 1}", &VECTOR.replace("client", "king")] {
            let error = ConnectionFile::parse(bad.as_bytes(), "x").unwrap_err();
            assert!(matches!(error, ConnectionFileError::Malformed { .. }), "{bad:?}: {error}");
        }
    }
}
