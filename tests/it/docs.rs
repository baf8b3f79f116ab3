//! What the documentation says is so: its tables are those of the code, its commands do what they are said to do.

use clap::Parser as _;
use nodelocal_sd::cli::{Cli, Command};
use nodelocal_sd::index::EndpointsFrom;
use nodelocal_sd::operator::Version;
use nodelocal_sd::operator::fields::{Verdict, all};
use nodelocal_sd::sd::Compat;
use nodelocal_sd::yaml::Yaml;
use std::fmt::Write as _;
use std::path::Path;
use std::process;

fn page(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The blocks of that language, in their order.
fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("\n```{language}\n");
    page.split(&fence).skip(1).filter_map(|rest| rest.split("\n```").next()).collect()
}

#[test]
fn the_table_of_fields_is_that_of_check() {
    let mut table =
        String::from("\n| field | what becomes of it | why, and what to do |\n|---|---|---|\n");
    // A value that counts for every field whose value matters.
    let value = Yaml::string("2");
    for field in all() {
        let verdict = match field.verdict(&value, Version::NEWEST) {
            Verdict::Refused { since } => format!("refused by the CRD since {since}"),
            Verdict::Ignored => "ignored".to_owned(),
            Verdict::Half => "does not do what it says".to_owned(),
            Verdict::Fine => continue,
        };
        writeln!(table, "| `{}` | {verdict} | {}; {} |", field.name, field.why, field.instead)
            .unwrap();
    }
    let page = page("daemonset-mode.md");
    let there = page
        .split("<!-- fields: begin -->\n")
        .nth(1)
        .and_then(|rest| rest.split("<!-- fields: end -->").next());
    assert!(
        there == Some(&*format!("{table}\n")),
        "docs/daemonset-mode.md must have between its marks:\n{table}"
    );
}

#[test]
fn the_commands_of_the_migration_do_what_they_are_said_to_do() {
    let page = page("daemonset-mode.md");
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("old.yaml"), blocks(&page, "yaml")[0]).unwrap();
    let commands: Vec<&str> = blocks(&page, "sh").into_iter().flat_map(str::lines).collect();
    assert!(commands.len() >= 2, "{commands:?}");
    for command in commands {
        let mut words = command.split(' ');
        assert_eq!(words.next(), Some("nodelocal-sd"), "{command}");
        let output = process::Command::new(env!("CARGO_BIN_EXE_nodelocal-sd"))
            .args(words)
            .current_dir(folder.path())
            .env_remove("KUBECONFIG")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command}: {said}");
    }
    // The steps of the plan are those of the page.
    for file in ["STEPS.md", "REVERT.md"] {
        let plan = std::fs::read_to_string(folder.path().join("to-nodes").join(file)).unwrap();
        let steps: Vec<&str> = plan
            .lines()
            .filter_map(|line| {
                line.trim_start_matches('#').strip_prefix(' ').filter(|_| line.starts_with("###"))
            })
            .collect();
        assert!(steps.len() > 3, "{plan}");
        for step in steps {
            assert!(page.contains(&format!("`{step}`")), "{file}: the page has no step {step}");
        }
    }
}

#[test]
fn the_flags_of_the_example_with_files_are_right() {
    let page = page("delivery.md");
    let example = blocks(&page, "yaml").into_iter().find(|block| block.contains("--file-sd-dir"));
    let pod: serde_json::Value = serde_saphyr::from_str(example.expect("an example")).unwrap();
    let sidecar = &pod["initContainers"][0];
    let arguments = sidecar["args"].as_array().unwrap().iter().map(|one| one.as_str().unwrap());
    // The node's name is in the environment there.
    let typed = ["nodelocal-sd"].into_iter().chain(arguments).chain(["--node-name=a"]);
    let Command::Run(run) = Cli::try_parse_from(typed).unwrap().command else { panic!("not run") };
    for file in run.file_sd.file_sd {
        file.output(EndpointsFrom::default(), Compat::Auto).unwrap();
    }
    let folder = run.file_sd.file_sd_dir.unwrap();
    for (container, read_only) in [(sidecar, false), (&pod["containers"][0], true)] {
        let mount = &container["volumeMounts"][0];
        assert_eq!(mount["mountPath"].as_str(), folder.to_str());
        assert_eq!(mount["readOnly"].as_bool().unwrap_or_default(), read_only);
    }
}

/// Two files, because kustomize makes no Deployment of a DaemonSet; one Pod, because what is said of the one holds
/// for the other.
#[test]
fn the_complements_pod_is_that_of_the_nodes_but_for_what_is_its_own() {
    let read = |file: &str| -> serde_json::Value {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests").join(file);
        let text = std::fs::read_to_string(path).unwrap();
        serde_saphyr::from_str(&text).unwrap()
    };
    let mut nodes = read("daemonset/daemonset.yaml")["spec"]["template"].take();
    let mut complement = read("components/complement/deployment.yaml")["spec"]["template"].take();
    assert_ne!(nodes, complement);

    let tolerations = nodes["spec"].as_object_mut().unwrap().remove("tolerations");
    assert!(tolerations.is_some(), "nodes run everywhere");
    for (pod, name) in [(&mut nodes, "node-agent"), (&mut complement, "node-agent-complement")] {
        let label =
            pod["metadata"]["labels"].as_object_mut().unwrap().remove("app.kubernetes.io/name");
        assert_eq!(label.unwrap(), name);
        let sidecar = &mut pod["spec"]["initContainers"][0];
        sidecar["resources"]["limits"].take();
        sidecar["env"].as_array_mut().unwrap().retain(|variable| variable["name"] != "NODE_NAME");
        let arguments = sidecar["args"].as_array_mut().unwrap();
        let own = ["--complement", "--agents=monitoring/app.kubernetes.io/name=node-agent"];
        let before = arguments.len();
        arguments.retain(|argument| !own.contains(&argument.as_str().unwrap()));
        assert_eq!(before - arguments.len(), if name == "node-agent" { 0 } else { own.len() });
    }
    assert_eq!(nodes, complement);
}
