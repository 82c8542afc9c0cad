//! `terraform-provider-assent`: the program that Terraform starts.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    assent_provider::serve().await
}
