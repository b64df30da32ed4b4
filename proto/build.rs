//! Compiles the schema with protox (no protoc) into tonic stubs and a descriptor set for reflection.

use std::{env, error::Error, fs, path::Path, path::PathBuf};

use prost::Message as _;

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let mut files = Vec::new();
    collect(&root.join("paraply"), &mut files)?;
    files.sort();
    println!("cargo:rerun-if-changed=paraply");
    let descriptors = protox::compile(&files, [&root])?;
    fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure()
        // Payload bytes are slices of the message that brought them, never copies.
        .bytes(".")
        // Failures are few and large: results are not moved about with room for one.
        .boxed(".paraply.common.v1.Outcome.outcome.failure")
        .codec_path("crate::codec::MessageCodec")
        .compile_fds(descriptors)?;
    // Not ours, and on a listener without reflection: it is not among what the services say that they serve.
    println!("cargo:rerun-if-changed=externalscaler");
    tonic_prost_build::configure().compile_fds(protox::compile(["externalscaler/externalscaler.proto"], [&root])?)?;
    Ok(())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|e| e == "proto") {
            files.push(path);
        }
    }
    Ok(())
}
