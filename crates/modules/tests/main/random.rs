//! Plans of user-data that is damaged by chance: the seeds of the fuzzer, with pieces of them cut out,
//! doubled and replaced. Whatever comes of it, a plan is made and can be shown.

use std::path::Path;

use hardtack_modules::testing::Tree;
use hardtack_modules::{Distro, Facts, Request, plan, text};
use hardtack_userdata::check::{CheckOptions, check};

/// A generator of xorshift's kind: the same numbers in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % (end.max(1) as u64)).unwrap()
    }
}

fn shown(user_data: &[u8], machine: &Tree) -> usize {
    let report = check("user-data", user_data, &CheckOptions::default());
    let parts = &report.data.parts;
    let distro = Distro::read(machine);
    let facts = Facts { public_keys: vec!["ssh-ed25519 AAAA a".to_owned()], ..Facts::default() };
    let request = Request { config: &report.config, parts, machine, distro: &distro, facts: &facts };
    let plan = plan(&request);
    assert!(text::json(&plan, parts).is_object());
    text::text(&plan, parts).len()
}

#[test]
fn damaged_user_data_has_a_plan() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz/corpus/userdata");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let seeds: Vec<Vec<u8>> = paths.iter().map(|path| std::fs::read(path).unwrap()).collect();
    let machines = [Tree::new(), Tree::debian()];
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let mut longest = 0;
    for seed in &seeds {
        longest = longest.max(shown(seed, &machines[1]));
        for _ in 0..8 {
            let mut bytes = seed.clone();
            for _ in 0..=numbers.below(4) {
                let from = numbers.below(bytes.len());
                let to = from.saturating_add(numbers.below(40)).min(bytes.len());
                let other = &seeds[numbers.below(seeds.len())];
                let start = numbers.below(other.len());
                let end = start.saturating_add(numbers.below(80)).min(other.len());
                bytes.splice(from..to, other[start..end].iter().copied());
            }
            for machine in &machines {
                shown(&bytes, machine);
            }
        }
    }
    assert!(seeds.len() > 15 && longest > 200, "{} seeds, {longest}", seeds.len());
}
