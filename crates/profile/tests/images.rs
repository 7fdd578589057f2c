//! Profiles over real images: what is done holds, and is done once.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::path::PathBuf;
use std::sync::Arc;

use hardtack_disk::{BlockSource, Overlay, open_source};
use hardtack_guest::{Guest, Stage};
use hardtack_profile::{Finding, Judged, Kind, Phase, Profile, Surroundings, apply, check};

/// A real image, or a visible word and nothing.
fn image(name: &str) -> Option<Guest> {
    let cache =
        std::env::var_os("HARDTACK_CACHE").map_or_else(|| "/var/cache/hardtack".into(), PathBuf::from);
    let path = cache.join("images").join(format!("{name}.qcow2"));
    if !path.exists() {
        eprintln!("SKIPPED: {} is not there", path.display());
        return None;
    }
    let source: Arc<dyn BlockSource> = Arc::from(open_source(&path).unwrap());
    Some(Guest::open_to_read(Arc::new(Overlay::new(source))).unwrap())
}

fn states(stage: &Stage<'_>) -> Vec<String> {
    stage.edits().unwrap().into_iter().map(|edit| format!("{} {:?}", edit.path, edit.state)).collect()
}

fn carried_out(name: &str, kind: Kind) {
    let Some(guest) = image(name) else { return };
    let profile = Profile::new(kind);
    let mut stage = Stage::new(&guest);
    let around = Surroundings { epoch: 1_700_000_000, ..Surroundings::default() };
    for phase in [Phase::Early, Phase::Late] {
        apply(&profile, &mut stage, around, phase).unwrap();
    }
    let first = states(&stage);
    for phase in [Phase::Early, Phase::Late] {
        apply(&profile, &mut stage, around, phase).unwrap();
    }
    assert_eq!(states(&stage), first, "a second time changes something");
    let failed: Vec<Judged> = check(&profile, &stage)
        .unwrap()
        .into_iter()
        .filter(|judged| matches!(judged.finding, Finding::Fail { .. }))
        .collect();
    assert!(failed.is_empty(), "{name}, {}: {failed:#?}", kind.word());
}

#[test]
fn debian_12() {
    for (_, kind) in Kind::WORDS {
        carried_out("debian12", *kind);
    }
}

/// It has all that the other kinds have, and each run takes seconds.
#[test]
fn debian_13() {
    carried_out("debian13", Kind::Cis2);
}
