#![allow(clippy::unwrap_used)]

use super::extent::Extent;
use super::*;
use crate::testing::{Image, assert_clean, debugfs};

/// Numbers without a pattern; the same in every run.
struct Random(u64);

impl Random {
    fn next(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below.max(1)
    }

    fn bytes(&mut self, length: u64) -> Vec<u8> {
        let pattern: Vec<u8> = (0..1009).map(|_| self.next(255) as u8 + 1).collect();
        pattern.into_iter().cycle().take(length as usize).collect()
    }
}

/// An image with files f0, f1, … that are empty, and their inodes.
fn image_with_files(args: &[&str], mib: u64, count: usize) -> (Image, Vec<u32>) {
    let image = Image::make(args, mib);
    let mut volume = image.volume();
    let mut numbers = Vec::new();
    for _ in 0..count {
        let mut inode = volume.allocate_inode(2, false).unwrap();
        inode.set_mode(0o100_644);
        inode.set_links(1);
        volume.init_map(&mut inode);
        volume.write_inode(&mut inode).unwrap();
        numbers.push(inode.number);
    }
    volume.commit().unwrap();
    let path = image.save(&volume);
    for (index, number) in numbers.iter().enumerate() {
        debugfs(&path, &format!("link <{number}> f{index}"));
    }
    assert_clean(&path, "empty files");
    std::fs::copy(&path, image.path()).unwrap();
    (image, numbers)
}

fn read_all(volume: &Volume, number: u32) -> Vec<u8> {
    let inode = volume.inode(number).unwrap();
    let mut buf = vec![0xaa; inode.size() as usize + 7];
    let length = volume.read_content(&inode, 0, &mut buf).unwrap();
    buf.truncate(length);
    buf
}

fn dump(image: &Image, volume: &Volume, number: u32) -> Vec<u8> {
    let path = image.save(volume);
    let out = path.with_extension("dump");
    debugfs(&path, &format!("dump <{number}> {}", out.display()));
    std::fs::read(out).unwrap()
}

/// Sets content, writes the inode and commits; false when there is no room (then nothing changed).
fn set(volume: &mut Volume, number: u32, content: &[u8]) -> bool {
    let mut inode = volume.inode(number).unwrap();
    match volume.set_content(&mut inode, content) {
        Ok(()) => {
            volume.write_inode(&mut inode).unwrap();
            volume.commit().unwrap();
            true
        }
        Err(Error::NoSpace { .. }) => {
            volume.rollback().unwrap();
            false
        }
        Err(error) => panic!("{error}"),
    }
}

const LAYOUTS: &[(&[&str], u64)] = &[
    (&["-t", "ext4"], 16),
    (&["-t", "ext4", "-b", "1024"], 10),
    (&["-t", "ext4", "-b", "2048"], 10),
    (&["-t", "ext4", "-b", "1024", "-O", "^metadata_csum,uninit_bg,^64bit", "-I", "128"], 10),
    (&["-t", "ext4", "-b", "1024", "-O", "^extents,^64bit"], 10),
    (&["-t", "ext4", "-b", "65536"], 20),
    (&["-t", "ext4", "-b", "1024", "-O", "inline_data", "-I", "256"], 10),
    (&["-t", "ext2", "-b", "1024"], 10),
    (&["-t", "ext3", "-b", "4096"], 16),
];

#[test]
fn random_changes_stay_clean_and_readable() {
    for (seed, (args, mib)) in (1..).zip(LAYOUTS) {
        let (image, numbers) = image_with_files(args, *mib, 4);
        let mut volume = image.volume();
        let mut random = Random(seed);
        let mut model = vec![Vec::new(); numbers.len()];
        let most = mib * 1024 * 1024 / 3;
        let size = volume.block_size() as u64;
        let mut full = 0;
        for step in 0..60 {
            let index = random.next(numbers.len() as u64) as usize;
            let below = [100, size * 3, size * 40, most][random.next(4) as usize];
            let length = random.next(below);
            let mut inode = volume.inode(numbers[index]).unwrap();
            let mut content: Vec<u8> = model[index].clone();
            let inline = inode.has(flag::INLINE_DATA);
            let result = match random.next(if inline { 2 } else { 4 }) {
                0 => {
                    content = random.bytes(length);
                    volume.set_content(&mut inode, &content)
                }
                1 => {
                    let more = random.bytes(length);
                    content.extend_from_slice(&more);
                    volume.append_content(&mut inode, &more)
                }
                2 => {
                    // Whole blocks go, as when an orphan is truncated.
                    let blocks = random.next((content.len() as u64).div_ceil(size) + 1);
                    content.truncate((blocks * size) as usize);
                    inode.set_size(content.len() as u64);
                    volume.truncate_map(&mut inode, blocks)
                }
                _ => {
                    // A hole, and a block behind it.
                    let logical = (content.len() as u64).div_ceil(size) + random.next(5);
                    content.resize((logical * size) as usize, 0);
                    let block = random.bytes(size);
                    content.extend_from_slice(&block);
                    inode.set_size(content.len() as u64);
                    volume
                        .extend_map(&mut inode, logical, 1)
                        .and_then(|runs| volume.write_run(runs[0].start, block))
                }
            };
            match result {
                Ok(()) => {
                    volume.write_inode(&mut inode).unwrap();
                    volume.commit().unwrap();
                    model[index] = content;
                }
                Err(Error::NoSpace { .. }) => {
                    full += 1;
                    volume.rollback().unwrap();
                }
                Err(error) => panic!("{args:?} step {step}: {error}"),
            }
            assert!(read_all(&volume, numbers[index]) == model[index], "{args:?} step {step}");
            if step % 12 == 11 {
                image.assert_clean(&volume, &format!("{args:?} step {step}"));
            }
        }
        for (number, content) in numbers.iter().zip(&model).take(2) {
            assert!(
                dump(&image, &volume, *number) == *content,
                "{args:?}: debugfs reads <{number}> otherwise"
            );
        }
        assert!(full < 40, "{args:?}: {full} times full");
    }
}

/// Every second block of the free space belongs to the first file.
fn shattered(args: &[&str], mib: u64) -> (Image, Volume, Vec<u32>) {
    let (image, numbers) = image_with_files(args, mib, 3);
    let mut volume = image.volume();
    let free: Vec<u64> = volume.free_ranges().unwrap().into_iter().flatten().collect();
    let mut inode = volume.inode(numbers[0]).unwrap();
    let odd: Vec<u64> = free.iter().copied().filter(|block| block % 2 == 1).collect();
    // Some are left for the tree's own blocks.
    let extents: Vec<Extent> = odd
        .iter()
        .skip(odd.len() / 20)
        .zip(0_u32..)
        .map(|(block, logical)| Extent { logical, length: 1, physical: *block, unwritten: false })
        .collect();
    inode.set_size(extents.len() as u64 * volume.block_size() as u64);
    volume.take_and_map(&mut inode, extents).unwrap();
    volume.write_inode(&mut inode).unwrap();
    volume.commit().unwrap();
    (image, volume, numbers)
}

#[test]
fn a_deep_tree_grows_and_shrinks_in_shattered_space() {
    let (image, mut volume, numbers) = shattered(&["-t", "ext4", "-b", "1024"], 72);
    image.assert_clean(&volume, "shattered");
    let root = volume.extent_root(&volume.inode(numbers[0]).unwrap()).unwrap();
    assert_eq!(root.1, 3, "levels");

    let room = volume.superblock.free_blocks * 1024;
    let content = Random(5).bytes(room * 9 / 10);
    assert!(set(&mut volume, numbers[1], &content));
    image.assert_clean(&volume, "a file in single blocks");
    assert!(read_all(&volume, numbers[1]) == content);
    assert!(dump(&image, &volume, numbers[1]) == content);

    let free = volume.superblock.free_blocks;
    let shorter = &content[..content.len() / 4];
    assert!(set(&mut volume, numbers[1], shorter));
    assert!(volume.superblock.free_blocks > free);
    let root = volume.extent_root(&volume.inode(numbers[1]).unwrap()).unwrap();
    assert_eq!(root.1, 2, "levels after it got short");
    assert!(read_all(&volume, numbers[1]) == shorter);
    assert!(set(&mut volume, numbers[1], b""));
    assert!(set(&mut volume, numbers[0], b""));
    image.assert_clean(&volume, "emptied");
    assert_eq!(volume.inode(numbers[0]).unwrap().allocated_bytes(&volume.superblock), 0);
}

#[test]
fn the_last_block_can_be_written_and_a_full_volume_says_what_is_missing() {
    for args in [["-t", "ext4", "-b", "1024"], ["-t", "ext2", "-b", "1024"]] {
        let (image, numbers) = image_with_files(&args, 8, 3);
        let mut volume = image.volume();
        let all = volume.superblock.free_blocks;
        // Map blocks take their part, so the largest file that fits is searched.
        let (mut fits, mut too_large) = (0, all + 1);
        while too_large - fits > 1 {
            let middle = u64::midpoint(fits, too_large);
            let mut inode = volume.inode(numbers[0]).unwrap();
            match volume.set_content(&mut inode, &vec![1; middle as usize * 1024]) {
                Ok(()) => fits = middle,
                Err(Error::NoSpace { needed, free, .. }) => {
                    assert!(needed > free, "{needed} bytes of {free}");
                    too_large = middle;
                }
                Err(error) => panic!("{error}"),
            }
            volume.rollback().unwrap();
            assert_eq!(volume.superblock.free_blocks, all);
        }
        let content = Random(1).bytes(fits * 1024 - 5);
        assert!(set(&mut volume, numbers[0], &content));
        assert_eq!(volume.superblock.free_blocks, 0, "{args:?}");
        image.assert_clean(&volume, "full");
        assert!(!set(&mut volume, numbers[1], b"x"));
        image.assert_clean(&volume, "full, after a roll back");

        // Replacing needs no room.
        let other = Random(2).bytes(fits * 1024);
        assert!(set(&mut volume, numbers[0], &other), "{args:?}");
        assert!(!set(&mut volume, numbers[0], &[&other[..], b"x"].concat()));
        assert!(read_all(&volume, numbers[0]) == other);
        assert!(set(&mut volume, numbers[0], &other[..5000]));
        assert!(set(&mut volume, numbers[1], &other[..6000]));
        image.assert_clean(&volume, "replaced");
    }
}

#[test]
fn unwritten_extents_read_as_zeros_and_become_written() {
    let (image, numbers) = image_with_files(&["-t", "ext4", "-b", "1024"], 16, 3);
    for (number, range) in numbers.iter().zip(["0 99", "0 39999", "5 20"]) {
        debugfs(&image.path(), &format!("fallocate <{number}> {range}"));
        debugfs(&image.path(), &format!("sif <{number}> size 20000"));
    }
    let mut volume = image.volume();
    let run = volume.map_block(&volume.inode(numbers[0]).unwrap(), 3).unwrap();
    assert!(run.unwritten && run.physical.is_some(), "{run:?}");
    assert!(read_all(&volume, numbers[0]) == vec![0; 20_000]);

    // In the middle of an extent: it is cut in three.
    let mut inode = volume.inode(numbers[0]).unwrap();
    volume.append_content(&mut inode, &[7; 3000]).unwrap();
    volume.write_inode(&mut inode).unwrap();
    volume.commit().unwrap();
    let content = [vec![0; 20_000], vec![7; 3000]].concat();
    assert!(read_all(&volume, numbers[0]) == content);
    assert!(dump(&image, &volume, numbers[0]) == content);
    let run = |logical| volume.map_block(&volume.inode(numbers[0]).unwrap(), logical).unwrap();
    assert!(run(18).unwritten && !run(19).unwritten && !run(22).unwritten && run(23).unwritten);
    image.assert_clean(&volume, "appended");

    let content = Random(9).bytes(10_000);
    assert!(set(&mut volume, numbers[2], &content));
    assert!(dump(&image, &volume, numbers[2]) == content);
    image.assert_clean(&volume, "replaced");
}

#[test]
fn a_hole_in_the_middle_can_be_filled() {
    for args in [["-t", "ext4", "-b", "1024"], ["-t", "ext2", "-b", "1024"]] {
        let (image, numbers) = image_with_files(&args, 16, 1);
        let mut volume = image.volume();
        let mut inode = volume.inode(numbers[0]).unwrap();
        // In all parts of a block map: direct, one level, two levels.
        let places = [3, 100, 11, 12, 268, 9000, 267, 5000];
        for logical in places {
            let runs = volume.extend_map(&mut inode, logical, 1).unwrap();
            volume.write_run(runs[0].start, vec![(logical % 200) as u8; 1024]).unwrap();
            assert!(volume.extend_map(&mut inode, logical, 1).is_err(), "{logical} is mapped");
        }
        inode.set_size(9500 * 1024);
        volume.write_inode(&mut inode).unwrap();
        volume.commit().unwrap();
        image.assert_clean(&volume, "holes");
        let mut content = vec![0; 9500 * 1024];
        for logical in places {
            content[logical as usize * 1024..][..1024].fill((logical % 200) as u8);
        }
        assert!(read_all(&volume, numbers[0]) == content, "{args:?}");
        assert!(dump(&image, &volume, numbers[0]) == content, "{args:?}");
        let run = volume.map_block(&inode, 13).unwrap();
        assert_eq!((run.physical, run.length), (None, 87), "{args:?}");
        let mut inode = volume.inode(numbers[0]).unwrap();
        volume.truncate_map(&mut inode, 12).unwrap();
        inode.set_size(12 * 1024);
        volume.write_inode(&mut inode).unwrap();
        volume.commit().unwrap();
        image.assert_clean(&volume, "cut");
        assert_eq!(inode.allocated_bytes(&volume.superblock), 2 * 1024, "{args:?}");
    }
}

#[test]
fn a_block_map_of_three_levels() {
    let (image, numbers) = image_with_files(&["-t", "ext2", "-b", "1024"], 8, 1);
    let mut volume = image.volume();
    let mut inode = volume.inode(numbers[0]).unwrap();
    let first = 12 + 256 + 256 * 256;
    for logical in [first, first + 70_000] {
        let runs = volume.extend_map(&mut inode, logical, 3).unwrap();
        volume.write_run(runs[0].start, vec![3; 3 * 1024]).unwrap();
    }
    inode.set_size((first + 70_003) * 1024);
    volume.write_inode(&mut inode).unwrap();
    volume.commit().unwrap();
    image.assert_clean(&volume, "three levels");
    assert_eq!(inode.allocated_bytes(&volume.superblock), (6 + 5) * 1024);
    let mut buf = [0; 1024];
    volume.read_content(&inode, (first + 70_002) * 1024, &mut buf).unwrap();
    assert_eq!(buf, [3; 1024]);
    let last = 12 + 256 + 256 * 256 + 256 * 256 * 256;
    let error = volume.extend_map(&mut inode, last, 1).unwrap_err().to_string();
    assert!(error.contains(&format!("at most {last} blocks")), "{error}");
    volume.truncate_map(&mut inode, first + 1).unwrap();
    inode.set_size((first + 1) * 1024);
    volume.write_inode(&mut inode).unwrap();
    volume.commit().unwrap();
    image.assert_clean(&volume, "cut");
    assert_eq!(inode.allocated_bytes(&volume.superblock), (1 + 3) * 1024);
}

#[test]
fn two_gibibytes_need_a_feature() {
    let (image, numbers) = image_with_files(&["-t", "ext2", "-b", "4096", "-O", "^large_file"], 16, 1);
    let mut volume = image.volume();
    // mke2fs sets it all the same.
    volume.superblock.features[2] &= !2;
    let mut inode = volume.inode(numbers[0]).unwrap();
    inode.set_size(0x7fff_ffff);
    volume.append_content(&mut inode, b"over").unwrap();
    volume.write_inode(&mut inode).unwrap();
    volume.commit().unwrap();
    assert_eq!(volume.superblock.features[2] & 2, 2);
    image.assert_clean(&volume, "large");
    let mut buf = [9; 8];
    let length = volume.read_content(&inode, 0x7fff_fffe, &mut buf).unwrap();
    assert_eq!(&buf[..length], b"\0over");
}

#[test]
fn damaged_trees_are_refused() {
    let (_image, volume, numbers) = shattered(&["-t", "ext4", "-b", "1024"], 8);
    let good = volume.inode(numbers[0]).unwrap();
    let number = numbers[0];
    type Damage = (&'static str, fn(&mut [u8]), &'static str);
    let cases: [Damage; 6] = [
        ("magic", |root| root[0] ^= 1, "its magic number is 0xf30b"),
        ("depth", |root| root[6] = 6, "6 levels"),
        ("level", |root| root[6] = 1, "it is on level"),
        ("room", |root| root[4] = 200, "there is room for 4"),
        ("empty", |root| root[2] = 0, "an index without entries"),
        ("far", |root| root[20] = 0xff, "is said to be at blocks"),
    ];
    for (what, damage, words) in cases {
        let mut inode = good.clone();
        damage(inode.block_area_mut());
        let error = volume.map_block(&inode, 0).unwrap_err().to_string();
        assert!(error.contains(words) && error.contains(&format!("inode {number}")), "{what}: {error}");
    }
    // Two entries of the root that name the same block.
    let mut volume = volume;
    let mut inode = good.clone();
    let area = inode.block_area_mut();
    let first: Vec<u8> = area[12..24].to_vec();
    area[24..36].copy_from_slice(&first);
    area[24] = 200;
    area[2] = 2;
    let error = volume.truncate_map(&mut inode, 0).unwrap_err().to_string();
    assert!(error.contains("used twice") || error.contains("outside"), "{error}");
    // A bit of a leaf.
    let (_, blocks) = volume.extent_blocks(&good).unwrap();
    let mut bytes = volume.read_block(blocks[0]).unwrap();
    bytes[600] ^= 4;
    volume.write_block(blocks[0], bytes).unwrap();
    let error = volume.extent_blocks(&good).unwrap_err().to_string();
    assert!(error.contains(&format!("extent block {}", blocks[0])), "{error}");
}

#[test]
fn damaged_block_maps_are_refused() {
    let (image, numbers) = image_with_files(&["-t", "ext2", "-b", "1024"], 8, 1);
    let mut volume = image.volume();
    assert!(set(&mut volume, numbers[0], &[1; 400_000]));
    let good = volume.inode(numbers[0]).unwrap();
    let map = u32::from_le_bytes(good.block_area()[48..52].try_into().unwrap());
    for (slot, block, words) in [
        (0, u32::MAX, "its map names block 4294967295"),
        (0, 1, "its map names block 1"),
        (0, 5, "metadata"),
        (13, map, "used twice"),
        (14, map, "used twice"),
    ] {
        let mut inode = good.clone();
        crate::bytes::put_u32(inode.block_area_mut(), slot * 4, block);
        let error = volume.truncate_map(&mut inode, 0).unwrap_err().to_string();
        assert!(error.contains(words), "slot {slot}, block {block}: {error}");
        volume.rollback().unwrap();
    }
    // A map that leads to itself.
    let mut bytes = volume.read_block(u64::from(map)).unwrap();
    for entry in bytes.chunks_exact_mut(4) {
        entry.copy_from_slice(&map.to_le_bytes());
    }
    volume.write_block(u64::from(map), bytes).unwrap();
    volume.commit().unwrap();
    let mut inode = good.clone();
    crate::bytes::put_u32(inode.block_area_mut(), 14 * 4, map);
    assert!(volume.truncate_map(&mut inode, 20).is_err());
}

#[test]
fn what_has_no_map_is_refused() {
    let (image, numbers) = image_with_files(&["-t", "ext4"], 16, 1);
    let mut volume = image.volume();
    let mut inode = volume.inode(numbers[0]).unwrap();
    inode.set_mode(0o020_600);
    assert!(volume.map_block(&inode, 0).unwrap_err().to_string().contains("a device"));
    assert!(volume.truncate_map(&mut inode, 0).is_err());
    inode.set_mode(0o120_777);
    inode.set_flags(0);
    inode.block_area_mut()[..5].copy_from_slice(b"a/b/c");
    inode.set_size(5);
    assert!(volume.truncate_map(&mut inode, 0).is_err());
    let mut buf = [0; 9];
    assert_eq!(volume.read_content(&inode, 2, &mut buf).unwrap(), 3);
    assert_eq!(&buf[..3], b"b/c");
}

#[test]
fn a_long_link_target_lies_in_a_block() {
    for args in [["-t", "ext4", "-b", "1024"], ["-t", "ext2", "-b", "1024"]] {
        let (image, numbers) = image_with_files(&args, 8, 1);
        let mut volume = image.volume();
        let mut inode = volume.inode(numbers[0]).unwrap();
        inode.set_mode(0o120_777);
        volume.set_content(&mut inode, &[b'x'; 60]).unwrap();
        volume.write_inode(&mut inode).unwrap();
        volume.commit().unwrap();
        assert!(!is_fast_link(&inode));
        assert_eq!(read_all(&volume, numbers[0]), [b'x'; 60]);
        let path = image.save(&volume);
        debugfs(&path, "unlink f0");
        debugfs(&path, &format!("link <{}> f0", numbers[0]));
        assert_clean(&path, "a link");
    }
}

/// Everything that can be done to a file, on an inode and a map of which some bytes are wrong: no
/// panic, no endless loop, and after the roll back nothing has happened.
#[test]
fn wrong_bytes_do_no_harm() {
    for (args, mib) in [
        (["-t", "ext4", "-b", "1024", "-O", "^metadata_csum"].as_slice(), 8),
        (&["-t", "ext2", "-b", "1024"], 8),
    ] {
        let (_image, mut volume, number) = if args[1] == "ext4" {
            let (image, volume, numbers) = shattered(args, mib);
            (image, volume, numbers[0])
        } else {
            let (image, numbers) = image_with_files(args, mib, 1);
            let mut volume = image.volume();
            assert!(set(&mut volume, numbers[0], &[1; 3_000_000]));
            (image, volume, numbers[0])
        };
        let good = volume.inode(number).unwrap();
        let free = volume.free_ranges().unwrap();
        let mut maps = Vec::new();
        if good.has(flag::EXTENTS) {
            maps = volume.extent_blocks(&good).unwrap().1;
        } else {
            for slot in [12, 13] {
                let at = slot * 4;
                maps.push(u32::from_le_bytes(good.block_area()[at..at + 4].try_into().unwrap()).into());
            }
        }
        let mut random = Random(77);
        let mut refused = 0;
        for _ in 0..600 {
            let mut inode = good.clone();
            for _ in 0..=random.next(2) {
                let bytes = 1 + random.next(3) as usize;
                if random.next(2) == 0 {
                    let area = inode.block_area_mut();
                    let at = random.next(56) as usize;
                    area[at..at + bytes].fill_with(|| random.next(256) as u8);
                } else {
                    let map = maps[random.next(maps.len() as u64) as usize];
                    let mut block = volume.read_block(map).unwrap();
                    let near = random.next(2) == 0;
                    let at = random.next(if near { 40 } else { 1020 }) as usize;
                    block[at..at + bytes].fill_with(|| random.next(256) as u8);
                    volume.write_block(map, block).unwrap();
                }
            }
            let mut buf = vec![0; 5000];
            let offset = random.next(inode.size());
            let read = volume.read_content(&inode, offset, &mut buf).map(|_| ());
            let result = match random.next(4) {
                0 => volume.set_content(&mut inode, &buf),
                1 => volume.append_content(&mut inode, &buf),
                2 => volume.truncate_map(&mut inode, offset / 1024),
                _ => volume.extend_map(&mut inode, offset, 3).map(|_| ()),
            };
            refused += u32::from(read.and(result).is_err());
            volume.rollback().unwrap();
        }
        assert!(refused > 50, "{args:?}: {refused} refused");
        assert_eq!(volume.free_ranges().unwrap(), free, "{args:?}");
    }
}

#[test]
#[ignore = "a measurement: cargo test --release -p hardtack-ext4 --lib map::tests::speed -- --ignored --nocapture"]
#[allow(clippy::print_stderr)]
fn speed() {
    let (image, numbers) = image_with_files(&["-t", "ext4"], 2000, 1);
    let mut volume = image.volume();
    let content = Random(1).bytes(20 << 20);
    let mut best = std::time::Duration::MAX;
    for _ in 0..5 {
        let start = std::time::Instant::now();
        for _ in 0..600 {
            let mut inode = volume.allocate_inode(2, false).unwrap();
            inode.set_mode(0o100_644);
            volume.set_content(&mut inode, &content[..3000]).unwrap();
            volume.write_inode(&mut inode).unwrap();
            volume.commit().unwrap();
        }
        assert!(set(&mut volume, numbers[0], &content));
        best = best.min(start.elapsed());
        assert!(set(&mut volume, numbers[0], b""));
    }
    eprintln!("600 files and 20 MiB: {best:?}");
    assert!(best.as_millis() <= 50);
}
