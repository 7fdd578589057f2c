//! SELinux and the secret files of pam_google_authenticator.
//!
//! The module runs in sshd's own domain (`sshd_t`). At each login it reads the secret in the user's home and, to count tries and
//! used codes, makes a file `.google_authenticator~XXXXXX` beside it, which it renames (`write_file_contents` in
//! pam_google_authenticator.c). No label of the secret allows that: the policy would have to let `sshd_t` make, write and rename
//! files in `user_home_dir_t`. Debian's (2.20221101) lets it do neither that nor read `user_home_t`, which is what its
//! `file_contexts` give the secret (`sesearch -A -s sshd_t -t user_home_t -c file`: nothing); Fedora's `auth_home_t` is given by a
//! name, `.google_authenticator~`, which the temporary file does not have. So where SELinux enforces nobody could log in.

use hardtack_guest::{FileType, GuestPath, Policy, accounts, bootloader};

use super::STEP;
use crate::model::MfaStep;
use crate::{Context, StepError};

/// Refuses an image whose SELinux would keep the module from its files; one that only might is told.
///
/// # Errors
/// It would, or the image cannot be read.
pub(super) fn check(step: &MfaStep, cx: &mut Context<'_, '_>) -> Result<(), StepError> {
    let Some(policy) = Policy::of_stage(cx.stage)?.filter(|policy| policy.enabled) else { return Ok(()) };
    let Some(name) = step.users.first() else { return Ok(()) };
    let home = accounts::user(cx.stage, name)?.map_or_else(|| format!("/home/{name}"), |user| user.home);
    let secret = format!("{home}/.google_authenticator");
    let label = policy
        .contexts
        .as_ref()
        .and_then(|contexts| contexts.label(&GuestPath::new(&secret), FileType::Regular))
        .unwrap_or_else(|| "nothing that is known".to_owned());
    let what = format!("the policy labels {secret} {label}, and sshd may not write beside it");
    match (policy.enforcing, is_asked_for(cx)) {
        (true, true) => Err(StepError::refused(
            STEP,
            format!("SELinux is enforcing: {what}: nobody could log in"),
        )
        .hint(
            "say SELINUX=permissive in /etc/selinux/config, or leave step mfa out: `sshd: {AuthenticationMethods: \"publickey,password\"}` needs no code",
        )),
        (enforcing, _) => {
            let when = match enforcing {
                true => "nobody can log in once the kernel's command line switches SELinux on",
                false => "SELINUX=enforcing would shut everybody out",
            };
            cx.warn(STEP, format!("{what}: {when}"));
            Ok(())
        }
    }
}

/// A kernel whose default is another module runs SELinux where its command line says so; an image whose boot entries are not
/// known is taken to.
fn is_asked_for(cx: &Context<'_, '_>) -> bool {
    let Ok(boot) = bootloader::read(cx.stage) else { return true };
    let asks = |options: &str| {
        options.split_whitespace().any(|word| match word.split_once('=') {
            Some(("security", name)) => name == "selinux",
            Some(("selinux", value)) => value == "1",
            Some(("lsm", names)) => names.split(',').any(|name| name == "selinux"),
            _ => false,
        })
    };
    let off = |options: &str| options.split_whitespace().any(|word| word == "selinux=0");
    let entries = &boot.entries;
    if entries.is_empty() {
        return true;
    }
    // Debian's and Ubuntu's kernels have AppArmor as their default.
    entries.iter().any(|entry| asks(&entry.options) && !off(&entry.options))
}
