//! Turns the two protocol files into Rust, with no external protobuf compiler.

use std::error::Error;

/// Compiles `proto/` into the build's output directory.
///
/// Only the server side is generated: the provider never calls Terraform.
fn main() -> Result<(), Box<dyn Error>> {
    let files = ["proto/tfplugin6.proto", "proto/plugin.proto"];
    for file in files {
        println!("cargo:rerun-if-changed={file}");
    }
    let compiled = protox::compile(files, ["proto"])?;
    tonic_prost_build::configure().build_client(false).compile_fds(compiled)?;
    Ok(())
}
