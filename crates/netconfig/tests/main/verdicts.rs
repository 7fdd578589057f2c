//! Every file equals what the real program wrote for the same configuration, and what the real program
//! stumbles over is refused. `tests/data/verdicts.py` made the cases.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use hardtack_netconfig::config::Card;
use hardtack_netconfig::render::{HEADER, Image, Renderer, render};
use hardtack_netconfig::{network_manager, sysconfig};
use hardtack_userdata::Value;

fn cards() -> Vec<Card> {
    [("52:54:00:12:34:00", "ens3"), ("52:54:00:12:34:01", "ens4"), ("de:ad:be:ef:00:07", "enp0s7")]
        .into_iter()
        .map(|(mac, name)| Card { name: name.to_owned(), mac: mac.to_owned(), driver: None })
        .collect()
}

const RENDERERS: &[(&str, Renderer)] = &[
    ("eni", Renderer::Eni),
    ("netplan", Renderer::Netplan),
    ("networkd", Renderer::Networkd),
    ("sysconfig", Renderer::Sysconfig),
    ("suse", Renderer::Sysconfig),
    ("network-manager", Renderer::NetworkManager),
];

type Files = Result<BTreeMap<String, String>, String>;

fn ours(text: &str, name: &str, renderer: Renderer) -> Files {
    let image = Image { has_ip: true, suse: name == "suse", ..Image::default() };
    let config = Value::load(text, 0).map_err(|found| found[0].message.clone())?;
    let rendered =
        render(renderer, &config, &cards(), &image, &|_| None).map_err(|finding| finding.message)?;
    let bare = |text: String| {
        let text = text.replace(sysconfig::HEADER, "");
        [HEADER, network_manager::HEADER]
            .iter()
            .find_map(|header| text.strip_prefix(header))
            .unwrap_or(&text)
            .to_owned()
    };
    let files = rendered.files.into_iter().filter(|file| !file.path.contains("30-cloud-init-ip6"));
    Ok(files.map(|file| (file.path, bare(file.text))).collect())
}

fn real(verdict: &serde_json::Value) -> Files {
    if let Some(error) = verdict["error"].as_str() {
        return Err(error.to_owned());
    }
    let files = verdict["files"].as_object().unwrap();
    Ok(files.iter().map(|(path, text)| (path.clone(), text.as_str().unwrap().to_owned())).collect())
}

fn cases() -> Vec<PathBuf> {
    let mut paths = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/verdicts.jsonl")];
    paths.extend(std::env::var_os("HARDTACK_VERDICTS").map(PathBuf::from));
    paths
}

#[test]
fn files_equal_what_the_real_program_writes() {
    let mut wrong = BTreeMap::<&str, usize>::new();
    let (mut count, mut refused) = (0, 0);
    for path in cases() {
        for line in fs::read_to_string(path).unwrap().lines() {
            let case: serde_json::Value = serde_json::from_str(line).unwrap();
            let text = case["text"].as_str().unwrap();
            for (name, renderer) in RENDERERS {
                let (wanted, found) = (real(&case[name]), ours(text, name, *renderer));
                // The real program makes folders of `/` in names.
                if found.as_ref().is_err_and(|message| message.contains("a name has no `/`")) {
                    continue;
                }
                count += 1;
                refused += usize::from(wanted.is_err());
                if wanted.is_err() && found.is_err() || wanted == found {
                    continue;
                }
                let seen = wrong.entry(name).or_default();
                *seen += 1;
                if *seen <= 4 {
                    eprintln!("--- {name}\n{text}\nwanted {wanted:#?}\nfound {found:#?}");
                }
            }
        }
    }
    assert!(wrong.is_empty(), "of {count} verdicts ({refused} refusals) others: {wrong:?}");
    assert!(count >= 66 && refused < count / 2, "{refused} of {count} are refusals");
}
