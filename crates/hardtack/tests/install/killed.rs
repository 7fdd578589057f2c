//! `install` is killed at any moment; then it goes on, or is undone.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::{Duration, Instant};

use hardtack_fake_cloud::Cloud;

use crate::workshop::{Folder, cloud};

/// Blocks or parts that are on their way at the same time.
const IN_FLIGHT: usize = 64;

fn kill(times: u64, euca: bool) {
    let folder = Folder::new();
    folder.keys();
    folder.noise("noise.raw", 32);
    let line = if euca {
        "install noise.raw -n web-1 --on euca -b images -k user.pem -c user.crt"
    } else {
        "install noise.raw -n web-1 --on aws --region us-east-1 --copy-to eu-west-1 --ssm /web"
    };
    let cloud = cloud(euca);
    let started = Instant::now();
    folder.expect_at(&cloud, 0, line);
    let whole = started.elapsed();
    folder.expect_at(&cloud, 0, "undo web-1.journal");
    assert!(cloud.leftovers().is_empty());
    let mut seed = 7;
    for turn in 0..times {
        cloud.clear_log();
        let micros = u64::try_from(whole.as_micros()).unwrap();
        // Every moment of a run has its turn, and what is between them is at random.
        let at = micros * turn / times + Cloud::random(&mut seed) % (micros / times + 1);
        let mut child =
            folder.command_at(&cloud, line).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_micros(at));
        child.kill().unwrap();
        child.wait().unwrap();
        if turn % 2 == 0 {
            folder.expect_at(&cloud, 0, line);
            assert_eq!(cloud.images().len(), if euca { 1 } else { 2 }, "turn {turn}");
            let mut sent: BTreeMap<String, usize> = BTreeMap::new();
            for entry in cloud.log() {
                if entry.done && matches!(&*entry.action, "PutSnapshotBlock" | "PutObject") {
                    *sent.entry(entry.key).or_default() += 1;
                }
            }
            let twice = sent.values().map(|count| count - 1).sum::<usize>();
            assert!(twice <= IN_FLIGHT && twice < sent.len(), "turn {turn}: {twice} of {} twice", sent.len());
        }
        if folder.path("web-1.journal").exists() {
            folder.expect_at(&cloud, 0, "undo web-1.journal");
        }
        assert_eq!(cloud.leftovers().into_iter().collect::<Vec<_>>(), [""; 0], "turn {turn}");
    }
}

#[test]
fn a_killed_run_on_aws_goes_on_or_is_undone() {
    kill(4, false);
}

#[test]
fn a_killed_run_on_eucalyptus_goes_on_or_is_undone() {
    kill(4, true);
}

#[test]
#[ignore = "long: fifty runs"]
fn fifty_killed_runs_on_aws_leave_nothing() {
    kill(50, false);
}

#[test]
#[ignore = "long: fifty runs"]
fn fifty_killed_runs_on_eucalyptus_leave_nothing() {
    kill(50, true);
}
