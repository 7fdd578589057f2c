//! What people should know of how the image starts, whatever the steps did.

use hardtack_guest::bootloader::{self, serial_consoles};

use crate::model::Recipe;
use crate::{Context, Note, Weight};

const STEP: &str = "agent";

/// Tells when nobody would read the credentials block, and when a changed root does not start.
pub(super) fn tell(recipe: &Recipe, cx: &mut Context<'_, '_>) {
    // Whoever needs the boot loader has refused it by now.
    let Ok(boot) = bootloader::read(cx.stage) else { return };
    for (origin, word) in boot.verified() {
        let text = format!(
            "{origin}: the root is verified by dm-verity ({word}): with any file changed it does not start"
        );
        let note = Note { weight: Weight::Capital, step: "recipe", text, shown: None };
        if !cx.notes.contains(&note) {
            cx.notes.push(note);
        }
    }
    let prints = recipe.mfa().is_some()
        || recipe.agent().is_some() && cx.agent.mfa.is_some()
        || cx.agent.accounts.iter().any(|account| account.random_password.is_some());
    if !prints {
        return;
    }
    let silent = boot
        .defaults
        .iter()
        .filter_map(|index| boot.entries.get(*index))
        .find(|entry| serial_consoles(&entry.options).is_empty());
    if let Some(entry) = silent {
        let title = if entry.title.is_empty() { String::new() } else { format!(" ({})", entry.title) };
        cx.warn(
            STEP,
            format!(
                "{}{title} is what starts, and its command line has no serial console: the credentials block is \
                 printed on the ports that the agent finds itself, and nothing else of the boot is; add the step \
                 serial-console",
                entry.origin
            ),
        );
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use hardtack_guest::{MemoryTree, Stage};

    use super::*;
    use crate::model::{AgentStep, Step};

    fn told(cfg: &str, prints: bool) -> Vec<String> {
        let tree = MemoryTree::new()
            .file("/boot/grub/grub.cfg", cfg)
            .file("/boot/vmlinuz-1", "k")
            .file("/boot/initrd.img-1", "i");
        let mut stage = Stage::new(&tree);
        let mut cx = Context::for_tests(&mut stage);
        let mut recipe = Recipe::default();
        if prints {
            recipe.steps.push(Step::Agent(AgentStep::default()));
            cx.agent.mfa = Some(hardtack_credentials::MfaConfig::default());
        }
        tell(&recipe, &mut cx);
        cx.notes.into_iter().map(|note| note.text).collect()
    }

    #[test]
    fn a_machine_that_says_nothing_is_told() {
        let cfg = "set default=1\nmenuentry loud {\n linux /boot/vmlinuz-1 console=ttyS0\n}\nmenuentry silent {\n linux /boot/vmlinuz-1 console=tty0\n}\n";
        let notes = told(cfg, true);
        assert_eq!(notes.len(), 1);
        assert!(notes[0].starts_with("/boot/grub/grub.cfg:6 (silent) is what starts"), "{}", notes[0]);
        assert!(notes[0].ends_with("add the step serial-console"), "{}", notes[0]);
        for (cfg, prints) in
            [(cfg.replace("default=1", "default=0"), true), (cfg.to_owned(), false), (String::new(), true)]
        {
            assert_eq!(told(&cfg, prints), Vec::<String>::new(), "{cfg}");
        }
    }

    #[test]
    fn a_verified_root_is_told() {
        let notes = told("menuentry a {\n linux /boot/vmlinuz-1 roothash=12\n}\n", false);
        assert_eq!(
            notes,
            [
                "/boot/grub/grub.cfg:2: the root is verified by dm-verity (roothash=…): with any file changed it does not start"
            ]
        );
    }
}
