//! The shape of the house, read from the package graph and the manifests: who may know whom, who alone may know what, and
//! what may not come in at all. `src-tauri/ARCHITECTURE.md` says why. A new crate or a new edge is a line here and there.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

/// Every crate with those of ours it may import. A crate that is not here has no place yet.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("bwana-types", &[]),
    ("bwana-agent", &["bwana-types"]),
    ("bwana-workflow", &["bwana-types", "bwana-agent"]),
    ("bwana-store", &["bwana-types"]),
    ("bwana-llm", &["bwana-types"]),
    ("bwana-tools", &["bwana-types"]),
    ("bwana-config", &["bwana-types"]),
    ("bwana-update", &["bwana-types"]),
    (
        "bwana-engine",
        &[
            "bwana-types",
            "bwana-agent",
            "bwana-workflow",
            "bwana-store",
            "bwana-llm",
            "bwana-tools",
            "bwana-config",
        ],
    ),
    (
        "bwana-api",
        &[
            "bwana-types",
            "bwana-agent",
            "bwana-workflow",
            "bwana-store",
            "bwana-llm",
            "bwana-tools",
            "bwana-config",
            "bwana-update",
            "bwana-engine",
        ],
    ),
    ("bwana-server", &["bwana-types", "bwana-api"]),
    ("bwana-cli", &["bwana-types", "bwana-api", "bwana-server"]),
    ("bwana-model-worker", &["bwana-types", "bwana-llm"]),
    ("bwana-desktop", &["bwana-types", "bwana-api"]),
    // Test equipment and tools; nothing of them ships.
    (
        "bwana-testkit",
        &["bwana-types", "bwana-llm", "bwana-store"],
    ),
    (
        "bwana-bench",
        &[
            "bwana-types",
            "bwana-store",
            "bwana-llm",
            "bwana-tools",
            "bwana-engine",
            "bwana-testkit",
        ],
    ),
    ("bwana-bindings", &["bwana-types", "bwana-api"]),
    ("xtask", &[]),
];

/// What only one crate may know, so that it can be exchanged there.
const ONLY: &[(&str, &str)] = &[
    ("axum", "bwana-server"),
    ("clap", "bwana-cli"),
    ("tauri", "bwana-desktop"),
    ("tauri-build", "bwana-desktop"),
    ("rusqlite", "bwana-store"),
    ("llama-cpp-2", "bwana-model-worker"),
];

/// Crates that cannot fail for outside reasons: they have no way out.
const PURE: &[&str] = &["bwana-agent", "bwana-workflow"];
/// What must not be anywhere below a pure crate.
const NOT_BELOW_PURE: &[&str] = &[
    "tokio",
    "reqwest",
    "hyper",
    "rusqlite",
    "libsqlite3-sys",
    "mio",
];
/// What a pure crate must not ask for itself.
const NOT_IN_PURE: &[&str] = &["tokio", "reqwest", "rusqlite", "rand", "getrandom", "uuid"];
/// Doors of the standard library that a pure crate does not open.
const CLOSED_DOORS: &[&str] = &[
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "std::thread",
    "SystemTime",
    "Instant::now",
];

/// The crate that may opt out of `unsafe_code = "forbid"`, because llama.cpp is C++.
const MAY_BE_UNSAFE: &[&str] = &["bwana-model-worker"];

/// Lines of code of the shell, its tests and comments not counted: it translates, it does not think.
const SHELL_LINES_MAX: usize = 1_720;

fn metadata() -> Metadata {
    let manifest = xtask::root().join("Cargo.toml");
    MetadataCommand::new()
        .manifest_path(manifest)
        .no_deps()
        .exec()
        .unwrap()
}

fn is_ours(name: &str) -> bool {
    name.starts_with("bwana-") || name == "xtask"
}

fn may_import(name: &str) -> &'static [&'static str] {
    let found = MAY_IMPORT.iter().find(|(known, _)| *known == name);
    found
        .unwrap_or_else(|| panic!("{name} is in no layer: give it a line in MAY_IMPORT"))
        .1
}

/// Names that a package depends on in one of these ways.
fn imports(package: &Package, kinds: &[DependencyKind]) -> BTreeSet<String> {
    let of_kind = |dependency: &&cargo_metadata::Dependency| kinds.contains(&dependency.kind);
    package
        .dependencies
        .iter()
        .filter(of_kind)
        .map(|found| found.name.clone())
        .collect()
}

const SHIPPED: &[DependencyKind] = &[DependencyKind::Normal, DependencyKind::Build];

#[test]
fn every_crate_imports_only_what_lies_below_it() {
    for package in &metadata().packages {
        let allowed = may_import(&package.name);
        for import in imports(package, SHIPPED)
            .iter()
            .filter(|name| is_ours(name))
        {
            assert!(
                allowed.contains(&import.as_str()),
                "{} may not import {import}: layers point down",
                package.name
            );
        }
    }
}

#[test]
fn the_layers_have_no_loop() {
    for (at, (name, imports)) in MAY_IMPORT.iter().enumerate() {
        for import in *imports {
            let below = MAY_IMPORT.iter().position(|(known, _)| known == import);
            assert!(
                below.is_some_and(|below| below < at),
                "{name} stands above {import} in the list"
            );
        }
    }
}

#[test]
fn tests_reach_around_the_layers_only_with_test_equipment() {
    const EQUIPMENT: &[&str] = &["bwana-testkit", "xtask"];
    for package in &metadata().packages {
        let name = package.name.as_str();
        let dev = imports(package, &[DependencyKind::Development]);
        for import in dev.iter().filter(|import| is_ours(import)) {
            let is_below = may_import(name).contains(&import.as_str());
            assert!(
                is_below || EQUIPMENT.contains(&import.as_str()),
                "{name}'s tests use {import}"
            );
        }
        // Otherwise there would be two copies of a crate in its own unit tests.
        let is_under_the_kit = may_import("bwana-testkit").contains(&name);
        assert!(
            !is_under_the_kit || !dev.contains("bwana-testkit"),
            "the testkit imports {name}"
        );
    }
}

#[test]
fn a_library_that_one_crate_wraps_is_known_to_that_crate_only() {
    for package in &metadata().packages {
        for import in imports(package, SHIPPED) {
            let owner = ONLY.iter().find(|(library, _)| *library == import);
            if let Some((library, owner)) = owner {
                assert_eq!(
                    package.name.as_str(),
                    *owner,
                    "only {owner} may import {library}"
                );
            }
        }
    }
}

/// Names of everything that is built for a package, or for `None` all of them, without their tests.
fn below(package: Option<&str>, edges: &str) -> BTreeSet<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let selection = package.map_or(vec!["--workspace"], |package| vec!["--package", package]);
    let output = Command::new(cargo)
        .current_dir(xtask::root())
        .args([
            "tree",
            "--offline",
            "--prefix",
            "none",
            "--format",
            "{p}",
            "--edges",
            edges,
        ])
        .args(selection)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .filter_map(|line| line.split(' ').next())
        .map(String::from)
        .collect()
}

#[test]
fn the_machines_have_no_way_to_the_outside() {
    for pure in PURE {
        let below = below(Some(pure), "normal");
        assert!(below.contains("bwana-types"), "{below:?}");
        let found: Vec<_> = NOT_BELOW_PURE
            .iter()
            .filter(|name| below.contains(**name))
            .collect();
        assert!(found.is_empty(), "{found:?} is below {pure}");
    }
    for package in metadata()
        .packages
        .iter()
        .filter(|package| PURE.contains(&package.name.as_str()))
    {
        let asked = imports(package, SHIPPED);
        let found: Vec<_> = NOT_IN_PURE
            .iter()
            .filter(|name| asked.contains(**name))
            .collect();
        assert!(found.is_empty(), "{} asks for {found:?}", package.name);
    }
}

#[test]
fn the_machines_open_no_door_of_the_standard_library() {
    for pure in PURE {
        let folder = xtask::root()
            .join("src-tauri/crates")
            .join(pure)
            .join("src");
        let mut files = 0;
        for_each_rust_file(&folder, &mut |path, text| {
            files += 1;
            let code = xtask::tidy::code_of(text);
            for door in CLOSED_DOORS {
                assert!(!code.contains(door), "{} opens {door}", path.display());
            }
        });
        assert!(files > 3, "{pure}: {files} files");
    }
}

#[test]
fn nothing_needs_a_window_system() {
    const WINDOWS: &[&str] = &[
        "tauri",
        "wry",
        "tao",
        "gtk",
        "webkit2gtk",
        "glib",
        "javascriptcore",
    ];
    let below = below(None, "normal,build");
    assert!(below.contains("bwana-desktop"), "{below:?}");
    let is_window = |name: &&String| {
        let begins = |word: &str| name.as_str() == word || name.starts_with(&format!("{word}-"));
        WINDOWS.iter().any(|word| begins(word))
    };
    let found: Vec<_> = below.iter().filter(is_window).collect();
    assert!(found.is_empty(), "{found:?} comes with a window system");
}

#[test]
fn an_everyday_build_is_everything_but_the_shell() {
    let metadata = metadata();
    let name = |id: &cargo_metadata::PackageId| metadata[id].name.to_string();
    let everyday: BTreeSet<_> = metadata
        .workspace_default_members
        .iter()
        .map(name)
        .collect();
    let mut all: BTreeSet<_> = metadata.workspace_members.iter().map(name).collect();
    assert!(all.remove("bwana-desktop"));
    assert_eq!(everyday, all);
}

/// A browser may become a person only where tests stand in for one.
#[test]
fn no_shipped_code_serves_a_browser_as_a_person() {
    let mut named = Vec::new();
    for_each_rust_file(&xtask::root().join("src-tauri"), &mut |path, text| {
        let ships = path.components().any(|part| part.as_os_str() == "src");
        if ships && xtask::tidy::code_of(text).contains("LocalPerson") {
            named.push(path.display().to_string());
        }
    });
    assert_eq!(named.len(), 1, "{named:?}");
    assert!(named[0].ends_with("bwana-api/src/caller.rs"), "{named:?}");
}

#[test]
fn unsafe_code_is_forbidden_but_in_the_worker() {
    let manifest =
        |path: &Path| -> toml::Table { fs::read_to_string(path).unwrap().parse().unwrap() };
    let root = manifest(&xtask::root().join("Cargo.toml"));
    assert_eq!(
        root["workspace"]["lints"]["rust"]["unsafe_code"].as_str(),
        Some("forbid")
    );
    for package in &metadata().packages {
        let manifest = manifest(package.manifest_path.as_std_path());
        let inherits = manifest
            .get("lints")
            .and_then(|lints| lints.get("workspace"));
        assert!(
            inherits.and_then(toml::Value::as_bool) == Some(true)
                || MAY_BE_UNSAFE.contains(&package.name.as_str()),
            "{} does not inherit the workspace's lints",
            package.name
        );
    }
}

#[test]
fn the_shell_is_thin() {
    let mut lines = 0;
    for_each_rust_file(&xtask::root().join("src-tauri/src"), &mut |_, text| {
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        let is_code = |line: &&str| !line.is_empty() && !line.starts_with("//");
        lines += code.lines().map(str::trim).filter(is_code).count();
    });
    assert!(lines > 0 && lines <= SHELL_LINES_MAX, "{lines} lines");
}

#[test]
fn every_manifest_names_the_same_version() {
    let read = |file: &str| -> serde_json::Value {
        serde_json::from_str(&fs::read_to_string(xtask::root().join(file)).unwrap()).unwrap()
    };
    let files = [read("tauri.conf.json"), read("package.json")];
    for package in &metadata().packages {
        let version = package.version.to_string();
        assert_eq!(
            package.license.as_deref(),
            Some("Apache-2.0"),
            "{}",
            package.name
        );
        for file in &files {
            assert_eq!(
                file["version"].as_str(),
                Some(version.as_str()),
                "{}",
                package.name
            );
        }
    }
}

#[test]
fn every_licence_is_one_we_accept() {
    let deny: toml::Table = fs::read_to_string(xtask::root().join("deny.toml"))
        .unwrap()
        .parse()
        .unwrap();
    let allowed = deny["licenses"]["allow"].as_array().unwrap();
    let allowed: BTreeSet<_> = allowed.iter().filter_map(toml::Value::as_str).collect();
    let names = below(None, "normal,build");
    let licences = licences(&names);
    assert!(licences.len() > 100, "only {} packages", licences.len());
    for (name, licence) in licences {
        assert!(
            is_accepted(&licence, &allowed),
            "{name} is under {licence}; see deny.toml"
        );
    }
}

/// Packages of these names with their licence expression, as far as they are on this machine.
fn licences(names: &BTreeSet<String>) -> Vec<(String, String)> {
    let host = Command::new("rustc")
        .args(["--version", "--verbose"])
        .output()
        .unwrap();
    let host = String::from_utf8(host.stdout).unwrap();
    let host = host
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .unwrap();
    let metadata = MetadataCommand::new()
        .manifest_path(xtask::root().join("Cargo.toml"))
        .features(cargo_metadata::CargoOpt::AllFeatures)
        .other_options(["--offline", "--filter-platform", host].map(String::from))
        .exec()
        .unwrap();
    let known = |package: &&Package| names.contains(package.name.as_str());
    let pair = |package: &Package| {
        let licence = package.license.clone().unwrap_or_default();
        (package.name.to_string(), licence)
    };
    metadata.packages.iter().filter(known).map(pair).collect()
}

/// Reads the expressions that occur: `A OR B`, `A/B`, `(A OR B) AND C`. Every part of an AND must offer one we accept.
fn is_accepted(licence: &str, allowed: &BTreeSet<&str>) -> bool {
    licence.split(" AND ").all(|part| {
        let part = part.trim_matches(['(', ')', ' ']);
        part.split(" OR ")
            .flat_map(|one| one.split('/'))
            .any(|one| allowed.contains(one.trim()))
    })
}

#[test]
fn a_licence_is_accepted_if_each_part_offers_one() {
    let allowed = BTreeSet::from(["MIT", "ISC"]);
    for (licence, accepted) in [
        ("MIT", true),
        ("GPL-3.0 OR MIT", true),
        ("GPL-3.0/MIT", true),
        ("(GPL-3.0 OR MIT) AND ISC", true),
        ("MIT AND GPL-3.0", false),
        ("GPL-3.0", false),
        ("", false),
    ] {
        assert_eq!(is_accepted(licence, &allowed), accepted, "{licence}");
    }
}

#[test]
fn every_crate_has_a_paragraph_in_the_architecture_page() {
    let page = fs::read_to_string(xtask::root().join("src-tauri/ARCHITECTURE.md")).unwrap();
    for package in &metadata().packages {
        let heading = format!("**`{}`**", package.name);
        assert!(page.contains(&heading), "ARCHITECTURE.md has no {heading}");
    }
}

/// `tests/file.rs::name` or `crates/x/…/file.rs::name` between backquotes: a test that holds an invariant.
#[test]
fn every_test_the_architecture_page_names_exists() {
    let root = xtask::root();
    let page = fs::read_to_string(root.join("src-tauri/ARCHITECTURE.md")).unwrap();
    let named: Vec<_> = page
        .split('`')
        .filter_map(|word| word.split_once(".rs::"))
        .map(|(file, test)| (format!("{file}.rs"), test))
        .collect();
    assert!(named.len() >= 10, "{named:?}");
    for (file, test) in named {
        let text = [root.join(&file), root.join("src-tauri").join(&file)]
            .iter()
            .find_map(|path| fs::read_to_string(path).ok());
        let text =
            text.unwrap_or_else(|| panic!("ARCHITECTURE.md names {file}, which is not there"));
        let found = text.contains(&format!("fn {test}("));
        assert!(
            found,
            "{file} has no test {test}, which ARCHITECTURE.md names"
        );
    }
}

#[track_caller]
fn for_each_rust_file(folder: &Path, look: &mut dyn FnMut(&Path, &str)) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            for_each_rust_file(&path, look);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            look(&path, &fs::read_to_string(&path).unwrap());
        }
    }
}

/// What the program tells about the licences of what it is made with.
const LICENCES: &str = "src-tauri/crates/bwana-api/src/about/licences.tsv";
/// Set to write the list anew: `BWANA_WRITE_LICENCES=1 cargo test --test architecture licences`.
const WRITE_LICENCES: &str = "BWANA_WRITE_LICENCES";

#[test]
fn the_list_of_licences_is_whole_and_says_what_the_packages_say() {
    let path = xtask::root().join(LICENCES);
    let listed = fs::read_to_string(&path).unwrap_or_default();
    let known: BTreeMap<(String, String), String> = listed
        .lines()
        .map(|line| {
            let parts: Vec<&str> = line.split('\t').collect();
            assert_eq!(parts.len(), 3, "{line}");
            ((parts[0].into(), parts[1].into()), parts[2].into())
        })
        .collect();
    let mut list = String::new();
    for ((kind, name), licence) in direct_dependencies() {
        // A package of another system is not on this machine: what the list says of it stands.
        let licence = licence.or_else(|| known.get(&(kind.clone(), name.clone())).cloned());
        let licence =
            licence.unwrap_or_else(|| panic!("write down the licence of {name} in {LICENCES}"));
        list += &format!("{kind}\t{name}\t{licence}\n");
    }
    if std::env::var_os(WRITE_LICENCES).is_some() {
        fs::write(&path, &list).unwrap();
        return;
    }
    assert_eq!(listed, list, "stale: write it anew with {WRITE_LICENCES}=1");
}

/// Everything the shipped crates and the interface import, with its licence if it is on this machine.
fn direct_dependencies() -> BTreeMap<(String, String), Option<String>> {
    let mut found = BTreeMap::new();
    for package in &metadata().packages {
        if matches!(
            package.name.as_str(),
            "bwana-testkit" | "bwana-bench" | "bwana-bindings" | "xtask"
        ) {
            continue;
        }
        for import in imports(package, SHIPPED) {
            if !import.starts_with("bwana-") {
                found.insert((String::from("rust"), import), None);
            }
        }
    }
    let names: BTreeSet<String> = found.keys().map(|(_, name)| name.clone()).collect();
    for (name, licence) in licences(&names) {
        found.insert(
            (String::from("rust"), name),
            Some(licence.replace('/', " OR ")),
        );
    }
    let manifest = fs::read_to_string(xtask::root().join("package.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    let mut texts = String::new();
    read_all(&xtask::root().join("ui/src"), &mut texts);
    for name in manifest["devDependencies"].as_object().unwrap().keys() {
        let is_imported = ["\"", "'"].iter().any(|quote| {
            texts.contains(&format!("{quote}{name}{quote}"))
                || texts.contains(&format!("{quote}{name}/"))
        });
        if !is_imported {
            continue;
        }
        let package = xtask::root()
            .join("node_modules")
            .join(name)
            .join("package.json");
        let licence = fs::read_to_string(package).ok().and_then(|text| {
            let package: serde_json::Value = serde_json::from_str(&text).ok()?;
            package["license"].as_str().map(String::from)
        });
        found.insert((String::from("npm"), name.clone()), licence);
    }
    found
}

fn read_all(folder: &Path, into: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let end = path.extension().and_then(|end| end.to_str());
        if path.is_dir() {
            read_all(&path, into);
        } else if matches!(end, Some("ts" | "svelte" | "css"))
            && ![".test.", ".d.ts"]
                .iter()
                .any(|not| path.to_string_lossy().contains(not))
        {
            into.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}
