//! Chains and trees for people.

use hardtack_repository::{Chain, Node};

/// One line for each chain, from who was asked for down to the package.
pub(super) fn chains(name: &str, chains: &[Chain]) -> String {
    let mut text = String::new();
    for chain in chains {
        let begins = match chain.begins.as_str() {
            "manual" => "asked for",
            "essential" => "essential",
            _ => "nothing that was asked for needs it",
        };
        match chain.links.first() {
            None => text.push_str(&format!("{name}: {begins}\n")),
            Some(first) => text.push_str(&format!("{} {} ({begins})\n", first.package, first.version)),
        }
        for (depth, link) in chain.links.iter().enumerate() {
            let next = chain.links.get(depth + 1).map_or(name, |next| &next.package);
            let indent = "  ".repeat(depth + 1);
            text.push_str(&format!("{indent}{next} ({}: {})\n", link.field, link.relation));
        }
    }
    text
}

/// The tree, two columns for each step down.
pub(super) fn tree(root: &Node) -> String {
    let mut text = String::new();
    // A stack: what is needed can go deep.
    let mut pending = vec![(root, 0)];
    while let Some((node, depth)) = pending.pop() {
        let version = node.version.as_deref().map_or_else(String::new, |version| format!(" {version}"));
        let why = if node.field.is_empty() {
            String::new()
        } else {
            format!(" ({}: {})", node.field, node.relation)
        };
        let end = match (&node.version, node.repeated) {
            (None, _) => ", which nothing satisfies",
            (_, true) => ", see above",
            _ if node.cut => ", and more below",
            _ => "",
        };
        text.push_str(&format!("{}{}{version}{why}{end}\n", "  ".repeat(depth), node.package));
        pending.extend(node.needs.iter().rev().map(|need| (need, depth + 1)));
    }
    text
}

#[cfg(test)]
mod tests {
    use hardtack_repository::Link;

    use super::*;

    fn node(package: &str, needs: Vec<Node>) -> Node {
        Node {
            package: package.to_owned(),
            version: Some("1".to_owned()),
            field: "Depends".to_owned(),
            relation: format!("{package} (>= 1)"),
            needs,
            repeated: false,
            cut: false,
        }
    }

    #[test]
    fn a_tree_is_drawn_in_order() {
        let mut root = node("a", vec![node("b", vec![node("d", vec![])]), node("c", vec![])]);
        root.field.clear();
        root.needs[1].repeated = true;
        root.needs[0].needs[0].cut = true;
        assert_eq!(
            tree(&root),
            "a 1\n  b 1 (Depends: b (>= 1))\n    d 1 (Depends: d (>= 1)), and more below\n  c 1 (Depends: c (>= 1)), see above\n"
        );
    }

    #[test]
    fn a_chain_goes_down_to_the_package() {
        let link = |package: &str, relation: &str| Link {
            package: package.to_owned(),
            version: "1".to_owned(),
            field: "Depends".to_owned(),
            relation: relation.to_owned(),
        };
        let long = Chain { begins: "manual".to_owned(), links: vec![link("a", "b"), link("b", "c | x")] };
        let own = Chain { begins: "manual".to_owned(), links: vec![] };
        assert_eq!(
            chains("c", &[long, own]),
            "a 1 (asked for)\n  b (Depends: b)\n    c (Depends: c | x)\nc: asked for\n"
        );
    }
}
