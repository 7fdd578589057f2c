//! Eucalyptus: it refuses what it does not know.

use crate::{USER_DATA, euca_scene, ids, journal};

#[test]
fn an_instance_of_the_instance_store_gets_its_volume_while_it_boots() {
    let (folder, cloud, image) = euca_scene(|_| {});
    let before = cloud.leftovers();
    let zone = cloud.options().zones[0].clone();
    let line = format!(
        "launch web -f web.yaml --on euca -t m1.small -z {zone} --new-key web.pem --ssh-from 192.0.2.0/24 --volume \
         2G:/dev/vdc --tag team=a"
    );
    let ran = folder.expect_at(&cloud, 0, &line);
    let started = cloud.instances();
    assert_eq!(ids(&ran.out), [started[0].id.clone()], "{}", ran.out);
    assert_eq!((&started[0].image, started[0].user_data.as_slice()), (&image, USER_DATA.as_bytes()));
    assert_eq!(started[0].tags["team"], "a");
    let volumes = cloud.volumes();
    let volume = volumes.iter().find(|volume| volume.size == 2).unwrap();
    assert_eq!(volume.attached, Some((started[0].id.clone(), "/dev/vdc".to_owned())));
    assert!(ran.err.contains("appears during the first boot"), "{}", ran.err);
    assert!(cloud.key_pairs()[0].public.starts_with("ssh-rsa "), "{:?}", cloud.key_pairs());
    folder.expect_at(&cloud, 0, &format!("undo {}", journal(&folder)));
    assert_eq!(cloud.leftovers(), before);
}

#[test]
fn keys_that_eucalyptus_does_not_know_are_told_before_any_call() {
    let (folder, cloud, _) = euca_scene(|_| {});
    folder.write(
        "ops.pub",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl ops\n",
    );
    let ran = folder.expect_at(&cloud, 2, "launch web -f web.yaml -k ops.pub --on euca");
    assert!(ran.err.contains("Eucalyptus takes RSA"), "{}", ran.err);
    assert!(cloud.instances().is_empty());
}
