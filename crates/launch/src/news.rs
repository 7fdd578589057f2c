//! What this machine knows of its instances and people should: told once, while something is waited for.

use hardtack_publish::Teller;

use crate::machine::Machines;

/// What was told.
#[derive(Debug, Default)]
pub(crate) struct News(Vec<(String, String)>);

impl News {
    /// Tells what is new of `id`.
    pub(crate) fn tell(&mut self, machines: &dyn Machines, id: &str, tell: &dyn Teller) {
        for note in machines.notes(id) {
            let told = (id.to_owned(), note);
            if !self.0.contains(&told) {
                // QEMU's words and file names are in it.
                let text: String = told.1.chars().filter(|char| !char.is_control()).take(300).collect();
                tell.note(&if text.contains(id) { text } else { format!("{id}: {text}") });
                self.0.push(told);
            }
        }
    }
}
