//! Eucalyptus: endpoints with a path, both versions of signatures, and no parameter that it does not know.

use hardtack_cloud::ec2::{self, ImageFilter, Launchers, Mapping, PublicAccess, RegisterImage};
use hardtack_cloud::s3::{self, Bucket, Ownership, PutOptions};
use hardtack_cloud::{Client, Scheme, bootstrap, sts};
use hardtack_fake_cloud::{CLOUD_CERTIFICATE, Cloud};

use crate::places::with;

fn each(test: impl Fn(&Cloud, &Client)) {
    for scheme in [Scheme::V4, Scheme::V2] {
        let cloud = Cloud::builder().eucalyptus().start();
        let account = &cloud.options().accounts[0];
        test(&cloud, &with(&cloud, &account.key, &account.secret, scheme));
    }
}

#[test]
fn a_bucket_is_filled_and_emptied() {
    each(|cloud, client| {
        assert_eq!(s3::head_bucket(client, "images").unwrap(), Bucket::Missing);
        s3::create_bucket(client, "images", None, true).unwrap();
        s3::create_bucket(client, "images", None, true).unwrap();
        assert!(matches!(s3::head_bucket(client, "images").unwrap(), Bucket::Usable(_)));
        assert_eq!(s3::ownership(client, "images").unwrap(), Ownership::Acls);
        let options = PutOptions {
            acl: Some("aws-exec-read".to_owned()),
            metadata: vec![("hardtack-sha1".to_owned(), "d0".to_owned())],
            content_type: None,
            ..PutOptions::default()
        };
        for key in ["p/a b+c.part.0", "p/ü.part.1"] {
            s3::put_object(client, "images", key, b"hello", &options).unwrap();
            let head = s3::head_object(client, "images", key).unwrap().unwrap();
            assert_eq!(head.size, 5);
            assert_eq!(s3::get_object(client, "images", key, 5).unwrap().unwrap(), b"hello");
        }
        let keys = s3::list_objects(client, "images", "p/").unwrap();
        assert_eq!(keys.len(), 2);
        for (key, size) in keys {
            assert_eq!(size, 5);
            s3::delete_object(client, "images", &key).unwrap();
            s3::delete_object(client, "images", &key).unwrap();
        }
        s3::delete_bucket(client, "images").unwrap();
        s3::delete_bucket(client, "images").unwrap();
        assert!(cloud.leftovers().is_empty(), "{:?}", cloud.leftovers());
    });
}

#[test]
fn an_image_of_a_snapshot_is_registered_tagged_and_removed() {
    each(|cloud, client| {
        let root = cloud.make_snapshot("eucalyptus", "123456789012", 1, None, false, &[]);
        let request = RegisterImage {
            name: "an-image".to_owned(),
            architecture: "x86_64".to_owned(),
            virtualization: Some("hvm".to_owned()),
            root_device: Some("/dev/sda".to_owned()),
            mappings: vec![Mapping {
                device: "/dev/sda".to_owned(),
                snapshot: Some(root),
                delete_on_termination: Some(true),
                ..Mapping::default()
            }],
            boot_mode: Some(ec2::BootMode::Uefi),
            ena: true,
            sriov: true,
            imds_v2: true,
            ..RegisterImage::default()
        };
        let id = ec2::register_image(client, &request).unwrap();
        assert!(id.starts_with("emi-"), "{id}");
        ec2::create_tags(client, &[&id], &[("hardtack:journal".to_owned(), "j".to_owned())]).unwrap();
        let filter = ImageFilter {
            owners: vec!["self".to_owned()],
            filters: vec![("name".to_owned(), vec!["an-image".to_owned()])],
            ..ImageFilter::default()
        };
        let found = ec2::describe_images(client, &filter).unwrap();
        assert_eq!(found[0].id, id);
        assert_eq!(found[0].tags, [("hardtack:journal".to_owned(), "j".to_owned())]);
        let add = Launchers { all: true, ..Launchers::default() };
        ec2::modify_launchers(client, &id, &add, &Launchers::default()).unwrap();
        assert!(ec2::launchers(client, &id).unwrap().all);
        ec2::deregister_image(client, &id).unwrap();
        ec2::deregister_image(client, &id).unwrap();
        assert!(ec2::describe_images(client, &filter).unwrap().is_empty());
    });
}

#[test]
fn an_instance_is_tried() {
    each(|cloud, client| {
        let root = cloud.make_snapshot("eucalyptus", "123456789012", 1, None, false, &[]);
        let image = cloud.make_image("eucalyptus", "image-n", &root, "x86_64", false);
        let request = ec2::RunInstance {
            image,
            instance_type: "m1.small".to_owned(),
            user_data: b"x".to_vec(),
            token: "t".to_owned(),
            imds_v2: true,
            tags: vec![("hardtack:journal".to_owned(), "j".to_owned())],
            ..ec2::RunInstance::default()
        };
        let instance = ec2::run_instance(client, &request).unwrap();
        assert_eq!(instance.tags, request.tags);
        let found = ec2::describe_instances(client, &[&instance.id], &[]).unwrap();
        assert_eq!(found[0].tags, request.tags);
        ec2::console_output(client, &instance.id, true).unwrap();
        ec2::terminate_instance(client, &instance.id).unwrap();
    });
}

#[test]
fn the_account_and_the_certificate_are_told() {
    each(|_, client| {
        assert_eq!(sts::caller_identity(client).unwrap().account, "123456789012");
        assert_eq!(bootstrap::bundling_certificate(client).unwrap().trim(), CLOUD_CERTIFICATE.trim());
        assert!(!ec2::encryption_default(client).unwrap().enabled);
        assert_eq!(ec2::image_public_access(client).unwrap(), PublicAccess::Unknown);
    });
}

#[test]
fn another_secret_is_refused() {
    let cloud = Cloud::builder().eucalyptus().start();
    for scheme in [Scheme::V4, Scheme::V2] {
        let wrong = with(&cloud, "AKIDEXAMPLE", "not/the+secret", scheme);
        assert!(s3::put_object(&wrong, "images", "k", b"", &PutOptions::default()).is_err());
        assert!(ec2::describe_images(&wrong, &ImageFilter::default()).is_err());
        assert!(bootstrap::bundling_certificate(&wrong).is_err());
        assert!(sts::caller_identity(&wrong).is_err());
    }
    assert!(cloud.log().iter().all(|entry| !entry.done), "{:?}", cloud.log());
}
