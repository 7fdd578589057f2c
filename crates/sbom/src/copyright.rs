//! Licences of Debian's packages: the machine-readable `copyright` files (DEP 5).

/// The short names of the licences, each once, in the order of the file; nothing where the file is for people only.
pub(crate) fn licenses(text: &str) -> Vec<String> {
    const MOST: usize = 64;
    let machine = text.lines().next().is_some_and(|line| line.to_ascii_lowercase().starts_with("format:"));
    let mut found: Vec<String> = Vec::new();
    if !machine {
        return found;
    }
    for line in text.lines() {
        let Some((field, name)) = line.split_once(':') else { continue };
        let name = name.trim();
        let sound = field.eq_ignore_ascii_case("license")
            && !name.is_empty()
            && name.len() <= 200
            && !name.contains(char::is_control);
        if sound && found.len() < MOST && !found.iter().any(|have| have == name) {
            found.push(name.to_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_short_name_stands_once() {
        let text = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\nFiles: *\nLicense: GPL-2+\n text\n\nLicense: GPL-2+\n\nFiles: x\nLicense: Expat\n";
        assert_eq!(licenses(text), ["GPL-2+", "Expat"]);
        assert!(licenses("This is free software.\nLicense: no\n").is_empty());
    }
}
