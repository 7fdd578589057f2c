//! Which data sources a machine has, by marks that can be read without a network: ds-identify's rules as a
//! function (`tools/ds-identify`).
//!
//! Data sources that this program cannot read are identified as well, so that it can say what it is on.

mod checks;
mod config;
mod ec2;
mod marks;
mod policy;
mod shell;
pub mod virtualization;
mod vmware;
mod wsl;

use std::fmt::Write as _;

use hardtack_modules::Machine;

use self::checks::Answer;
use self::marks::Marks;
pub use self::policy::{Mode, Policy};
pub use self::virtualization::{is_container, virtualization};
use crate::local::BlockDevice;

/// The data sources that are asked where no list is given, in this order.
pub const DEFAULT_LIST: &str = "MAAS ConfigDrive NoCloud AltCloud Azure Bigstep CloudSigma CloudStack \
     DigitalOcean Vultr AliYun Ec2 GCE OpenNebula OpenStack VMware OVF SmartOS Scaleway Hetzner IBMCloud Oracle \
     Exoscale RbxCloud UpCloud LXD NWCS Akamai WSL CloudCIX";

/// What is asked.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    /// The files.
    pub machine: &'a dyn Machine,
    /// The file systems.
    pub devices: &'a [BlockDevice],
    /// What the machine runs in: [`virtualization`].
    pub virtualization: &'a str,
    /// `uname -m`.
    pub architecture: &'a str,
    /// What only programs and the environment say.
    pub answers: &'a Answers<'a>,
}

/// What ds-identify asks programs and its environment. All of it is empty where nobody asked.
#[derive(Clone, Default)]
pub struct Answers<'a> {
    /// `VMX_GUESTINFO` is set, and one of its three variables is.
    pub guestinfo_in_environment: bool,
    /// `vmware-rpctool` or `vmtoolsd` is there.
    pub vmware_tools: bool,
    /// Metadata, user-data or vendor-data are in VMware's guestinfo.
    pub guestinfo: bool,
    /// `guestinfo.ovfEnv`.
    pub ovf_environment: Option<String>,
    /// `/root/swinstall.log` is younger than this boot.
    pub provisioned_in_this_boot: bool,
    /// What Windows says.
    pub wsl: Option<Wsl<'a>>,
}

/// Windows around a WSL.
#[derive(Clone)]
pub struct Wsl<'a> {
    /// Where its disks are mounted.
    pub files: &'a dyn Machine,
    /// `%USERPROFILE%` as a path in `files`.
    pub profile: String,
    /// The instance's name.
    pub instance: String,
}

/// How the list came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// cloud-init is switched off, by its file or on the command line.
    Off,
    /// The policy says `disabled`.
    Disabled,
    /// The policy says `enabled`: nothing was looked for.
    Enabled,
    /// The command line or `ds-identify.cfg` names one data source.
    Named,
    /// `manual_cache_clean` is on and there is an instance: it stays.
    Kept,
    /// The configuration lists one data source, which is taken unchecked.
    Listed,
    /// What was found.
    Found,
    /// What may be there, since nothing was found.
    Maybe,
    /// Nothing.
    NotFound,
}

/// A data source that left a mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// As in `datasource_list`.
    pub name: String,
    /// It is certain.
    pub found: bool,
    /// The mark.
    pub why: String,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identified {
    /// How the list came about.
    pub verdict: Verdict,
    /// The policy.
    pub policy: Policy,
    /// `datasource_list` as cloud-init understands it: `nocloud` on the command line is `NoCloud` here. Empty
    /// where it gets none.
    pub list: Vec<String>,
    /// The list that somebody has configured, as cloud-init understands it; empty where nobody has.
    pub configured: Vec<String>,
    /// All that left a mark, in the order of the list that was asked.
    pub candidates: Vec<Candidate>,
    /// What ds-identify exits with: 0 cloud-init runs, 1 it does not, 2 it is switched off.
    pub exit: u8,
    /// What ds-identify writes to `/run/cloud-init/cloud.cfg`.
    pub text: Option<String>,
    /// What a person should know.
    pub notes: Vec<String>,
}

/// What ds-identify finds out.
#[must_use]
pub fn identify(question: &Question<'_>) -> Identified {
    let mut marks = Marks::read(question);
    let nothing = |verdict, exit| Identified {
        verdict,
        policy: Policy::default(),
        list: Vec::new(),
        configured: Vec::new(),
        candidates: Vec::new(),
        exit,
        text: None,
        notes: Vec::new(),
    };
    if marks.is_file("/etc/cloud/cloud-init.disabled") || marks.command_line.contains("cloud-init=disabled") {
        return nothing(Verdict::Off, 2);
    }
    let (policy, named) = policy::read(question.machine, &marks.command_line);
    let mut result = Identified { policy, ..nothing(Verdict::NotFound, 0) };
    match policy.mode {
        Mode::Disabled => return Identified { verdict: Verdict::Disabled, exit: 1, ..result },
        Mode::Enabled => return Identified { verdict: Verdict::Enabled, ..result },
        Mode::Search | Mode::Report => {}
    }
    marks.list = config::datasource_list(question.machine, &marks.command_line, &named);
    result.configured = shell::words(&marks.list).map(|name| known_name(name).to_owned()).collect();
    if marks.list.is_empty() {
        DEFAULT_LIST.clone_into(&mut marks.list);
    }
    if !named.is_empty() {
        return result.with(Verdict::Named, [named.as_str()], "", true);
    }
    if marks.is_file("/var/lib/cloud/instance/manual-clean") {
        result.verdict = Verdict::Kept;
        result.text = Some(written(policy.mode, "# manual_cache_clean.\n"));
        return result;
    }
    let list: Vec<&str> = shell::words(&marks.list).collect();
    match list.as_slice() {
        [one] => return result.with(Verdict::Listed, [*one], "", false),
        [one, "None"] => return result.with(Verdict::Listed, [*one, "None"], "", true),
        _ => {}
    }

    let mut extra = [String::new(), String::new()];
    for name in &list {
        let Some((answer, line)) = checks::check(&marks, name) else {
            result.notes.push(format!("ds-identify has no rule for the data source {name:?}"));
            continue;
        };
        let (found, why) = match answer {
            Answer::Found(why) => (true, why),
            Answer::Maybe(why) => (false, why),
            Answer::No => continue,
        };
        let [found_lines, maybe_lines] = &mut extra;
        let lines = if found { found_lines } else { maybe_lines };
        if !lines.is_empty() {
            lines.push('\n');
        }
        lines.push_str(&line.unwrap_or_default());
        result.candidates.push(Candidate { name: (*name).to_owned(), found, why });
    }
    let [found_lines, maybe_lines] = &extra;
    let names = |found: bool| -> Vec<String> {
        let those = result.candidates.iter().filter(|candidate| candidate.found == found);
        those.map(|candidate| candidate.name.clone()).collect()
    };
    let (mut found, maybe) = (names(true), names(false));
    if !found.is_empty() {
        if policy.first {
            found.truncate(1);
        }
        return result.with(Verdict::Found, found.iter().map(String::as_str), found_lines, true);
    }
    if !maybe.is_empty() && policy.maybe {
        return result.with(Verdict::Maybe, maybe.iter().map(String::as_str), maybe_lines, true);
    }
    let message = format!(
        "# reporting not found result. notfound={}.",
        if policy.enabled { "enabled" } else { "disabled" }
    );
    let text = match policy.mode {
        Mode::Report => "datasource_list: [  ]\n".to_owned(),
        _ => format!("datasource_list: [  ]\n{message}\n"),
    };
    // As a report, since an empty list would keep cloud-init from searching itself.
    result.text = Some(written(Mode::Report, &text));
    result.exit = u8::from(policy.mode == Mode::Search && !policy.enabled);
    result
}

impl Identified {
    fn with<'n>(
        mut self,
        verdict: Verdict,
        names: impl IntoIterator<Item = &'n str>,
        extra: &str,
        and_none: bool,
    ) -> Self {
        self.verdict = verdict;
        self.list = names.into_iter().map(str::to_owned).collect();
        if and_none && !self.list.iter().any(|name| name == "None") {
            self.list.push("None".to_owned());
        }
        let mut text = format!("datasource_list: [ {} ]\n", self.list.join(", "));
        self.list = self.list.iter().map(|name| known_name(name).to_owned()).collect();
        if !extra.is_empty() {
            text.push_str(extra);
            text.push('\n');
        }
        self.text = Some(written(self.policy.mode, &text));
        self
    }

    /// Whether cloud-init, or who stands in its place, runs.
    #[must_use]
    pub fn runs(&self) -> bool {
        self.exit == 0
    }
}

/// The name as it is spelled in [`DEFAULT_LIST`], capital or small letters or not.
fn known_name(name: &str) -> &str {
    if name.eq_ignore_ascii_case("nocloud-net") {
        return "NoCloud";
    }
    shell::words(DEFAULT_LIST).find(|known| known.eq_ignore_ascii_case(name)).unwrap_or(name)
}

/// The lines as ds-identify writes them: a report has them below a key that counts for nothing.
fn written(mode: Mode, lines: &str) -> String {
    if mode != Mode::Report {
        return lines.to_owned();
    }
    let mut text = "di_report:\n".to_owned();
    for line in lines.lines() {
        let _ = writeln!(text, "  {line}");
    }
    text
}
