//! What is written is none of what is read, and no two of it are one file.

use std::fs;
use std::os::unix::fs::symlink;

use crate::{Bench, job};

impl Bench {
    fn put(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// What is said of a wrong command line; this file is as it was.
    fn refused(&self, kept: &str, arguments: &[&str]) -> String {
        let before = fs::read(self.path(kept)).ok();
        let (out, said) = self.run(2, arguments);
        assert_eq!(out, "");
        assert_eq!(fs::read(self.path(kept)).ok(), before, "{arguments:?}");
        said
    }
}

#[test]
fn two_jobs_never_write_one_file() {
    let Some(bench) = Bench::new() else { return };
    fs::create_dir(bench.path("real")).unwrap();
    symlink("real", bench.path("lnk")).unwrap();
    bench.put(
        "l.yaml",
        "matrix: 1\ninclude:\n- {recipe: base.yaml, source: one.raw, name: a, output: real/x.qcow2}\n\
         - {recipe: base.yaml, source: two.raw, name: b, output: lnk/x.qcow2}\n",
    );
    let said = bench.refused("real/x.qcow2", &["build", "--matrix", "l.yaml", "--force"]);
    assert!(said.contains("the output of `b` is the output of `a`, too"), "{said}");
    bench.run(0, &["build", "--matrix", "l.yaml", "--force", "--only", "b"]);
    // An image with the name of a record: by links, and as it is written.
    for (folder, wanted) in
        [("lnk", "is the record of `a`, too"), ("real", "has the name of the record of `a`")]
    {
        bench.put(
            "r.yaml",
            &format!(
                "matrix: 1\ninclude:\n- {{recipe: base.yaml, source: one.raw, name: a, output: real/y}}\n\
                 - {{recipe: base.yaml, source: two.raw, name: b, output: {folder}/y.provenance.json}}\n"
            ),
        );
        let said = bench.refused("real/y", &["build", "--matrix", "r.yaml", "--force"]);
        assert!(said.contains(wanted), "{said}");
    }
    // The rows of a recipe are jobs, too.
    bench.put(
        "rows.yaml",
        "recipe: 1\nmatrix:\n- {source: one.raw, output: real/z}\n- {source: two.raw, output: real/z.provenance.json}\n\
         steps:\n- touch: /etc/x\n",
    );
    let said = bench.refused("real/z", &["build", "rows.yaml", "--force"]);
    assert!(said.contains("is the record of"), "{said}");
}

#[test]
fn an_output_is_none_of_what_is_read() {
    let Some(bench) = Bench::new() else { return };
    bench.put("part.yaml", "recipe: 1\nsteps:\n- touch: /etc/part\n");
    bench.put("copied", "x\n");
    bench.put(
        "whole.yaml",
        "recipe: 1\ninclude: [part.yaml]\nsteps:\n- files:\n  - {copy: copied, to: /etc/copied}\n",
    );
    fs::hard_link(bench.path("copied"), bench.path("other-name")).unwrap();
    symlink(".", bench.path("here")).unwrap();
    for output in ["part.yaml", "copied", "other-name", "here/part.yaml"] {
        let said = bench
            .refused(output, &["build", "whole.yaml", "--source", "one.raw", "--output", output, "--force"]);
        assert!(said.contains("a file that the recipe reads"), "{said}");
        // The same of the job of another recipe.
        bench.put(
            "i.yaml",
            &format!(
                "matrix: 1\ninclude:\n- {{recipe: base.yaml, source: one.raw, name: a, output: {output}}}\n\
                 - {{recipe: whole.yaml, source: one.raw, name: b, output: b.raw}}\n"
            ),
        );
        let said = bench.refused(output, &["build", "--matrix", "i.yaml", "--force"]);
        assert!(said.contains("is a file that a recipe reads"), "{said}");
    }
    // A record replaces nothing, either.
    bench.put("z.provenance.json", "recipe: 1\nsteps:\n- touch: /etc/z\n");
    let said = bench.refused(
        "z.provenance.json",
        &["build", "z.provenance.json", "--source", "one.raw", "--output", "z", "--force"],
    );
    assert!(said.contains("the record of the output is the recipe"), "{said}");
    bench.put(
        "self.yaml",
        "matrix: 1\ninclude: [{recipe: base.yaml, source: one.raw, output: here/self.yaml}]\n",
    );
    let said = bench.refused("self.yaml", &["build", "--matrix", "self.yaml", "--force"]);
    assert!(said.contains("is the matrix"), "{said}");
    for (output, what) in [
        ("one.raw", "a source"),
        ("here/base.yaml", "a recipe"),
        ("here/m.yaml", "the matrix"),
        ("out/base-one.qcow2.provenance.json", "a record of the matrix"),
    ] {
        fs::create_dir_all(bench.path("out")).unwrap();
        let said = bench.refused(output, &["matrix", "m.yaml", "--output", output, "--force"]);
        assert!(said.contains(&format!("the output is {what}")), "{said}");
    }
    bench.run(0, &["matrix", "m.yaml", "--output", "list"]);
}

#[test]
fn a_report_that_cannot_be_written_is_told_before_the_first_build() {
    let Some(bench) = Bench::new() else { return };
    let with = |junit| ["build", "--matrix", "m.yaml", "--only", "base-one", "--junit", junit];
    for (code, junit) in [
        (4, "missing/x.xml"),
        (4, "root"),
        (2, "m.yaml"),
        (2, "out/base-one.qcow2"),
        (2, "out/base-one.qcow2.provenance.json"),
    ] {
        bench.run(code, &with(junit));
        assert!(!bench.path("out/base-one.qcow2").exists(), "{junit}");
    }
    // What became of the jobs is told, where only the attempt tells that it cannot be written.
    let long = "x".repeat(300);
    let (table, said) = bench.run(4, &with(&long));
    assert!(table.ends_with("1 of 1 built\n") && said.contains(&long), "{table}{said}");
    fs::remove_file(bench.path("out/base-one.qcow2")).unwrap();
    bench.run(0, &with("out/report.xml"));
    assert!(fs::read_to_string(bench.path("out/report.xml")).unwrap().contains("tests=\"1\""));
}

#[test]
fn the_command_line_wins() {
    let Some(bench) = Bench::new() else { return };
    let plan = ["build", "--matrix", "m.yaml", "--only", "web-one", "--set", "port=99", "--plan"];
    let text = bench.run(0, &plan).0;
    assert!(text.contains("+99\n") && !text.contains("+80\n"), "{text}");
    let run = bench.json(0, &plan);
    assert_eq!(job(&run, "web-one")["set"]["port"], "99", "{run}");
    let (_, said) = bench.run(2, &["build", "--matrix", "m.yaml", "--output", "y"]);
    assert!(said.contains("--output"), "{said}");
    for cache in ["~/.cache/h", "-x", "gs://b", "s3://", ""] {
        let cache = format!("--cache={cache}");
        let (_, said) = bench.run(2, &["matrix", "m.yaml", "--format", "k8s", &cache]);
        assert!(said.contains("--cache"), "{said}");
    }
}
