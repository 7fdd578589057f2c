//! The dialect of coreos-cloudinit, which holds when a configuration has the top-level key `coreos`
//! (`coreos-cloudinit`: `config/`, `config/validate/`, `initialize/`, `system/`).
//!
//! One file may speak both dialects. [`is_coreos`] says whether it does; then
//!
//! * `coreos`, `hostname`, `manage_etc_hosts`, `users`, `ssh_authorized_keys` and `write_files` mean what
//!   they mean to coreos-cloudinit, and are done in its order; [`rest`] is what is left to
//!   cloud-init's modules (`runcmd`, `packages`…), which coreos-cloudinit passes over with a warning;
//! * `$private_ipv4` and friends are replaced in the whole text, before it is read as YAML
//!   ([`substitute`]); cloud-init never does that;
//! * in every key `-` is `_` (`reboot-strategy`); cloud-init takes keys as they are;
//! * where text is wanted, it is the text as written: `reboot-strategy: off` is `off`, and
//!   `permissions: 744` is octal (cloud-init reads a decimal number there);
//! * `manage_etc_hosts` is `localhost`, and `/etc/hosts` becomes one line, `127.0.0.1 NAME` (cloud-init
//!   has other values, and keeps the file's other lines);
//! * `ssh_authorized_keys` are the keys of `core` (cloud-init's are those of its default user);
//! * between braces and brackets `:` needs quotes: `{server: http://x}` refuses the whole configuration
//!   (cloud-init reads it);
//! * a file whose `encoding` is unknown or does not fit refuses the whole configuration (cloud-init
//!   writes it as it stands).
//!
//! [`check`] gives coreos-cloudinit's verdict, with places: what it warns of is a warning, and what it
//! refuses is an error. Where cloud-init would do something else with a key that both know, a
//! warning says so. [`CloudConfig::read`] reads the configuration; [`CloudConfig::unit_actions`] and
//! [`generated`] say what follows from it.
//!
//! * [`shape`], [`services`]: sections, options, types, values.
//! * [`model`]: the configuration, typed.
//! * [`content`]: encodings of files.
//! * `flow`: what its YAML library refuses in braces and brackets.
//! * [`substitution`]: the machine's addresses in the text.
//! * [`units`]: units, from a list to actions in order.
//! * [`generated`]: files that are written beside `write_files`.
//! * [`validate`]: coreos-cloudinit's own checks.
//!
//! Differences from coreos-cloudinit that are meant:
//!
//! * A second YAML document in the text is an error here, and so are an anchor that is given twice and
//!   a tab between words: cloud-init refuses them.
//! * Findings have the true places; [`validate::Report`] has coreos-cloudinit's line numbers beside
//!   them, which are found by searching and count from 0 in broken YAML.
//! * Where its checks break off (an empty value where certain words are wanted), ours go on.
//! * What a file unpacks to and the length of lists are bounded.

pub mod content;
mod decode;
mod dialect;
mod flow;
pub mod generated;
pub mod model;
mod scalar;
pub mod services;
pub mod shape;
pub mod substitution;
pub mod units;
pub mod validate;

pub use dialect::{check, is_coreos, rest};
pub use model::CloudConfig;
pub use substitution::{Addresses, substitute};
pub use units::UnitAction;
