//! Where a service can be reached.

/// One way to reach a service.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Endpoint {
    /// A Unix socket.
    Unix {
        /// On the machine of `boot_id`.
        path: String,
        /// `/proc/sys/kernel/random/boot_id` of that machine.
        boot_id: String,
    },
    /// "host:port".
    Tcp(String),
    /// The same over TLS.
    Tls {
        /// "host:port".
        address: String,
        /// What the certificate is for; empty for the host of the address.
        server_name: String,
    },
    /// The address that the caller came by: that service passes calls on.
    Same,
}
