#![allow(clippy::unwrap_used)]

use hardtack_publish::catalog::{Catalog, Entry};

use super::*;

#[test]
fn images_that_are_not_there_have_neighbours() {
    let folder = tempfile::tempdir().unwrap();
    let catalog = Catalog::new(folder.path());
    let text = image(&catalog, "ami-0123456789abcdef0").unwrap_err().to_string();
    assert!(text.contains("hardtack install") && text.contains("--on aws"), "{text}");
    let entry = Entry {
        id: "ami-11111111111111111".to_owned(),
        name: "web-1".to_owned(),
        architecture: "x86_64".to_owned(),
        ..Entry::default()
    };
    let write = |path: &std::path::Path| {
        std::fs::write(path, "disk").map_err(|error| Error::file(path, "write it", error))
    };
    catalog.add(&entry, write).unwrap();
    let text = image(&catalog, "web").unwrap_err().to_string();
    assert!(text.contains("there are web-1"), "{text}");
    assert_eq!(image(&catalog, "web-1").unwrap(), entry);
}

#[test]
fn who_computes_is_told_with_its_reason() {
    assert_eq!(computes(Some("kvm (being tried)")), "kvm, being tried");
    assert_eq!(computes(Some("tcg")), "tcg");
    assert_eq!(computes(None), "?");
}
