//! What we write reads the same through qemu-img, qcow2-rs and ourselves.
#![allow(clippy::unwrap_used, clippy::single_range_in_vec_init)]

mod common;

use std::future::Future;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use common::{assert_same, file, have, pattern, read_all, run, scratch, text};
use hardtack_disk::{
    AtomicFile, BlockSource, BlockWrite, Compression, ImageFormat, Overlay, Qcow2Options, open_source,
    write_image, write_qcow2, write_raw,
};
use qcow2_rs::dev::Qcow2DevParams;
use qcow2_rs::helpers::Qcow2IoBuf;
use qcow2_rs::utils::qcow2_setup_dev_sync;

const SIZE: usize = (9 << 20) + 512;

/// qcow2-rs is asynchronous even where its input and output are not; its futures are ready.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
    }
}

fn through_qcow2_rs(path: &Path, size: usize) -> Vec<u8> {
    let params = Qcow2DevParams::new(9, None, None, true, false);
    let disk = qcow2_setup_dev_sync(path, &params).unwrap();
    block_on(async {
        disk.qcow2_prep_io().await.unwrap();
        let mut buffer = Qcow2IoBuf::<u8>::new(size.next_multiple_of(4096));
        let read = disk.read_at(&mut buffer[..size], 0).await.unwrap();
        assert_eq!(read, size);
        buffer[..size].to_vec()
    })
}

fn write(
    disk: &dyn BlockSource,
    path: &Path,
    options: Option<&Qcow2Options>,
    threads: usize,
) -> hardtack_disk::Written {
    let mut out = AtomicFile::create(path).unwrap();
    let written = match options {
        Some(options) => {
            write_qcow2(disk, &mut out, &Qcow2Options { threads, ..*options }, &|_, _| {}).unwrap()
        }
        None => write_raw(disk, &mut out, threads, &|_, _| {}).unwrap(),
    };
    out.commit(true).unwrap();
    written
}

#[test]
fn qcow2_of_every_cluster_size_reads_identically_everywhere() {
    if !have(&["qemu-img"]) {
        return;
    }
    let directory = scratch();
    let expected = pattern(SIZE, 11);
    let raw = file(directory.path(), "disk.raw", &expected);
    let path = directory.path().join("disk.qcow2");
    for compression in [Compression::Zlib, Compression::Zstd, Compression::None] {
        for bits in 9..=21 {
            let what = format!("clusters of 2^{bits} bytes, compression {compression:?}");
            let options = Qcow2Options { cluster_size: 1 << bits, compression, threads: 1 };
            let written = write(&expected, &path, Some(&options), 1);
            let bytes = std::fs::read(&path).unwrap();
            assert_eq!(bytes.len() as u64, written.file_size, "{what}");
            run("qemu-img", &["check", "-q", "-f", "qcow2", text(&path)]);
            run("qemu-img", &["compare", "-q", "-f", "raw", "-F", "qcow2", text(&raw), text(&path)]);
            // It knows no zstd, and panics on clusters of less than 4 KiB whoever made them.
            if compression != Compression::Zstd && bits >= 12 {
                assert_same(&through_qcow2_rs(&path, SIZE), &expected, &what);
            }
            assert_same(&read_all(&*open_source(&path).unwrap()), &expected, &what);
            for threads in [2, 5] {
                write(&expected, &path, Some(&options), threads);
                assert_same(&std::fs::read(&path).unwrap(), &bytes, &format!("{what}, {threads} threads"));
            }
        }
    }
}

#[test]
fn the_same_bytes_give_the_same_image_whatever_they_come_from() {
    let directory = scratch();
    let expected = pattern(SIZE, 13);
    let path = directory.path().join("first.qcow2");
    let options = Qcow2Options::default();
    write(&expected, &path, Some(&options), 2);
    // This source says where its zeros are, the vector does not.
    let again = directory.path().join("second.qcow2");
    write(&*open_source(&path).unwrap(), &again, Some(&options), 3);
    assert_same(&std::fs::read(&again).unwrap(), &std::fs::read(&path).unwrap(), "qcow2");
    let raw = directory.path().join("disk.raw");
    write(&*open_source(&path).unwrap(), &raw, None, 2);
    assert_same(&std::fs::read(&raw).unwrap(), &expected, "raw");
}

#[test]
fn special_disks() {
    if !have(&["qemu-img"]) {
        return;
    }
    let directory = scratch();
    let path = directory.path().join("disk.qcow2");
    let disks: &[(&str, Vec<u8>)] = &[
        ("empty", vec![]),
        ("one sector", vec![7; 512]),
        ("zeros", vec![0; 3 << 20]),
        ("text", vec![b'x'; 40 << 20]),
    ];
    for (what, disk) in disks {
        for compression in [Compression::Zlib, Compression::Zstd, Compression::None] {
            let options = Qcow2Options { compression, ..Qcow2Options::default() };
            let written = write(disk, &path, Some(&options), 2);
            assert_eq!(written.virtual_size, disk.len() as u64, "{what}");
            run("qemu-img", &["check", "-q", "-f", "qcow2", text(&path)]);
            let raw = file(directory.path(), "raw", disk);
            if !disk.is_empty() {
                run("qemu-img", &["compare", "-q", "-f", "raw", "-F", "qcow2", text(&raw), text(&path)]);
                let out = directory.path().join("out.raw");
                write(disk, &out, None, 2);
                assert_same(&std::fs::read(&out).unwrap(), disk, what);
            }
        }
    }
}

#[test]
fn raw_output_is_sparse() {
    let directory = scratch();
    let mut disk = vec![0; 64 << 20];
    disk[40 << 20] = 1;
    let path = directory.path().join("disk.raw");
    let written = write(&disk, &path, None, 2);
    assert_eq!((written.virtual_size, written.data), (64 << 20, 4096));
    let allocated = std::fs::metadata(&path).unwrap().blocks() * 512;
    assert!(allocated <= 1 << 20, "{allocated} bytes are allocated");
}

#[test]
fn a_huge_empty_disk_takes_no_time() {
    /// 100 TiB of zeros with one byte at the end.
    struct Huge;
    impl BlockSource for Huge {
        fn len(&self) -> u64 {
            100 << 40
        }
        fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), hardtack_disk::Error> {
            buf.fill(0);
            if offset + buf.len() as u64 == self.len() {
                buf[buf.len() - 1] = 1;
            }
            Ok(())
        }
        fn data_ranges(
            &self,
            within: std::ops::Range<u64>,
        ) -> Result<Vec<std::ops::Range<u64>>, hardtack_disk::Error> {
            Ok(if within.end == self.len() { vec![within.end - 1..within.end] } else { vec![] })
        }
    }
    let directory = scratch();
    let path = directory.path().join("disk.qcow2");
    write(&Huge, &path, Some(&Qcow2Options::default()), 2);
    let disk = open_source(&path).unwrap();
    assert_eq!(disk.len(), 100 << 40);
    assert_eq!(disk.data_ranges(0..disk.len()).unwrap(), vec![(100 << 40) - 65536..100 << 40]);
}

#[test]
fn edits_reach_the_output_and_leave_the_source_alone() {
    let directory = scratch();
    let before = pattern(SIZE, 17);
    let source = file(directory.path(), "source.raw", &before);
    let overlay = Overlay::new(open_source(&source).unwrap());
    overlay.write_at(5_000_001, b"edited").unwrap();
    let mut expected = before.clone();
    expected[5_000_001..5_000_007].copy_from_slice(b"edited");
    for format in [ImageFormat::Raw, ImageFormat::Qcow2] {
        let path = directory.path().join(format.name());
        let mut out = AtomicFile::create(&path).unwrap();
        let last = AtomicU64::new(0);
        write_image(&overlay, &mut out, format, &|done, total| {
            assert!(done <= total);
            last.fetch_max(done, Ordering::Relaxed);
        })
        .unwrap();
        out.commit(false).unwrap();
        assert_eq!(last.into_inner(), SIZE as u64);
        assert_same(&read_all(&*open_source(&path).unwrap()), &expected, format.name());
    }
    assert_same(&std::fs::read(&source).unwrap(), &before, "the source");
}

#[test]
fn an_error_of_the_source_ends_the_pass() {
    struct Broken;
    impl BlockSource for Broken {
        fn len(&self) -> u64 {
            64 << 20
        }
        fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), hardtack_disk::Error> {
            buf.fill(3);
            if offset >= 20 << 20 {
                return Err(hardtack_disk::Error::OutOfRange { offset, length: 1, size: 20 << 20 });
            }
            Ok(())
        }
    }
    let directory = scratch();
    for threads in [1, 4] {
        for format in [ImageFormat::Raw, ImageFormat::Qcow2] {
            let mut out = AtomicFile::create(&directory.path().join("disk")).unwrap();
            let result = match format {
                ImageFormat::Raw => write_raw(&Broken, &mut out, threads, &|_, _| {}),
                ImageFormat::Qcow2 => write_qcow2(
                    &Broken,
                    &mut out,
                    &Qcow2Options { threads, ..Default::default() },
                    &|_, _| {},
                ),
            };
            assert!(result.is_err());
        }
    }
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}
