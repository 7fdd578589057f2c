//! Cloud-config against what cloud-init knows: every key, type and value of every module.
//!
//! * `shape`: the words that the keys are described with.
//! * `forms`: forms of texts that several keys share.
//! * `modules`: the keys themselves, a file per family of modules.
//!
//! The verdict is that of cloud-init 26.2 (`cloudinit/config/schema.py`,
//! `validate_cloudconfig_schema`); the model is our own.
#![allow(dead_code)]

mod forms;
mod modules;
mod shape;
