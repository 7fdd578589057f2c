//! AWS, as far as a strict copy of it goes.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;

use hardtack_fake_cloud::{Fault, FaultKind, Service};
use serde_json::Value;

use crate::{USER_DATA, ids, journal, scene};

const ON: &str = "--on aws --region us-east-1";

#[test]
fn instances_start_with_all_that_they_need_and_undo_takes_it_away() {
    let (folder, cloud, image) = scene(|_| {});
    let before = cloud.leftovers();
    let line = format!(
        "launch web -f web.yaml {ON} -n 2 -t t3.micro --new-key web.pem --ssh-from 192.0.2.7 --volume 20G:/dev/vdc --tag \
         team=a -p a-profile"
    );
    let ran = folder.expect_at(&cloud, 0, &line);
    let started = cloud.instances();
    assert_eq!(started.len(), 2, "{started:?}");
    assert_eq!(
        ids(&ran.out).into_iter().collect::<BTreeSet<_>>(),
        started.iter().map(|one| one.id.clone()).collect::<BTreeSet<_>>()
    );
    assert!(
        ran.out.starts_with(&format!("RESERVATION\t{}\t123456789012\t", started[0].reservation)),
        "{}",
        ran.out
    );
    let groups = cloud.groups();
    let group = groups.iter().find(|group| group.name.starts_with("hardtack-")).unwrap();
    assert_eq!(group.rules.iter().cloned().collect::<Vec<_>>(), ["tcp 22-22 192.0.2.7/32"]);
    for one in &started {
        assert_eq!((one.image.as_str(), one.user_data.as_slice()), (image.as_str(), USER_DATA.as_bytes()));
        assert_eq!((one.instance_type.as_str(), one.tokens.as_str()), ("t3.micro", "required"));
        assert_eq!(one.key_name.as_deref(), Some("web"));
        assert_eq!(one.groups, std::slice::from_ref(&group.id));
        assert_eq!(one.tags["team"], "a");
        assert_eq!(one.tags["hardtack:journal"], group.tags["hardtack:journal"]);
        assert!(one.profile.as_ref().unwrap().ends_with("/a-profile"));
    }
    let volumes = cloud.volumes();
    let extra: Vec<_> = volumes
        .iter()
        .filter(|volume| volume.attached.as_ref().is_some_and(|(_, device)| device == "/dev/xvdc"))
        .collect();
    assert_eq!(extra.len(), 2, "{volumes:?}");
    assert!(extra.iter().all(|volume| volume.size == 20 && volume.delete_on_termination));
    assert!(ran.err.contains("/dev/nvme1n1"), "{}", ran.err);
    // The key is one that ssh takes, and nobody else reads.
    assert_eq!(folder.path("web.pem").metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let pairs = cloud.key_pairs();
    assert!(pairs[0].public.starts_with("ssh-ed25519 "), "{pairs:?}");
    let undone = folder.expect_at(&cloud, 0, &format!("undo {}", journal(&folder)));
    assert_eq!(cloud.leftovers(), before, "{}", undone.out);
    assert!(undone.out.contains("removed: the private key web.pem"), "{}", undone.out);
    assert!(!folder.path("web.pem").exists());
}

#[test]
fn a_private_key_that_is_another_or_opens_more_stays() {
    let (folder, cloud, _) = scene(|_| {});
    let line =
        |name: &str| format!("launch web -f web.yaml {ON} --new-key {name}.pem --journal {name}.journal");
    folder.expect_at(&cloud, 0, &line("one"));
    folder.write("one.pem", "another");
    let undone = folder.expect_at(&cloud, 0, "undo one.journal");
    assert!(undone.out.contains("left: one.pem: it has another key"), "{}", undone.out);
    assert_eq!(std::fs::read_to_string(folder.path("one.pem")).unwrap(), "another");
    folder.expect_at(&cloud, 0, &line("two"));
    folder.expect_at(&cloud, 0, &format!("launch web -f web.yaml {ON} -k two --journal other.journal"));
    let undone = folder.expect_at(&cloud, 0, "undo two.journal");
    assert!(
        undone.out.contains("was started with it, too") && folder.path("two.pem").exists(),
        "{}",
        undone.out
    );
}

#[test]
fn user_data_is_checked_before_the_first_call() {
    let (folder, cloud, _) = scene(|_| {});
    folder.write("bad.yaml", "#cloud-config\nhostname: [a]\n");
    let ran = folder.expect_at(&cloud, 1, &format!("launch web -f bad.yaml {ON}"));
    let checked = folder.run("user-data check bad.yaml");
    assert!(ran.err.starts_with(&checked.out), "{}\n{}", ran.err, checked.out);
    assert!(ran.out.is_empty() && cloud.log().is_empty(), "{:?}", cloud.log());
    assert_eq!(folder.names(".").iter().filter(|name| name.ends_with(".journal")).count(), 0);
    let forced = folder.expect_at(&cloud, 0, &format!("launch web -f bad.yaml --force {ON}"));
    assert!(forced.err.contains("1 error"), "{}", forced.err);
    // A name of a file is not sent by mistake.
    folder.expect_at(&cloud, 2, &format!("launch web -d bad.yaml {ON}"));
}

#[test]
fn several_files_are_packed_as_by_the_verb_of_user_data() {
    let (folder, cloud, _) = scene(|_| {});
    folder.write("setup.sh", "#!/bin/sh\necho\n");
    folder.expect(0, "user-data pack web.yaml setup.sh -o packed");
    folder.expect_at(&cloud, 0, &format!("launch web -f web.yaml -f setup.sh {ON}"));
    let sent = &cloud.instances()[0].user_data;
    assert!(*sent == std::fs::read(folder.path("packed")).unwrap());
}

#[test]
fn names_that_there_are_not_are_told_with_those_that_there_are() {
    let (folder, cloud, _) = scene(|options| {
        options.key_pairs = vec!["operations".to_owned()];
        options.groups = vec!["web-servers".to_owned()];
    });
    let before = cloud.leftovers();
    for (line, told) in [
        ("launch wbe -f web.yaml", "web"),
        ("launch web -f web.yaml -k operation", "operations"),
        ("launch web -f web.yaml -g web-server", "web-servers"),
        ("launch ami-0123456789abcdef0 -f web.yaml", "no such image"),
        ("launch web -f web.yaml -b /dev/sdb=snap-1:x", "second part"),
        ("launch web -f web.yaml --ssh-from 300.1.1.1", "no address"),
        ("launch web -f web.yaml --like ec2", "--like"),
    ] {
        let ran = folder.run(&format!("{line} {ON}"));
        assert_eq!(ran.code, Some(2), "without keys: {}", ran.err);
        let ran =
            crate::workshop::Ran::of(&folder.command_at(&cloud, &format!("{line} {ON}")).output().unwrap());
        assert!(matches!(ran.code, Some(2 | 3)), "{line}: {:?} {}", ran.code, ran.err);
        assert!(ran.err.contains(told), "{line}: {}", ran.err);
    }
    assert_eq!(cloud.leftovers(), before);
    // What was refused leaves no journal.
    assert_eq!(folder.names(".").iter().filter(|name| name.ends_with(".journal")).count(), 0);
    folder.expect_at(&cloud, 0, &format!("launch web -f web.yaml -k operations -g web-servers {ON}"));
    assert_eq!(cloud.instances()[0].key_name.as_deref(), Some("operations"));
}

#[test]
fn without_a_default_network_the_subnets_are_listed() {
    for extra in ["", " --ssh-from 192.0.2.0/24"] {
        let (folder, cloud, _) = scene(|options| options.default_vpc = false);
        let ran = folder.expect_at(&cloud, 3, &format!("launch web -f web.yaml {ON}{extra}"));
        let subnet = cloud.subnets().first().unwrap().split_whitespace().next().unwrap().to_owned();
        assert!(ran.err.contains("--subnet") && ran.err.contains(&subnet), "{}", ran.err);
        assert!(ran.err.contains("us-east-1a") && ran.err.contains("free"), "{}", ran.err);
        let ran =
            folder.expect_at(&cloud, 0, &format!("launch web -f web.yaml {ON}{extra} --subnet {subnet}"));
        assert_eq!(cloud.instances()[0].subnet.as_deref(), Some(subnet.as_str()), "{}", ran.out);
        let public = folder.expect_at(
            &cloud,
            0,
            &format!("launch web -f web.yaml {ON}{extra} --subnet {subnet} --public-ip --imds optional"),
        );
        let one = cloud.instances().into_iter().find(|one| one.id == ids(&public.out)[0]).unwrap();
        assert!(one.public && one.tokens == "optional", "{one:?}");
    }
}

#[test]
fn keys_are_imported_unless_the_cloud_has_them() {
    let (folder, cloud, _) = scene(|_| {});
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl ops\n";
    folder.write("ops.pub", key);
    folder.expect_at(&cloud, 0, &format!("launch web -f web.yaml -k ops.pub {ON} --journal one.journal"));
    assert_eq!(cloud.key_pairs()[0].name, "ops");
    let again =
        folder.expect_at(&cloud, 0, &format!("launch web -f web.yaml -k ops.pub {ON} --journal two.journal"));
    assert!(again.err.contains("has the key already"), "{}", again.err);
    assert_eq!(cloud.key_pairs().len(), 1);
    // What it did not import it does not take away.
    folder.expect_at(&cloud, 0, "undo two.journal");
    assert_eq!(cloud.key_pairs().len(), 1);
    folder.write(
        "other.pub",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKrnvPnCMRkHzpl4q1bxHnoVsZCh4MdAjrjeCCmUSNXA ops\n",
    );
    let clash = folder.expect_at(&cloud, 2, &format!("launch web -f web.yaml -k other.pub {ON}"));
    assert!(clash.err.contains("another key"), "{}", clash.err);
    folder.expect_at(&cloud, 0, "undo one.journal");
    assert!(cloud.key_pairs().is_empty());
    // A new key goes over nothing.
    folder.write("mine.pem", "mine");
    let taken = folder.expect_at(&cloud, 2, &format!("launch web -f web.yaml --new-key mine.pem {ON}"));
    assert!(taken.err.contains("never replaced"), "{}", taken.err);
    assert_eq!(std::fs::read_to_string(folder.path("mine.pem")).unwrap(), "mine");
}

#[test]
fn a_journal_that_is_named_is_gone_on_with_and_another_launch_is_another() {
    let (folder, cloud, _) = scene(|_| {});
    let line = format!("launch web -f web.yaml {ON} --json");
    let first: Value = serde_json::from_str(&folder.expect_at(&cloud, 0, &line).out).unwrap();
    assert!(first["journal"].as_str().unwrap().starts_with("web-20"), "{first}");
    let name = first["journal"].as_str().unwrap();
    let again = folder.expect_at(&cloud, 0, &format!("{line} --journal {name}"));
    let again: Value = serde_json::from_str(&again.out).unwrap();
    assert_eq!(again["instances"][0]["id"], first["instances"][0]["id"]);
    assert_eq!(cloud.instances().len(), 1);
    folder.expect_at(&cloud, 0, &line);
    assert_eq!(cloud.instances().len(), 2);
    let other = folder.expect_at(&cloud, 3, &format!("launch web -d #cloud-config {ON} --journal {name}"));
    assert!(other.err.contains("another run"), "{}", other.err);
}

#[test]
fn what_the_cloud_refuses_is_told_with_what_to_do_and_leaves_nothing() {
    let (folder, cloud, _) = scene(|_| {});
    let before = cloud.leftovers();
    let refused = |fault: Option<(u16, &'static str)>, code: i32, extra: &str, hint: &str| {
        if let Some((status, code)) = fault {
            cloud.inject(Fault::new(Service::Ec2, "RunInstances", FaultKind::Code(status, code)));
        }
        let ran = folder.expect_at(&cloud, code, &format!("launch web -f web.yaml {ON} {extra}"));
        assert!(
            ran.out.is_empty() && ran.err.contains("hint: ") && ran.err.contains(hint),
            "{extra}: {}",
            ran.err
        );
        assert_eq!(cloud.leftovers(), before, "{extra}");
        assert!(folder.names(".").iter().all(|name| !name.ends_with(".journal")), "{extra}: {}", ran.err);
    };
    refused(None, 3, "-t t3.smal", "hardtack types");
    refused(None, 3, "-t t4g.small", "the image is of x86_64");
    refused(None, 3, "-z us-east-1x", "-z names a zone");
    refused(None, 3, "-p nobody", "instance profile");
    refused(None, 5, "-n 1000", "quota");
    refused(Some((400, "Unsupported")), 3, "", "another type");
    refused(Some((400, "InsufficientInstanceCapacity")), 5, "", "another zone");
    refused(Some((403, "UnauthorizedOperation")), 5, "", "ec2:RunInstances");
}
