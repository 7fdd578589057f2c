//! What a mistake's hint says.

use super::Folder;

/// The hint of the one mistake in `steps`.
fn hint(folder: &Folder, steps: &str) -> String {
    let error = folder.steps(steps).err().unwrap_or_else(|| panic!("accepted: {steps}"));
    let hint = error.findings().next().and_then(|(_, finding)| finding.hint.clone());
    hint.unwrap_or_default()
}

#[test]
fn hints_say_what_to_type() {
    let folder = Folder::new();
    let asked = |name| format!("`read -rs {name} && export {name}` asks for it; no history has it then");
    for name in ["NOPE", "EMPTY"] {
        assert_eq!(
            hint(&folder, &format!("  - user: {{name: a, password: {{env: {name}}}}}\n")),
            asked(name)
        );
    }
    let fetch = |names| {
        format!("fetch packages into it, on a machine of the image's release: `apt-get download {names}`")
    };
    assert_eq!(hint(&folder, "  - packages: {debs: [empty]}\n"), fetch("NAME"));
    let codes = fetch("libpam-google-authenticator libqrencode4");
    for debs in ["empty", "gone/"] {
        let steps = format!("  - packages: {{debs: [{debs}]}}\n  - mfa: {{users: [a]}}\n  - agent\n");
        assert!(hint(&folder, &steps).ends_with(&codes), "{debs}");
    }
    // A file that is named is looked for, not fetched.
    assert!(!hint(&folder, "  - packages: {debs: [gone.deb]}\n").contains("apt-get"));
}
