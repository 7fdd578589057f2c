//! POSIX ACLs against the kernel.

use super::*;
use crate::xattr::acl;

fn list(entries: &[(u16, u16, u32)]) -> Vec<u8> {
    let mut bytes = 2_u32.to_le_bytes().to_vec();
    for (tag, bits, number) in entries {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(bits.to_le_bytes());
        bytes.extend(number.to_le_bytes());
    }
    bytes
}

const NONE: u32 = u32::MAX;

#[test]
fn access_lists_in_both_forms() {
    let full = list(&[(1, 6, NONE), (2, 7, 1000), (4, 4, NONE), (8, 5, 70000), (16, 7, NONE), (32, 0, NONE)]);
    let stored = acl::to_disk(&full).unwrap().unwrap();
    assert_eq!(stored.stored.len(), 4 + 4 * 4 + 2 * 8);
    assert_eq!((stored.mode, stored.is_mode), (0o670, false));
    assert_eq!(acl::from_disk(&stored.stored).unwrap(), full);
    let plain = acl::to_disk(&list(&[(1, 7, NONE), (4, 5, NONE), (32, 4, NONE)])).unwrap().unwrap();
    assert_eq!((plain.mode, plain.is_mode), (0o754, true));
    assert!(acl::to_disk(&list(&[])).unwrap().is_none());
    for wrong in [
        vec![],
        vec![1, 0, 0, 0],
        full[..10].to_vec(),
        list(&[(1, 6, NONE), (4, 4, NONE)]),
        list(&[(1, 8, NONE), (4, 4, NONE), (32, 0, NONE)]),
        list(&[(4, 4, NONE), (1, 6, NONE), (32, 0, NONE)]),
        list(&[(1, 6, NONE), (1, 6, NONE), (4, 4, NONE), (32, 0, NONE)]),
        list(&[(1, 6, NONE), (2, 7, 1000), (4, 4, NONE), (32, 0, NONE)]),
        list(&[(1, 6, NONE), (2, 7, 5), (2, 7, 5), (4, 4, NONE), (16, 7, NONE), (32, 0, NONE)]),
        list(&[(3, 6, NONE)]),
    ] {
        assert!(acl::to_disk(&wrong).is_err(), "{wrong:?}");
    }
    for wrong in [&[][..], &[2, 0, 0, 0], &[1, 0, 0, 0, 1, 0], &[1, 0, 0, 0, 2, 0, 7, 0]] {
        assert!(acl::from_disk(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn access_lists_follow_the_permission_bits() {
    let image = image(&["-t", "ext4", "-I", "256"]);
    let mut volume = image.volume();
    let before = list(&[(1, 6, NONE), (2, 7, 1000), (4, 4, NONE), (16, 7, NONE), (32, 4, NONE)]);
    set(&mut volume, FIRST, "system.posix_acl_access", Some(&before)).unwrap();
    let mut inode = volume.inode(FIRST).unwrap();
    volume.set_permissions(&mut inode, 0o4751).unwrap();
    assert_eq!(inode.mode() & 0o7777, 0o4751);
    volume.write_inode(&mut inode).unwrap();
    volume.commit().unwrap();
    let after = list(&[(1, 7, NONE), (2, 7, 1000), (4, 4, NONE), (16, 5, NONE), (32, 1, NONE)]);
    assert_eq!(
        volume.named_attributes(&inode).unwrap(),
        [("system.posix_acl_access".to_owned(), after.clone())]
    );
    let path = image.save(&volume);
    assert_clean(&path, "mode");
    if let Some(seen) = kernel_sees(&path) {
        assert_eq!(seen["f0"]["system.posix_acl_access"], after);
    }
}

#[test]
fn access_lists_as_the_kernel_sees_them() {
    let image = image(&["-t", "ext4", "-I", "256"]);
    let mut volume = image.volume();
    let full = list(&[(1, 6, NONE), (2, 7, 1000), (4, 4, NONE), (16, 7, NONE), (32, 4, NONE)]);
    set(&mut volume, FIRST, "system.posix_acl_access", Some(&full)).unwrap();
    set(&mut volume, FIRST + 4, "system.posix_acl_default", Some(&full)).unwrap();
    let plain = list(&[(1, 7, NONE), (4, 5, NONE), (32, 4, NONE)]);
    set(&mut volume, FIRST + 1, "system.posix_acl_access", Some(&plain)).unwrap();
    assert_eq!(volume.inode(FIRST).unwrap().mode() & 0o777, 0o674);
    assert_eq!(volume.inode(FIRST + 1).unwrap().mode() & 0o777, 0o754);
    assert!(set(&mut volume, FIRST, "system.posix_acl_default", Some(&full)).is_err());
    assert!(set(&mut volume, FIRST + 5, "system.posix_acl_access", Some(&full)).is_err());
    assert!(set(&mut volume, FIRST + 5, "user.x", Some(b"1")).is_err());
    assert!(set(&mut volume, FIRST, "system.data", Some(b"1")).is_err());
    let path = image.save(&volume);
    assert_clean(&path, "lists");
    if let Some(seen) = kernel_sees(&path) {
        assert_eq!(seen["f0"]["system.posix_acl_access"], full);
        assert_eq!(seen["d0"]["system.posix_acl_default"], full);
        assert!(seen["f1"].is_empty());
    }
}
