//! What the services share: wire conversion, configuration, transport, tower layers, telemetry.
