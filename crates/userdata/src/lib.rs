//! User-data: the text that people hand to a new instance, read as cloud-init and coreos-cloudinit
//! read it. The host checks a file with this crate before it costs a launch. It is small and without any
//! host in it, so that a program in the guest can give the same verdict.
//!
//! * [`check`](mod@check), [`report`]: everything in one call, and what came of it.
//! * [`part`]: what user-data is made of, and where each piece stands in the file.
//! * [`split`](mod@split): from bytes to parts; on the way [`gunzip`], [`maybe_base64`],
//!   [`format`](mod@format), [`archive`] and [`template`].
//! * [`pack`](mod@pack): several files as one piece of user-data.
//! * [`show`]: the parts as JSON.
//! * [`value`]: configuration with a place for every value.
//! * [`coreos`]: the dialect of coreos-cloudinit.
//! * [`finding`]: what is wrong with it, and where.
//! * [`load`]: from a part's text to values, as PyYAML reads it.
//! * [`python`]: text as Python cuts it.
//! * [`truth`], [`options`], [`python_repr`]: values converted as cloud-init converts them.
//! * [`merge`]: several parts become one configuration; [`layers`]: user-data over vendor-data over the
//!   image's own.
//! * [`kernel_command_line`]: what it may say.
//! * [`json`]: configuration as JSON; [`yaml_out`]: as PyYAML writes it.
//! * [`schema`]: every key, type and value against what cloud-init knows.
//! * [`traps`]: what is valid and yet not what people mean.
//! * [`operator`]: second factors that the operator brings.
//! * [`secrets`], [`redact`]: what is not to be shown.
//!
//! Nothing here prints, reads the environment, the clock or the network. Nothing panics on any input;
//! sizes and depths are bounded by [`limits`].
#![forbid(unsafe_code)]

pub mod archive;
pub mod check;
mod content_secrets;
pub mod coreos;
pub mod equal;
pub mod finding;
mod first_line;
pub mod format;
pub mod gunzip;
mod include;
mod interpreter;
pub mod json;
mod json_patch;
mod json_text;
pub mod kernel_command_line;
mod launch_index;
pub mod layers;
pub mod lenient_base64;
pub mod limits;
pub mod load;
pub mod maybe_base64;
pub mod merge;
mod mime;
pub mod operator;
pub mod options;
pub mod pack;
pub mod part;
mod process;
pub mod python;
pub mod python_repr;
pub mod redact;
pub mod report;
pub mod schema;
pub mod secrets;
pub mod show;
pub mod size;
pub mod split;
pub mod template;
pub mod traps;
pub mod truth;
pub mod utf8;
pub mod value;
mod wording;
pub mod yaml_out;

pub use finding::{Finding, Place, Severity};
pub use part::{Origin, Part, PartKind};
pub use split::{Fetch, SplitOptions, UserData, split};
pub use value::{Key, Kind, Map, Value};
