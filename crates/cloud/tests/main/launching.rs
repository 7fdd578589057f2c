//! Instances with all that they need, stacks and properties, on both clouds.

use hardtack_cloud::ec2::{self, CreateSecurityGroup, CreateVolume, Mapping, Rule, RunInstances};
use hardtack_cloud::{Client, Kind, Scheme, autoscaling, cloudformation, properties, s3};
use hardtack_fake_cloud::{BucketOwnership, Cloud, Fault, FaultKind, Service};

use crate::places::{client, with};

const KEY: &str = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQC7 me";
const ED25519: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDtBiLGGDPl6lzx4ajPYxCWBZTQgGh7UeHRd2LfD7QzA me";
const EMI: &str = "loadbalancing.loadbalancer_emi";

fn each(test: impl Fn(&Cloud, &Client)) {
    let aws = Cloud::start();
    test(&aws, &client(&aws));
    for scheme in [Scheme::V4, Scheme::V2] {
        let cloud = Cloud::builder().eucalyptus().start();
        let account = &cloud.options().accounts[0];
        test(&cloud, &with(&cloud, &account.key, &account.secret, scheme));
    }
}

fn image(cloud: &Cloud) -> String {
    let region = &cloud.options().region;
    let root = cloud.make_snapshot(region, "123456789012", 8, None, false, &[]);
    cloud.make_image(region, "an-image", &root, "x86_64", false)
}

fn tags() -> Vec<(String, String)> {
    vec![("hardtack:journal".to_owned(), "j".to_owned())]
}

fn ssh() -> Rule {
    Rule {
        protocol: "tcp".to_owned(),
        from_port: Some(22),
        to_port: Some(22),
        networks: vec!["192.0.2.1/32".to_owned()],
        ..Rule::default()
    }
}

/// The cloud counts looks, not seconds.
fn until(mut done: impl FnMut() -> bool) {
    assert!((0..100).any(|_| done()));
}

#[test]
fn instances_are_launched_with_all_that_they_need_and_removed() {
    each(|cloud, client| {
        let aws = client.place().kind == Kind::Aws;
        let image = image(cloud);
        let zone = ec2::describe_zones(client, &[]).unwrap().remove(0).name;
        let key = if aws { ED25519 } else { KEY };
        if aws {
            ec2::import_key_pair(client, "me", key, &tags()).unwrap();
            assert_eq!(ec2::describe_key_pairs(client, &["me"], &[]).unwrap()[0].name, "me");
        }
        let group = CreateSecurityGroup {
            name: "ssh".to_owned(),
            description: "of a test".to_owned(),
            vpc: None,
            tags: tags(),
        };
        let group = ec2::create_security_group(client, &group).unwrap();
        ec2::authorize_ingress(client, &group, &[ssh()]).unwrap();
        ec2::authorize_ingress(client, &group, &[ssh()]).unwrap();
        let found = ec2::describe_security_groups(client, &[&group], &[]).unwrap().remove(0);
        assert_eq!((found.ingress[0].networks.clone(), found.tags), (ssh().networks, tags()));
        let request = RunInstances {
            image,
            count: (2, 2),
            instance_type: if aws { "t3.small" } else { "m1.small" }.to_owned(),
            user_data: b"#!/bin/sh\n".to_vec(),
            key_name: aws.then(|| "me".to_owned()),
            groups: vec![group.clone()],
            zone: Some(zone.clone()),
            mappings: vec![Mapping {
                device: if aws { "/dev/xvda" } else { "/dev/sda" }.to_owned(),
                size: Some(20),
                delete_on_termination: Some(true),
                ..Mapping::default()
            }],
            token: "t".to_owned(),
            imds_v2: true,
            hop_limit: Some(2),
            tags: tags(),
            ..RunInstances::default()
        };
        let made = ec2::run_instances(client, &request).unwrap();
        let again = ec2::run_instances(client, &request).unwrap();
        assert_eq!((made.instances.len(), &made.id), (2, &again.id));
        let of_journal = [("tag:hardtack:journal".to_owned(), vec!["j".to_owned()])];
        let found = ec2::describe_reservations(client, &[], &of_journal).unwrap();
        assert_eq!((found.len(), found[0].instances.len()), (1, 2));
        let instance = &found[0].instances[0];
        assert_eq!(
            (instance.reservation.as_str(), instance.zone.as_deref()),
            (found[0].id.as_str(), Some(&*zone))
        );
        let volume = CreateVolume {
            size: Some(2),
            zone,
            token: "v".to_owned(),
            tags: tags(),
            ..CreateVolume::default()
        };
        let volume = ec2::create_volume(client, &volume).unwrap();
        assert_eq!(volume.tags, tags());
        let volume = volume.id;
        until(|| ec2::describe_volumes(client, &[&volume], &[]).unwrap()[0].state == "available");
        until(|| ec2::describe_instances(client, &[&instance.id], &[]).unwrap()[0].state.name == "running");
        ec2::attach_volume(client, &volume, &instance.id, "/dev/sdf").unwrap();
        assert_eq!(
            ec2::describe_volumes(client, &[&volume], &[]).unwrap()[0].attachments[0].instance,
            instance.id
        );
        for instance in &found[0].instances {
            assert!(ec2::terminate(client, &instance.id).unwrap());
        }
        let over =
            |id: &str| ec2::describe_instances(client, &[id], &[]).unwrap()[0].state.name == "terminated";
        until(|| found[0].instances.iter().all(|instance| over(&instance.id)));
        ec2::delete_volume(client, &volume).unwrap();
        ec2::delete_volume(client, &volume).unwrap();
        ec2::delete_security_group(client, &group).unwrap();
        ec2::delete_security_group(client, &group).unwrap();
        ec2::delete_key_pair(client, "me").unwrap();
        ec2::delete_key_pair(client, "me").unwrap();
        assert!(cloud.key_pairs().is_empty() && cloud.volumes().is_empty(), "{:?}", cloud.leftovers());
    });
}

#[test]
fn types_are_told_with_what_is_free_where_that_is_known() {
    each(|_, client| {
        let found = ec2::describe_instance_types(client, &[], &[]).unwrap();
        let aws = client.place().kind == Kind::Aws;
        assert!(found.iter().all(|size| size.processors > 0 && size.memory > 0));
        assert!(found.iter().all(|size| size.capacity.is_empty() == aws));
    });
}

#[test]
fn without_a_default_network_a_subnet_is_asked_for() {
    let cloud = Cloud::builder().with(|options| options.default_vpc = false).start();
    let client = client(&cloud);
    let request = RunInstances {
        image: image(&cloud),
        count: (1, 1),
        instance_type: "t3.small".to_owned(),
        token: "t".to_owned(),
        ..RunInstances::default()
    };
    assert!(ec2::run_instances(&client, &request).unwrap_err().lacks_subnet());
    let subnet = ec2::describe_subnets(&client, &[], &[]).unwrap().remove(0);
    let default = [("is-default".to_owned(), vec!["true".to_owned()])];
    assert!(ec2::describe_vpcs(&client, &[], &default).unwrap().is_empty());
    let request = RunInstances { subnet: Some(subnet.id.clone()), public_address: Some(true), ..request };
    let made = ec2::run_instances(&client, &request).unwrap();
    assert_eq!(made.instances[0].subnet.as_deref(), Some(subnet.id.as_str()));
}

#[test]
fn what_must_not_be_made_twice_is_sent_once() {
    let cloud = Cloud::builder().eucalyptus().start();
    let account = &cloud.options().accounts[0];
    let client = with(&cloud, &account.key, &account.secret, Scheme::V4);
    let volume = CreateVolume {
        size: Some(1),
        zone: ec2::describe_zones(&client, &[]).unwrap().remove(0).name,
        ..CreateVolume::default()
    };
    cloud.inject(Fault::new(Service::Ec2, "CreateVolume", FaultKind::CloseAfterRequest).times(1));
    assert!(ec2::create_volume(&client, &volume).is_err());
    assert_eq!(cloud.volumes().len(), 1);
}

#[test]
fn a_stack_is_made_watched_and_removed() {
    each(|_, client| {
        let template = r#"{"Parameters": {"Key": {"Type": "String"}},
            "Resources": {"Group": {"Type": "AWS::EC2::SecurityGroup", "Properties": {"GroupDescription": "x"}}},
            "Outputs": {"Key": {"Value": {"Ref": "Key"}}}}"#;
        let request = cloudformation::CreateStack {
            name: "one".to_owned(),
            template: template.to_owned(),
            parameters: vec![("Key".to_owned(), "me".to_owned())],
            tags: tags(),
            token: "t".to_owned(),
            ..cloudformation::CreateStack::default()
        };
        assert_eq!(cloudformation::find_stack(client, "one").unwrap(), None);
        let id = cloudformation::create_stack(client, &request).unwrap();
        let mut looks = (0..100).map(|_| cloudformation::find_stack(client, &id).unwrap().unwrap());
        let stack = looks.find(|stack| stack.status != "CREATE_IN_PROGRESS").unwrap();
        assert_eq!((stack.name.as_str(), stack.status.as_str()), ("one", "CREATE_COMPLETE"));
        assert_eq!(stack.outputs, [("Key".to_owned(), "me".to_owned())]);
        let events = cloudformation::stack_events(client, &id, None).unwrap();
        let last = events.last().unwrap();
        assert_eq!((last.logical.as_str(), last.status.as_str()), ("one", "CREATE_COMPLETE"));
        assert!(cloudformation::stack_events(client, &id, Some(&last.id)).unwrap().is_empty());
        assert_eq!(cloudformation::stack_resources(client, &id).unwrap()[0].logical, "Group");
        assert!(autoscaling::describe_groups(client, &["none"]).unwrap().is_empty());
        cloudformation::delete_stack(client, "one").unwrap();
        cloudformation::delete_stack(client, "one").unwrap();
    });
}

#[test]
fn a_setting_of_a_cloud_is_changed() {
    let cloud = Cloud::builder().eucalyptus().start();
    let account = &cloud.options().accounts[0];
    let client = with(&cloud, &account.key, &account.secret, Scheme::V4);
    assert_eq!(properties::property_value(&client, EMI).unwrap().unwrap().value, "NULL");
    assert_eq!(properties::describe_properties(&client, &["loadbalancing."]).unwrap().len(), 3);
    let changed = properties::set_property(&client, EMI, "emi-1").unwrap();
    assert_eq!((changed.value.as_str(), changed.before.as_str()), ("emi-1", "NULL"));
    assert_eq!(cloud.property(EMI).as_deref(), Some("emi-1"));
    assert_eq!(properties::reset_property(&client, EMI).unwrap().value, "NULL");
    assert_eq!(properties::property_value(&client, "none").unwrap(), None);
}

#[test]
fn what_the_world_can_read_is_seen() {
    let cloud = Cloud::start();
    let client = client(&cloud);
    cloud.make_bucket("open", BucketOwnership::Writer);
    cloud.make_bucket("closed", BucketOwnership::Enforced);
    for bucket in ["open", "closed"] {
        cloud.make_object(bucket, "a b", b"hello");
        cloud.make_object(bucket, "c", b"hello");
    }
    cloud.make_public("open", None);
    cloud.make_public("open", Some("a b"));
    let names: Vec<_> = s3::list_buckets(&client).unwrap().into_iter().map(|bucket| bucket.name).collect();
    assert_eq!(names, ["closed", "open"]);
    assert_eq!(s3::bucket_location(&client, "open").unwrap().as_deref(), Some("us-east-1"));
    let open = s3::look_at_bucket(&client, "open", "", None).unwrap();
    assert_eq!(open.listing.unwrap().keys.len(), 2);
    let closed = s3::look_at_bucket(&client, "closed", "", None).unwrap();
    assert_eq!((closed.status, closed.code.as_deref()), (403, Some("AccessDenied")));
    let readable = |bucket, key| s3::look_at_object(&client, bucket, key).unwrap().readable();
    assert_eq!(
        [readable("open", "a b"), readable("open", "c"), readable("closed", "c")],
        [true, false, false]
    );
    assert!(s3::look_at_head(&client, "open", "a b").unwrap().readable());
}
