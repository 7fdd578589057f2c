//! What the tests share: a folder with keys, a disk, a bundle of it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use hardtack_bundle::{
    Bundle, BundleOptions, Manifest, PrivateKey, PublicKey, Session, manifest_path, unbundle, write_manifest,
    write_parts,
};
use hardtack_disk::{AtomicFile, BlockSource};

pub(crate) const KEY: &str = "000102030405060708090a0b0c0d0e0f";
pub(crate) const IV: &str = "f0e0d0c0b0a090807060504030201000";

pub(crate) fn session() -> Session {
    Session::from_hex(KEY, IV).unwrap()
}

/// Runs a shell script in `directory`; its standard output.
pub(crate) fn sh(directory: &Path, script: &str) -> Vec<u8> {
    let output =
        Command::new("bash").args(["-o", "pipefail", "-ec", script]).current_dir(directory).output().unwrap();
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Files that `openssl` made, once: user.pem, user.crt, cloud.pem, cloud.crt (1024 bits, as AWS's).
pub(crate) fn keys() -> &'static Path {
    static KEYS: OnceLock<tempfile::TempDir> = OnceLock::new();
    let folder = KEYS.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        for (name, bits) in [("user", 2048), ("cloud", 1024)] {
            sh(
                folder.path(),
                &format!(
                    "openssl req -x509 -newkey rsa:{bits} -sha1 -nodes -keyout {name}.pem -out {name}.crt \
                     -subj /CN=AES\\ Test -days 1 2>/dev/null
                     openssl rsa -traditional -in {name}.pem -out {name}-pkcs1.pem 2>/dev/null
                     openssl x509 -in {name}.crt -noout -pubkey > {name}.pub"
                ),
            );
        }
        folder
    });
    folder.path()
}

pub(crate) fn certificate(name: &str) -> PublicKey {
    let path = keys().join(format!("{name}.crt"));
    PublicKey::from_certificate(&std::fs::read(&path).unwrap(), &path).unwrap()
}

pub(crate) fn private(name: &str) -> PrivateKey {
    let path = keys().join(format!("{name}.pem"));
    PrivateKey::from_pem(&std::fs::read(&path).unwrap(), &path).unwrap()
}

/// Bytes that are text, noise and holes in turn.
pub(crate) fn disk(length: usize) -> Vec<u8> {
    let mut bytes = vec![0_u8; length];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for (index, block) in bytes.chunks_mut(4096).enumerate() {
        match index / 5 % 7 {
            0 | 3 => {
                for byte in block {
                    state =
                        state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    *byte = (state >> 56) as u8;
                }
            }
            1 => block.iter_mut().enumerate().for_each(|(at, byte)| *byte = b'a' + (at % 19) as u8),
            _ => {}
        }
    }
    bytes
}

/// Bundles `disk` and writes its manifest; where that is.
pub(crate) fn bundle(disk: &dyn BlockSource, options: &BundleOptions<'_>) -> PathBuf {
    let session = session();
    let mut written = write_parts(disk, &session, options, &|_, _, _| {}).unwrap();
    let manifest = Manifest {
        bundler: ("hardtack".to_owned(), "1".to_owned()),
        architecture: "x86_64".to_owned(),
        devices: vec![("root".to_owned(), "/dev/sda1".to_owned()), ("ami".to_owned(), "sda1".to_owned())],
        name: options.name.to_owned(),
        user: "123456789012".to_owned(),
        digest: written.digest,
        size: written.size,
        bundled_size: written.bundled_size,
        cloud_key: certificate("cloud").seal(&session).unwrap(),
        user_key: certificate("user").seal(&session).unwrap(),
        parts: written.parts.clone(),
        ..Manifest::default()
    };
    let path = manifest_path(options.directory, options.name);
    write_manifest(&path, &manifest.to_xml(Some(&private("user"))).unwrap(), options.replace, false).unwrap();
    written.keep();
    path
}

/// Takes the bundle apart; the image, or what was said.
pub(crate) fn take_apart(manifest: &Path) -> Result<Vec<u8>, String> {
    let out = manifest.with_file_name("unbundled.raw");
    // Of an earlier bundle in this folder.
    let _ = std::fs::remove_file(&out);
    let result = (|| {
        let bundle = Bundle::open(manifest, None)?;
        let session =
            bundle.session(&private("user")).ok_or(hardtack_bundle::Error::Usage("wrong key".to_owned()))?;
        let mut file = AtomicFile::create(&out)?;
        file.set_durable(false);
        unbundle(&bundle, &session, &mut file, &|_, _, _| {})?;
        file.commit(true)?;
        Ok::<_, hardtack_bundle::Error>(())
    })();
    match result {
        Ok(()) => Ok(std::fs::read(&out).unwrap()),
        Err(error) => {
            assert!(!out.exists(), "an image was left behind");
            Err(error.to_string())
        }
    }
}
