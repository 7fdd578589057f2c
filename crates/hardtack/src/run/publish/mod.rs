//! What `install`, `upload`, `register` and `undo` share: the place, the journal, who is told, the answer.

mod answer;
mod journal;
mod options;
mod site;
mod talker;

pub(super) use answer::print_image;
pub(super) use journal::{Session, default_path};
pub(super) use options::{Existing, distribution, existing, mappings, register_request};
pub(super) use site::{Site, catalog_directory, client, find, place_options};
pub(super) use talker::Talker;
