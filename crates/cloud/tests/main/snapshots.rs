//! From blocks to a shared image, and back.

use hardtack_cloud::ebs::{self, BLOCK, StartSnapshot};
use hardtack_cloud::ec2::{
    self, BootMode, CopyImage, ImageFilter, Launchers, Mapping, PublicAccess, SnapshotState,
};
use hardtack_cloud::{Client, Error};
use hardtack_fake_cloud::{Cloud, Fault, FaultKind, Service};
use sha2::{Digest as _, Sha256};

use crate::places::client;

fn tags() -> Vec<(String, String)> {
    vec![("hardtack:journal".to_owned(), "j".to_owned())]
}

fn completed(client: &Client, id: &str) {
    for _ in 0..10 {
        match ec2::describe_snapshots(client, &[id], &[]).unwrap().remove(0).state {
            SnapshotState::Completed => return,
            state => assert_eq!(state, SnapshotState::Pending),
        }
    }
    panic!("{id} is never completed");
}

fn snapshot(client: &Client, token: &str) -> String {
    let request = StartSnapshot {
        size: 1,
        token: token.to_owned(),
        tags: tags(),
        description: "d".to_owned(),
        timeout: 60,
        ..StartSnapshot::default()
    };
    let started = ebs::start_snapshot(client, &request).unwrap();
    assert_eq!(ebs::start_snapshot(client, &request).unwrap(), started, "the same token");
    let mut all = Sha256::new();
    for index in [3_u64, 2047] {
        let data = vec![u8::try_from(index % 251).unwrap(); BLOCK];
        let digest: [u8; 32] = Sha256::digest(&data).into();
        ebs::put_block(client, &started.id, index, &data, &digest).unwrap();
        all.update(digest);
    }
    let data = vec![1; BLOCK];
    assert!(ebs::put_block(client, &started.id, 0, &data, &[0; 32]).is_err(), "another checksum");
    let all: [u8; 32] = all.finalize().into();
    assert!(ebs::complete_snapshot(client, &started.id, 3, &all).is_err(), "another count");
    ebs::complete_snapshot(client, &started.id, 2, &all).unwrap();
    completed(client, &started.id);
    started.id
}

fn registration(snapshot: &str, name: &str) -> ec2::RegisterImage {
    ec2::RegisterImage {
        name: name.to_owned(),
        description: Some("d".to_owned()),
        architecture: "x86_64".to_owned(),
        virtualization: Some("hvm".to_owned()),
        root_device: Some("/dev/xvda".to_owned()),
        mappings: vec![Mapping {
            device: "/dev/xvda".to_owned(),
            snapshot: Some(snapshot.to_owned()),
            volume_type: Some("gp3".to_owned()),
            delete_on_termination: Some(true),
            ..Mapping::default()
        }],
        boot_mode: Some(BootMode::Uefi),
        ena: true,
        sriov: true,
        imds_v2: true,
        tpm: true,
        tags: tags(),
        ..ec2::RegisterImage::default()
    }
}

fn named(name: &str) -> ImageFilter {
    ImageFilter {
        owners: vec!["self".to_owned()],
        filters: vec![("name".to_owned(), vec![name.to_owned()])],
        ..ImageFilter::default()
    }
}

fn available(client: &Client, id: &str) -> ec2::Image {
    let filter = ImageFilter { ids: vec![id.to_owned()], ..ImageFilter::default() };
    for _ in 0..10 {
        let image = ec2::describe_images(client, &filter).unwrap().remove(0);
        if image.state == "available" {
            return image;
        }
        assert_eq!(image.state, "pending");
    }
    panic!("{id} is never available");
}

#[test]
fn an_image_is_made_shared_copied_and_undone() {
    let cloud = Cloud::start();
    let client = client(&cloud);
    let snapshot = snapshot(&client, "t-1");
    assert!(ec2::describe_images(&client, &named("image-n")).unwrap().is_empty());
    let id = ec2::register_image(&client, &registration(&snapshot, "image-n")).unwrap();
    let again = ec2::register_image(&client, &registration(&snapshot, "image-n")).unwrap_err();
    assert!(again.is("InvalidAMIName.Duplicate"), "{again}");
    let image = available(&client, &id);
    assert_eq!(image.boot_mode.as_deref(), Some("uefi"));
    assert_eq!(image.mappings[0].snapshot.as_deref(), Some(snapshot.as_str()));
    assert_eq!(image.tags, tags());
    assert_eq!(ec2::describe_images(&client, &named("image-n")).unwrap()[0].id, id);

    ec2::create_tags(&client, &[&id], &[("hardtack:inputs".to_owned(), "x".to_owned())]).unwrap();
    assert_eq!(available(&client, &id).tags.len(), 2);

    let accounts = vec!["210987654321".to_owned()];
    let add = Launchers { accounts: accounts.clone(), ..Launchers::default() };
    ec2::modify_launchers(&client, &id, &add, &Launchers::default()).unwrap();
    assert_eq!(ec2::launchers(&client, &id).unwrap(), add);
    ec2::modify_launchers(&client, &id, &Launchers::default(), &add).unwrap();
    assert_eq!(ec2::launchers(&client, &id).unwrap(), Launchers::default());
    ec2::share_snapshot(&client, &snapshot, &accounts, false).unwrap();
    let view = cloud.snapshots().into_iter().find(|view| view.id == snapshot).unwrap();
    assert!(view.users.contains("210987654321"));

    let far = client.in_region("eu-west-1");
    let request = CopyImage {
        image: id.clone(),
        from: "us-east-1".to_owned(),
        name: "image-n".to_owned(),
        token: "c-1".to_owned(),
        tags: tags(),
        ..CopyImage::default()
    };
    let copy = ec2::copy_image(&far, &request).unwrap();
    assert_eq!(ec2::copy_image(&far, &request).unwrap(), copy, "the same token");
    let copied = available(&far, &copy);
    let copied = copied.mappings[0].snapshot.clone().unwrap();
    assert_eq!(ec2::describe_snapshots(&far, &[&copied], &[]).unwrap()[0].tags, tags());

    assert!(ec2::delete_snapshot(&client, &snapshot).unwrap_err().is("InvalidSnapshot.InUse"));
    for (client, image, snapshot) in [(&client, &id, &snapshot), (&far, &copy, &copied)] {
        for _ in 0..2 {
            ec2::deregister_image(client, image).unwrap();
        }
        for _ in 0..2 {
            ec2::delete_snapshot(client, snapshot).unwrap();
        }
    }
    assert!(cloud.leftovers().is_empty(), "{:?}", cloud.leftovers());
}

#[test]
fn blocks_are_read_back() {
    let cloud = Cloud::builder().with(|options| options.page = 1).start();
    let client = client(&cloud);
    let id = snapshot(&client, "t-1");
    let mut found = Vec::new();
    let mut next: Option<String> = None;
    loop {
        let page = ebs::list_blocks(&client, &id, next.as_deref()).unwrap();
        assert_eq!(page.size, 1);
        for entry in &page.blocks {
            let expected = vec![u8::try_from(entry.index % 251).unwrap(); BLOCK];
            assert_eq!(ebs::get_block(&client, &id, entry).unwrap(), expected);
        }
        found.extend(page.blocks.into_iter().map(|entry| entry.index));
        next = page.next;
        if next.is_none() {
            break;
        }
    }
    assert_eq!(found, [3, 2047]);
    let strange = ebs::BlockEntry { index: 3, token: "AAUB".to_owned() };
    assert!(ebs::get_block(&client, &id, &strange).is_err());
}

#[test]
fn a_public_snapshot_is_copied() {
    let cloud = Cloud::start();
    let client = client(&cloud);
    let data = vec![9; BLOCK];
    let public = cloud.make_snapshot("us-east-1", "210987654321", 1, None, true, &[(5, &data)]);
    let request = ec2::CopySnapshot {
        snapshot: public,
        from: "us-east-1".to_owned(),
        description: "d".to_owned(),
        tags: tags(),
        ..ec2::CopySnapshot::default()
    };
    let copy = ec2::copy_snapshot(&client, &request).unwrap();
    completed(&client, &copy);
    let filters = [("tag:hardtack:journal".to_owned(), vec!["j".to_owned()])];
    assert_eq!(ec2::describe_snapshots(&client, &[], &filters).unwrap()[0].id, copy);
    assert_eq!(ebs::list_blocks(&client, &copy, None).unwrap().blocks[0].index, 5);
    ec2::delete_snapshot(&client, &copy).unwrap();
}

#[test]
fn a_snapshot_with_a_parent_holds_the_parents_blocks() {
    let cloud = Cloud::start();
    let client = client(&cloud);
    let parent = snapshot(&client, "t-1");
    let request = StartSnapshot {
        size: 1,
        token: "t-2".to_owned(),
        timeout: 60,
        parent: Some(parent),
        ..StartSnapshot::default()
    };
    let child = ebs::start_snapshot(&client, &request).unwrap();
    let data = vec![7; BLOCK];
    let digest: [u8; 32] = Sha256::digest(&data).into();
    ebs::put_block(&client, &child.id, 4, &data, &digest).unwrap();
    ebs::complete_snapshot(&client, &child.id, 1, &Sha256::digest(digest).into()).unwrap();
    completed(&client, &child.id);
    let blocks = ebs::list_blocks(&client, &child.id, None).unwrap().blocks;
    assert_eq!(blocks.iter().map(|entry| entry.index).collect::<Vec<_>>(), [3, 4, 2047]);
}

#[test]
fn an_image_is_not_registered_twice_when_an_answer_is_lost() {
    let cloud = Cloud::start();
    let client = client(&cloud);
    let snapshot = snapshot(&client, "t-1");
    cloud.clear_log();
    cloud.inject(Fault::new(Service::Ec2, "RegisterImage", FaultKind::CloseAfterRequest));
    let error = ec2::register_image(&client, &registration(&snapshot, "image-n")).unwrap_err();
    assert!(matches!(error, Error::Transport { .. }), "{error}");
    assert_eq!(cloud.log().len(), 1, "{:?}", cloud.log());
    assert_eq!(ec2::describe_images(&client, &named("image-n")).unwrap().len(), 1);
    // What was not carried out may be sent again.
    cloud.inject(Fault::new(Service::Ec2, "RegisterImage", FaultKind::Status(503)));
    ec2::register_image(&client, &registration(&snapshot, "image-m")).unwrap();
    // An answer that is none gives no id.
    cloud.inject(Fault::new(Service::Ec2, "RegisterImage", FaultKind::Nonsense));
    let error = ec2::register_image(&client, &registration(&snapshot, "image-o")).unwrap_err();
    assert!(matches!(error, Error::Answer { .. }), "{error}");
}

#[test]
fn what_an_account_says_of_encryption_and_sharing() {
    let cloud = Cloud::start();
    let client = client(&cloud);
    assert!(!ec2::encryption_default(&client).unwrap().enabled);
    cloud.encrypt_by_default("us-east-1", true, None);
    let found = ec2::encryption_default(&client).unwrap();
    assert_eq!((found.enabled, found.kms_key), (true, None));
    let key = "arn:aws:kms:us-east-1:123456789012:key/1";
    cloud.encrypt_by_default("us-east-1", true, Some(key));
    assert_eq!(ec2::encryption_default(&client).unwrap().kms_key.as_deref(), Some(key));
    cloud.block_public_access("us-east-1", true, false);
    assert_eq!(ec2::image_public_access(&client).unwrap(), PublicAccess::Blocked);
    assert_eq!(ec2::snapshot_public_access(&client).unwrap(), PublicAccess::Allowed);
    assert!(ec2::regions(&client).unwrap().contains(&"eu-west-1".to_owned()));
}

#[test]
fn an_instance_is_tried() {
    let cloud = Cloud::start();
    let client = client(&cloud);
    let root = cloud.make_snapshot("us-east-1", "123456789012", 1, None, false, &[]);
    let image = cloud.make_image("us-east-1", "image-n", &root, "x86_64", false);
    let request = ec2::RunInstance {
        image: image.clone(),
        instance_type: "t3.small".to_owned(),
        user_data: b"#cloud-config\n".to_vec(),
        token: "t".to_owned(),
        imds_v2: true,
        tags: tags(),
        ..ec2::RunInstance::default()
    };
    let instance = ec2::run_instance(&client, &request).unwrap();
    assert_eq!(ec2::run_instance(&client, &request).unwrap().id, instance.id, "the same token");
    assert_eq!(cloud.instances()[0].user_data, b"#cloud-config\n");
    let filters = [("tag:hardtack:journal".to_owned(), vec!["j".to_owned()])];
    let running =
        (0..10).any(|_| ec2::describe_instances(&client, &[], &filters).unwrap()[0].state.name == "running");
    assert!(running);
    let found = &ec2::describe_instances(&client, &[&instance.id], &[]).unwrap()[0];
    assert_eq!((found.image.as_str(), &found.tags), (image.as_str(), &tags()));
    let text = (0..10).find_map(|_| {
        let text = ec2::console_output(&client, &instance.id, false).unwrap();
        (!text.is_empty()).then_some(text)
    });
    assert!(String::from_utf8(text.unwrap()).unwrap().contains("Linux version"));
    ec2::terminate_instance(&client, &instance.id).unwrap();
    ec2::terminate_instance(&client, &instance.id).unwrap();
    ec2::terminate_instance(&client, "i-00000000000000000").unwrap();
}
