//! Bytes of Terraform's wire, read as everything that the provider offers.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| assent_provider::fuzzing::read_everything(bytes));
