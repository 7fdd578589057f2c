//! The parts against openssl, gzip and GNU tar; the same bytes at any number of threads.

use std::fs;
use std::ops::Range;

use hardtack_bundle::{
    BundleOptions, Error, Gzip, LARGEST_MANIFEST, Manifest, PackedPart, Part, pack_parts, write_parts,
};
use hardtack_disk::{BlockSource, RawSource};

use crate::common::{IV, KEY, bundle, certificate, disk, private, session, sh, take_apart};

/// What ec2-unbundle does, by hand: cat, openssl, gzip, tar.
fn by_hand(directory: &std::path::Path, name: &str) -> String {
    let script = format!(
        "parts=$(ls {name}.part.* | sort -t. -k3n)
         cat $parts | openssl enc -d -aes-128-cbc -K {KEY} -iv {IV} > packed.gz
         gzip -t packed.gz; zcat packed.gz > {name}.tar
         sha1sum < {name}.tar | cut -d' ' -f1; tar tvf {name}.tar; mkdir out; tar xSf {name}.tar -C out"
    );
    String::from_utf8(sh(directory, &script)).unwrap()
}

#[test]
fn openssl_gzip_and_tar_make_the_image_again() {
    for (gzip, dense, length) in [
        (Gzip::Members, false, 30 << 20),
        (Gzip::Single, false, 30 << 20),
        (Gzip::Members, true, 5 << 20),
        (Gzip::Single, true, 512),
        (Gzip::Members, false, 0),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let disk = disk(length);
        let options = BundleOptions {
            gzip,
            dense,
            part_size: 1 << 20,
            durable: false,
            ..BundleOptions::new("disk.raw", folder.path())
        };
        let manifest = bundle(&disk, &options);
        let said = by_hand(folder.path(), "disk.raw");
        assert!(said.contains("-rw-r--r-- 0/0"), "{said}");
        assert!(fs::read(folder.path().join("out/disk.raw")).unwrap() == disk, "{gzip:?} {dense} {length}");
        let text = fs::read_to_string(&manifest).unwrap();
        assert!(text.contains(said.lines().next().unwrap()), "the archive's digest");
        assert!(take_apart(&manifest).unwrap() == disk, "{gzip:?} {dense} {length}");
        let sparse = fs::read(folder.path().join("disk.raw.tar")).unwrap();
        let expected = if dense || length == 0 { b'0' } else { b'S' };
        assert_eq!(sparse[156], expected, "{gzip:?} {dense} {length}");
        assert_eq!(sparse.len() % 10240, 0);
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bytes() {
    let disk = disk(20 << 20);
    for gzip in [Gzip::Members, Gzip::Single] {
        let made: Vec<_> = [1, 2, 3, 9]
            .map(|threads| {
                let folder = tempfile::tempdir().unwrap();
                let options = BundleOptions {
                    gzip,
                    threads,
                    part_size: 4 << 20,
                    durable: false,
                    ..BundleOptions::new("d", folder.path())
                };
                let manifest = fs::read(bundle(&disk, &options)).unwrap();
                (manifest, fs::read(folder.path().join("d.part.00")).unwrap())
            })
            .into();
        // The whole manifest too: sealing and signing repeat for a given key.
        assert!(made.iter().all(|one| *one == made[0]), "{gzip:?}");
    }
}

#[test]
fn no_part_is_empty_when_the_length_fits() {
    let folder = tempfile::tempdir().unwrap();
    let disk = disk(1 << 20);
    let whole = BundleOptions { durable: false, ..BundleOptions::new("w", folder.path()) };
    let written = write_parts(&disk, &session(), &whole, &|_, _, _| {}).unwrap();
    let length = written.bundled_size;
    drop(written);
    let exact = BundleOptions { part_size: length, durable: false, ..BundleOptions::new("e", folder.path()) };
    let written = write_parts(&disk, &session(), &exact, &|_, _, _| {}).unwrap();
    assert_eq!(written.parts.len(), 1);
    drop(written);
    // Without a manifest nobody keeps them.
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_sparse_gibibyte_with_holes_goes_round() {
    let folder = tempfile::tempdir().unwrap();
    sh(
        folder.path(),
        "truncate -s 1G in.raw
         for at in 0 1 77 78 79 300 1000 131072 200000 262143; do
             head -c 4096 /dev/urandom | dd of=in.raw bs=4096 seek=$at conv=notrunc status=none; done
         for at in $(seq 1000 7 2000); do
             printf x | dd of=in.raw bs=4096 seek=$at conv=notrunc status=none; done",
    );
    let disk = RawSource::open(&folder.path().join("in.raw")).unwrap();
    let options = BundleOptions { durable: false, ..BundleOptions::new("big", folder.path()) };
    let manifest = bundle(&disk, &options);
    by_hand(folder.path(), "big");
    let out = manifest.with_file_name("unbundled.raw");
    drop(take_apart(&manifest).unwrap());
    sh(folder.path(), "cmp in.raw out/big; cmp in.raw unbundled.raw");
    use std::os::unix::fs::MetadataExt;
    let stored = out.metadata().unwrap().blocks() * 512;
    assert!(stored < 4 << 20, "{stored} bytes on the disk");
}

/// Nine GiB and a bit, of which three blocks are not zero.
struct Large;

const LARGE: u64 = (9 << 30) + 4096 * 3;

impl Large {
    const BLOCKS: [u64; 3] = [0, 8 << 30, LARGE - 8192];
}

impl BlockSource for Large {
    fn len(&self) -> u64 {
        LARGE
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<(), hardtack_disk::Error> {
        for (index, byte) in out.iter_mut().enumerate() {
            let at = offset + index as u64;
            *byte = u8::from(Self::BLOCKS.iter().any(|block| at - at % 4096 == *block));
        }
        Ok(())
    }

    fn data_ranges(&self, within: Range<u64>) -> Result<Vec<Range<u64>>, hardtack_disk::Error> {
        let blocks = Self::BLOCKS.iter().filter(|block| within.contains(block));
        Ok(blocks.map(|block| *block..block + 4096).collect())
    }
}

#[test]
fn more_than_eight_gibibytes_are_told_in_base_256() {
    let folder = tempfile::tempdir().unwrap();
    let options = BundleOptions { durable: false, ..BundleOptions::new("huge", folder.path()) };
    let manifest = bundle(&Large, &options);
    let said = by_hand(folder.path(), "huge");
    assert!(said.contains(&format!(" {LARGE} ")), "{said}");
    let tar = fs::read(folder.path().join("huge.tar")).unwrap();
    assert_eq!((tar[483], tar[386 + 24], tar[386]), (0x80, 0x80, b'0'));
    let out = folder.path().join("unbundled.raw");
    let bundle = hardtack_bundle::Bundle::open(&manifest, None).unwrap();
    let mut file = hardtack_disk::AtomicFile::create(&out).unwrap();
    file.set_durable(false);
    let done = hardtack_bundle::unbundle(&bundle, &session(), &mut file, &|_, _, _| {}).unwrap();
    file.commit(false).unwrap();
    assert_eq!((done.size, done.data), (LARGE, 3 * 4096));
    for file in ["out/huge", "unbundled.raw"] {
        let raw = RawSource::open(&folder.path().join(file)).unwrap();
        assert_eq!(raw.len(), LARGE);
        for block in Large::BLOCKS.into_iter().chain([4096, 9 << 30]) {
            let (mut found, mut wanted) = ([9; 4096], [9; 4096]);
            raw.read_at(block, &mut found).unwrap();
            Large.read_at(block, &mut wanted).unwrap();
            assert!(found == wanted, "{file}: {block}");
        }
    }
}

/// A disk that cannot be read behind its first MiB.
struct Broken;

impl BlockSource for Broken {
    fn len(&self) -> u64 {
        40 << 20
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<(), hardtack_disk::Error> {
        let size = 30 << 20;
        if offset > size {
            return Err(hardtack_disk::Error::OutOfRange { offset, length: out.len() as u64, size });
        }
        out.fill(offset as u8 | 1);
        Ok(())
    }
}

#[test]
fn nothing_is_left_of_a_bundle_that_failed() {
    let folder = tempfile::tempdir().unwrap();
    for dense in [false, true] {
        let options = BundleOptions {
            dense,
            threads: 3,
            part_size: 4096,
            durable: false,
            ..BundleOptions::new("b", folder.path())
        };
        let error = write_parts(&Broken, &session(), &options, &|_, _, _| {}).unwrap_err();
        assert!(matches!(error, Error::Disk(_)), "{error}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
    // A part that is there already is not replaced, and not removed.
    fs::write(folder.path().join("b.part.01"), "mine").unwrap();
    let options = BundleOptions { part_size: 4096, durable: false, ..BundleOptions::new("b", folder.path()) };
    write_parts(&disk(1 << 20), &session(), &options, &|_, _, _| {}).unwrap_err();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    for name in ["", "a/b", "..", &"x".repeat(101)] {
        let options = BundleOptions { name, ..options.clone() };
        let error = write_parts(&disk(512), &session(), &options, &|_, _, _| {}).unwrap_err();
        assert!(matches!(error, Error::Usage(_)), "{error}");
    }
}

#[test]
fn the_archive_is_the_one_of_euca2ools() {
    let folder = tempfile::tempdir().unwrap();
    let disk: Vec<u8> = b"hardtack\n".iter().copied().cycle().take(3_146_240).collect();
    let options = BundleOptions { durable: false, ..BundleOptions::new("pinned.img", folder.path()) };
    for dense in [false, true] {
        // There is no hole in it, so both are plain members.
        let options = BundleOptions { dense, ..options.clone() };
        let written = write_parts(&disk, &session(), &options, &|_, _, _| {}).unwrap();
        // What euca-bundle-image 3.4 wrote for `yes hardtack | head -c 3146240`.
        let digest = hardtack_bundle::hex::encode(&written.digest);
        assert_eq!(digest, "44a1f72340db1f0aa084385affb1a6bc4d42ef0a");
    }
}

#[test]
fn parts_that_are_handed_over_are_those_of_the_files() {
    let disk = disk(20 << 20);
    for gzip in [Gzip::Members, Gzip::Single] {
        let folder = tempfile::tempdir().unwrap();
        let options = BundleOptions {
            gzip,
            part_size: 1 << 20,
            durable: false,
            threads: 3,
            ..BundleOptions::new("disk", folder.path())
        };
        let mut files = write_parts(&disk, &session(), &options, &|_, _, _| {}).unwrap();
        files.keep();
        let elsewhere = BundleOptions { directory: "/nowhere".as_ref(), threads: 2, ..options };
        let mut taken = Vec::new();
        let mut sink = |part: PackedPart| -> Result<(), Error> {
            assert!(fs::read(folder.path().join(&part.name)).unwrap() == part.bytes, "{part:?}");
            taken.push((part.index, part.name, part.digest));
            Ok(())
        };
        let packed = pack_parts(&disk, &session(), &elsewhere, &|_, _, _| {}, &mut sink).unwrap();
        assert_eq!((packed.digest, packed.size, packed.data), (files.digest, files.size, files.data));
        assert_eq!((&packed.parts, packed.bundled_size), (&files.parts, files.bundled_size));
        let listed =
            packed.parts.into_iter().enumerate().map(|(index, part)| (index, part.name, part.digest));
        assert_eq!(taken, listed.collect::<Vec<_>>());
    }
}

#[test]
fn a_part_that_nobody_takes_ends_the_work_with_that_error() {
    #[derive(Debug, PartialEq)]
    struct Mine(String);
    impl From<Error> for Mine {
        fn from(error: Error) -> Self {
            Self(error.to_string())
        }
    }
    let disk = disk(20 << 20);
    let options =
        BundleOptions { part_size: 1 << 20, threads: 3, ..BundleOptions::new("disk", "/nowhere".as_ref()) };
    let mut taken = 0;
    let result = pack_parts(&disk, &session(), &options, &|_, _, _| {}, &mut |_| {
        taken += 1;
        if taken == 3 { Err(Mine("full".to_owned())) } else { Ok(()) }
    });
    assert_eq!((result.unwrap_err(), taken), (Mine("full".to_owned()), 3));
    let options = BundleOptions { level: 13, ..options };
    let result =
        pack_parts(&disk, &session(), &options, &|_, _, _| {}, &mut |_| Err(Mine("called".to_owned())));
    assert!(result.unwrap_err().0.contains("level"));
}

#[test]
fn there_are_as_many_parts_as_a_manifest_has_room_for() {
    let disk = disk(3 << 20);
    let mut counts = Vec::new();
    for name in ["i".to_owned(), "é".repeat(50)] {
        let options = BundleOptions { part_size: 16, ..BundleOptions::new(&name, "/nowhere".as_ref()) };
        let mut parts = Vec::new();
        let result = pack_parts(&disk, &session(), &options, &|_, _, _| {}, &mut |part: PackedPart| {
            parts.push(Part { name: part.name, digest: part.digest });
            Ok::<_, Error>(())
        });
        let error = result.unwrap_err();
        assert!(matches!(&error, Error::Usage(text) if text.contains("make larger parts")), "{error}");
        counts.push(parts.len());
        let manifest = Manifest {
            bundler: ("hardtack".to_owned(), "1".to_owned()),
            architecture: "x86_64".to_owned(),
            user: "123456789012".to_owned(),
            bundled_size: parts.len() as u64 * 16,
            cloud_key: certificate("cloud").seal(&session()).unwrap(),
            name,
            parts,
            ..Manifest::default()
        };
        let text = manifest.to_xml(Some(&private("user"))).unwrap();
        let length = text.len() as u64;
        assert!(length <= LARGEST_MANIFEST && length > LARGEST_MANIFEST - (80 << 10), "{length}");
        let read = Manifest::parse(text.as_bytes(), "x.manifest.xml".as_ref()).unwrap();
        assert_eq!(read.parts, manifest.parts);
    }
    assert!(counts[0] > 35_000 && counts[1] < 20_000, "{counts:?}");
}
