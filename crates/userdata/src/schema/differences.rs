//! Where we tell more, less or otherwise than cloud-init's own check, on purpose.

/// One deliberate difference.
pub struct Difference {
    /// What it is about.
    pub what: &'static str,
    /// What cloud-init 26.2 does.
    pub cloud_init: &'static str,
    /// What is done here.
    pub here: &'static str,
    /// Why.
    pub why: &'static str,
    /// Whether the verdict differs, and not only what is told.
    pub verdict: bool,
}

/// All of them. `docs/user-data.md` shows the same table.
pub const DIFFERENCES: &[Difference] = &[
    Difference {
        what: "keys that are no text, where it matches names (`apt.sources: {5: …}`); bytes where it matches a form",
        cloud_init: "its check ends with an exception of Python",
        here: "an error",
        why: "the check fails either way, and a place helps more than a traceback",
        verdict: false,
    },
    Difference {
        what: "a mapping with a key `type` where one of several forms is wanted (`locale: {type: x}`)",
        cloud_init: "overlooks everything that is wrong with it",
        here: "the same verdict, and a warning for what is wrong",
        why: "it is a fault of its check: the module fails on the value",
        verdict: false,
    },
    Difference {
        what: "the path of an unknown key",
        cloud_init: "the path of the mapping; none for several at the top",
        here: "the path with the key, one finding for each",
        why: "every one has its place",
        verdict: false,
    },
    Difference {
        what: "what is told of a value with several forms (`chpasswd.users`, `reporting`)",
        cloud_init: "what is wrong with it as another form, at times",
        here: "what is wrong with it as the form whose `type` it names, or that it comes nearest to",
        why: "that is what was meant",
        verdict: false,
    },
    Difference {
        what: "`!!omap` and `!!pairs` where a list of lists is wanted",
        cloud_init: "refused: Python's pairs are no lists to its check",
        here: "lists of two",
        why: "its modules take them for lists",
        verdict: true,
    },
    Difference {
        what: "a text in `merge_how` that names no merger (`merge_how: replace`)",
        cloud_init: "its check takes any text, and the part is left out on the instance",
        here: "an error",
        why: "nothing of the part would come about",
        verdict: true,
    },
    Difference {
        what: "`users` as a mapping in which a name has no value, or a list (`users: {default: }`)",
        cloud_init: "its check takes any value, and the module ends with an exception of Python",
        here: "an error",
        why: "no user is made at all",
        verdict: true,
    },
    Difference {
        what: "the key `hardtack` at the top",
        cloud_init: "refused as unknown by `cloud-init schema`; a warning in its log on the instance, which names the key alone",
        here: "checked for what the agent reads there",
        why: "it is the agent's key, and cloud-init leaves it alone",
        verdict: true,
    },
    Difference {
        what: "a part with nothing but comments",
        cloud_init: "refused as no mapping by `cloud-init schema`; ignored on the instance",
        here: "a warning",
        why: "nothing is lost by it",
        verdict: true,
    },
    Difference {
        what: "MIME, gzip and archives",
        cloud_init: "`cloud-init schema` refuses them for their first line, or does not look into them",
        here: "each part is checked",
        why: "they are what is launched with",
        verdict: true,
    },
    Difference {
        what: "more than 200 findings of the schema",
        cloud_init: "all",
        here: "200, then their number",
        why: "user-data is other people's, and memory is bounded",
        verdict: false,
    },
];
