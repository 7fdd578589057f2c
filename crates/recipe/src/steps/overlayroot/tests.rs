#![allow(clippy::unwrap_used, clippy::print_stderr)]

use super::*;
use hardtack_credentials::AgentConfig;
use hardtack_guest::{Content, HostTree, State};

use crate::{Facts, Options};

fn context<'a, 't>(stage: &'a mut Stage<'t>) -> Context<'a, 't> {
    Context {
        stage,
        facts: Facts::default(),
        epoch: 0,
        agent_binary: None,
        agent: AgentConfig::default(),
        notes: Vec::new(),
        options: Options::default(),
    }
}

fn crypt() -> OverlayrootStep {
    OverlayrootStep { mode: OverlayMode::Crypt, dev: Some("/dev/vdb".to_owned()), ..OverlayrootStep::default() }
}

/// Applies the step to an unpacked root on this machine, for boots by hand:
/// `OVERLAY_ROOT=DIR OVERLAY_MODE=crypt cargo test -p hardtack-recipe -- --ignored on_an_unpacked_root`.
#[test]
#[ignore = "changes the directory that OVERLAY_ROOT names"]
fn on_an_unpacked_root() {
    use std::io::Write as _;
    let root = std::env::var("OVERLAY_ROOT").unwrap();
    let settings = match std::env::var("OVERLAY_MODE").as_deref() {
        Ok("tmpfs") => OverlayrootStep::default(),
        _ => crypt(),
    };
    let tree = HostTree::new(&root);
    let mut stage = Stage::new(&tree);
    let mut cx = context(&mut stage);
    let result = apply(&settings, &mut cx);
    for note in &cx.notes {
        eprintln!("{:?}: {}", note.weight, note.text);
    }
    if let Err(StepError::Refused { what, hint, .. }) = &result {
        panic!("refused: {what}; {hint:?}");
    }
    result.unwrap();
    for edit in stage.edits().unwrap() {
        eprintln!("{} {}", edit.op().name(), edit.path);
        let path = format!("{root}{}", edit.path);
        match edit.state {
            State::Directory(_) => std::fs::create_dir_all(path).unwrap(),
            State::File(Content::Appended(tail), _) => {
                eprintln!("  {} bytes", tail.len());
                std::fs::OpenOptions::new().append(true).open(path).unwrap().write_all(&tail).unwrap();
            }
            State::File(Content::Bytes(bytes), attributes) => {
                std::fs::write(&path, &bytes[..]).unwrap();
                let mode = std::os::unix::fs::PermissionsExt::from_mode(attributes.mode);
                std::fs::set_permissions(&path, mode).unwrap();
            }
            other => panic!("{other:?}"),
        }
    }
}
