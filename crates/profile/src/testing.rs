//! What the tests of rules share.

use hardtack_guest::{Content, Stage, State, Tree};

use crate::{Bench, Finding, Settings, View, rule};

/// Carries out these rules over `tree` twice, asks that the second time changes nothing, and gives what looking at
/// them came to before and after, and the stage.
pub(crate) fn carry_out<'t>(
    tree: &'t dyn Tree,
    settings: &Settings,
    ids: &[&str],
) -> (Vec<Finding>, Vec<Finding>, Stage<'t>) {
    let mut stage = Stage::new(tree);
    let before = look(&stage, settings, ids);
    once(&mut stage, settings, ids);
    let first = states(&stage);
    once(&mut stage, settings, ids);
    let second = states(&stage);
    let differ: Vec<&String> = second.iter().filter(|state| !first.contains(state)).collect();
    assert!(second == first, "{ids:?}: a second time changes something: {differ:#?}");
    let after = look(&stage, settings, ids);
    (before, after, stage)
}

/// What looking at these rules comes to.
pub(crate) fn look(stage: &Stage<'_>, settings: &Settings, ids: &[&str]) -> Vec<Finding> {
    let view = View::new(stage, settings).unwrap();
    ids.iter().map(|id| rule(id).unwrap().measure.check(&view).unwrap()).collect()
}

fn once(stage: &mut Stage<'_>, settings: &Settings, ids: &[&str]) {
    let mut bench = Bench::new(stage, settings, 1_700_000_000, &[]);
    for id in ids {
        rule(id).unwrap().measure.apply(&mut bench).unwrap();
    }
    bench.finish().unwrap();
}

fn states(stage: &Stage<'_>) -> Vec<String> {
    stage
        .edits()
        .unwrap()
        .into_iter()
        .map(|edit| match &edit.state {
            State::File(Content::Bytes(bytes), attributes) => {
                format!("{} {attributes:?} {}", edit.path, String::from_utf8_lossy(bytes))
            }
            other => format!("{} {other:?}", edit.path),
        })
        .collect()
}
