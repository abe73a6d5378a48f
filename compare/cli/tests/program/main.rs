//! Tests of the program `compare` as a process: output, files and exit codes.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod agree;
mod bench;
mod browser;
mod checkpoints;
mod commands;
mod data;
mod exchange;
mod html;
mod interrupts;
mod layout;
mod limits;
mod networks;
mod non_finite;
mod options;
mod predict;
#[cfg(feature = "remote")]
mod remote;
mod reproduce;
mod run;
mod schemas;
mod seeds;
#[cfg(unix)]
mod storage;
mod study;
#[cfg(unix)]
mod transcripts;
mod untrusted;
