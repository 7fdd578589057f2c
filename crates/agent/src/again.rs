//! Printing the block once more, at the end of the boot.
//!
//! The console is everybody's while a machine starts. What could cut into the block is held down or waits
//! (`console`), and what came in nevertheless is noticed. Then `/run/hardtack/printed.json` says so, and
//! `hardtack-credentials-again.service`, when everything has started, prints again. So it does where the machine
//! asks for something else by then than the block says.

use serde::{Deserialize, Serialize};

use crate::accounts::replace_unsynced;
use crate::config::{RUNTIME, directory};
use crate::error::AgentError;
use crate::host::Host;
use crate::{console, guard, journal};

const PATH: &str = "/run/hardtack/printed.json";

/// The last print of this boot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Printed {
    /// Nothing is known to have come in between, on any console.
    pub(crate) whole: bool,
    /// No console took it: the next try would go the same way.
    pub(crate) failed: bool,
    /// What it said of drift.
    pub(crate) drift: Vec<String>,
}

/// Prints the block, and notes how it went. `drift` is what it says in [`Block::drift`](hardtack_credentials::Block).
pub(crate) fn print(host: &Host, text: &str, drift: &[String]) -> Result<(), AgentError> {
    let done = console::print_whole(host, text);
    let printed = Printed { whole: matches!(done, Ok(true)), failed: done.is_err(), drift: drift.to_vec() };
    let kept = directory(host, RUNTIME).and_then(|_| {
        let text = serde_json::to_string(&printed).unwrap_or_default();
        replace_unsynced(&host.path(PATH), format!("{text}\n").as_bytes(), 0o600)
    });
    if let Err(error) = kept {
        journal::say(&error.to_string());
    }
    done.map(|_| ())
}

/// The last print of this boot, if there was one.
pub(crate) fn printed(host: &Host) -> Option<Printed> {
    serde_json::from_slice(&host.read(PATH).ok()??).ok()
}

/// Whether the block has to be printed again: it arrived damaged, or is no longer true.
pub(crate) fn is_needed(host: &Host) -> bool {
    let Some(printed) = printed(host) else { return false };
    let drift = guard::current(host).map(|state| state.drift()).unwrap_or_default();
    let why = match (printed.whole, printed.drift == drift) {
        _ if printed.failed => return false,
        (true, true) => return false,
        (false, _) => "something cut into it",
        (true, false) => "logins ask for something else by now",
    };
    journal::say(&format!("the block is printed again: {why}"));
    true
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::testing::Tree;

    fn tree() -> Tree {
        Tree::new()
            .directory("proc")
            .file("sys/class/tty/console/active", "ttyS0\n")
            .file("proc/sys/kernel/printk", "7\t4\t1\t7\n")
            .file("dev/ttyS0", "")
    }

    #[test]
    fn a_block_that_arrived_and_is_true_is_printed_once() {
        let tree = tree();
        assert!(!is_needed(&tree.host()), "nothing was printed yet");
        print(&tree.host(), "block\n", &[]).unwrap();
        assert!(!is_needed(&tree.host()));
        let tree = tree.file(
            "run/hardtack/guard.json",
            r#"{"version":1,"verdict":"weaker","weaknesses":[{"what":"x","hint":"y"}]}"#,
        );
        assert!(is_needed(&tree.host()), "drift that the block does not tell");
        print(&tree.host(), "block\n", &["x; y".to_owned()]).unwrap();
        assert!(!is_needed(&tree.host()));
    }

    #[test]
    fn a_block_that_was_cut_into_is_printed_again() {
        let tree = tree().file("run/hardtack/printed.json", r#"{"whole":false,"drift":[]}"#);
        assert!(is_needed(&tree.host()));
        for nothing in ["rubbish", r#"{"whole":false,"failed":true}"#] {
            let tree = Tree::new().file("run/hardtack/printed.json", nothing);
            assert!(!is_needed(&tree.host()), "{nothing}");
        }
    }
}
