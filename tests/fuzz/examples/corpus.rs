//! Makes the seeds of the fuzz targets again: `cargo run --example corpus` in this folder. They come from the
//! project's own writers, and from the base images by the fields that matter.

use std::fs;
use std::path::{Path, PathBuf};

use hardtack_disk::{AtomicFile, Compression, Qcow2Options, write_qcow2};

/// The bases of each target.
const BASES: &[(&str, u8)] =
    &[("ext4", 8), ("journal", 6), ("qcow2", 8), ("partition", 7), ("fat", 3), ("container", 14)];

/// Values that numbers in tables do not like.
const VALUES: &[&[u8]] = &[&[0xff; 8], &[0; 8], &[1, 0, 0, 0], &[0, 0, 0, 1], &[0x80], &[0, 0, 0, 0x80]];

fn main() -> std::io::Result<()> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for (target, count) in BASES {
        let folder = top.join(target);
        fs::create_dir_all(&folder)?;
        for base in 0..*count {
            // The base itself, and it with damage all over.
            fs::write(folder.join(format!("base-{base}")), [base])?;
            let mut input = vec![base | 0x80];
            for (number, value) in (0_u32..).zip(VALUES.iter().cycle().take(3 * VALUES.len())) {
                let place = (number * 977 + number % 7 * 57).to_le_bytes();
                input.extend([place[0], place[1], place[2], value.len() as u8 - 1]);
                input.extend(*value);
            }
            fs::write(folder.join(format!("damage-{base}")), input)?;
        }
    }
    whole(&top.join("qcow2"))
}

/// Small images as our own writers make them.
fn whole(folder: &Path) -> std::io::Result<()> {
    let fail = |error: hardtack_disk::Error| std::io::Error::other(error);
    let mut disk = vec![0_u8; 20_480];
    disk[..9].copy_from_slice(b"the start");
    for (at, byte) in disk.iter_mut().enumerate().skip(10_000).take(2000) {
        *byte = ((at * 7) >> 3) as u8;
    }
    for (name, cluster_size, compression) in [
        ("own-512", 512, Compression::None),
        ("own-512-zlib", 512, Compression::Zlib),
        ("own-1k-zstd", 1024, Compression::Zstd),
    ] {
        let mut out = scratch()?;
        let options = Qcow2Options { cluster_size, compression, threads: 1 };
        write_qcow2(&disk, &mut out, &options, &|_, _| {}).map_err(fail)?;
        keep(&out, &folder.join(name))?;
    }
    Ok(())
}

fn scratch() -> std::io::Result<AtomicFile> {
    AtomicFile::create(&PathBuf::from("/dev/shm/corpus")).map_err(std::io::Error::other)
}

fn keep(out: &AtomicFile, path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::FileExt;
    let mut bytes = vec![0; out.file().metadata()?.len() as usize];
    out.file().read_exact_at(&mut bytes, 0)?;
    let mut input = vec![0xff];
    input.extend(bytes);
    fs::write(path, input)
}
