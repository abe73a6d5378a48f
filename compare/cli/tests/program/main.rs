//! The program from outside: what it prints and writes, where, and with which exit code.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod agree;
mod bench;
mod browser;
mod checkpoints;
mod commands;
mod exchange;
mod options;
mod predict;
#[cfg(feature = "remote")]
mod remote;
mod reproduce;
mod run;
mod schemas;
mod study;
