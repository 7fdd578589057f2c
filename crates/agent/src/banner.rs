//! The line that every stage begins with (`cloudinit/cmd/main.py`, `WELCOME_MSG_TPL`), and what this program
//! calls itself where cloud-init would tell its version.
//!
//! On the console and in the files that others read stands the release of cloud-init whose behaviour this is
//! ([`CLOUD_INIT`]): people and programs look there for what to expect. `cloud-init --version` says besides
//! who answers.

use hardtack_modules::system::{CLOUD_INIT, rfc2822};

use crate::stage::Stage;

/// What `cloud-init --version` prints behind the program's path.
///
/// Scripts take the second word and read numbers from its start: `26.2`, as they do of Debian's
/// `22.4.2-1+deb12u1` and Ubuntu's `24.1.3-0ubuntu1~22.04.1`. So upstream's version comes first and what is ours
/// stands where a distribution's revision does.
pub(crate) fn version() -> String {
    format!("{CLOUD_INIT}-hardtack{}", env!("CARGO_PKG_VERSION"))
}

/// What cloud-init calls the stage in this line.
fn action(stage: Stage) -> &'static str {
    match stage {
        Stage::Local => "init-local",
        Stage::Network => "init",
        Stage::Config => "modules:config",
        Stage::Final => "modules:final",
    }
}

/// The line of `stage`, begun at `now` seconds since 1970 and `uptime` seconds after the kernel; with its
/// line break.
pub(crate) fn line(stage: Stage, now: u64, uptime: f64) -> String {
    named(action(stage), now, uptime)
}

/// The same for what is no stage: `single`.
pub(crate) fn named(action: &str, now: u64, uptime: f64) -> String {
    format!("Cloud-init v. {CLOUD_INIT} running '{action}' at {}. Up {uptime:.2} seconds.\n", rfc2822(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_cloud_init_prints_it() {
        assert_eq!(
            line(Stage::Local, 1_689_120_000, 6.63),
            "Cloud-init v. 26.2 running 'init-local' at Wed, 12 Jul 2023 00:00:00 +0000. Up 6.63 seconds.\n"
        );
        assert!(line(Stage::Final, 0, 60.0).contains("running 'modules:final' at Thu, 01 Jan 1970"));
        assert!(line(Stage::Final, 0, 60.0).ends_with("Up 60.00 seconds.\n"));
    }

    #[test]
    fn the_version_begins_with_numbers() {
        assert!(version().starts_with("26.2-hardtack"), "{}", version());
    }
}
