//! Tool names on the wire. Ours may hold dots (`file.write`); some dialects accept `[a-zA-Z0-9_-]{1,64}` only.
//! The map belongs to one request and turns names back exactly, so no rule of ours ever guesses a name.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use bwana_types::hash::Hash;

/// The longest tool name the strictest dialect accepts, in characters.
pub const NAME_MAX_CHARS: usize = 64;

/// Wire names of one request's tools. Names that need no change are not stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NameMap {
    to_wire: BTreeMap<String, String>,
    from_wire: BTreeMap<String, String>,
}

impl NameMap {
    /// A map for `names`: dots become underscores, and a clash or an over-long name gets eight digits of its hash.
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let names: BTreeSet<&str> = names.into_iter().collect();
        // Names that are fine as they are keep themselves, whatever else would like to become them.
        let mut taken: BTreeSet<String> = names
            .iter()
            .filter(|name| is_plain(name))
            .map(|name| (*name).to_owned())
            .collect();
        let mut map = Self::default();
        for name in names.iter().filter(|name| !is_plain(name)) {
            let mut wire = clean(name);
            if wire.chars().count() > NAME_MAX_CHARS || taken.contains(&wire) {
                wire = with_hash(&wire, name);
            }
            taken.insert(wire.clone());
            map.from_wire.insert(wire.clone(), (*name).to_owned());
            map.to_wire.insert((*name).to_owned(), wire);
        }
        map
    }

    /// The name as it goes out. A name that is not in the map (a tool no longer offered) is cleaned the same way.
    pub fn wire<'a>(&'a self, name: &'a str) -> Cow<'a, str> {
        if let Some(wire) = self.to_wire.get(name) {
            return Cow::Borrowed(wire);
        }
        if is_plain(name) {
            return Cow::Borrowed(name);
        }
        let wire = clean(name);
        Cow::Owned(if wire.chars().count() > NAME_MAX_CHARS {
            with_hash(&wire, name)
        } else {
            wire
        })
    }

    /// Our name for what came back. An unknown name stays as it came: the engine tells the model that it is unknown.
    pub fn ours<'a>(&'a self, wire: &'a str) -> &'a str {
        self.from_wire.get(wire).map_or(wire, String::as_str)
    }
}

fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= NAME_MAX_CHARS
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

fn clean(name: &str) -> String {
    if name.is_empty() {
        return String::from("unnamed");
    }
    name.chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '-' {
                c
            } else {
                '_'
            }
        })
        .collect()
}

fn with_hash(wire: &str, name: &str) -> String {
    let hash = Hash::of(name.as_bytes()).short();
    let head: String = wire.chars().take(NAME_MAX_CHARS - hash.len() - 1).collect();
    format!("{head}_{hash}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(names: &[&str], wires: &[&str]) {
        let map = NameMap::new(names.iter().copied());
        for (name, wire) in names.iter().zip(wires) {
            assert_eq!(map.wire(name), *wire);
            assert_eq!(map.ours(wire), *name);
        }
    }

    #[test]
    fn names_come_back_as_they_were() {
        check(&["file.write", "plain-1"], &["file_write", "plain-1"]);
        check(&["zeit.größe"], &["zeit_gr__e"]);
    }

    #[test]
    fn two_names_never_become_one() {
        let names = ["file.write", "file_write", "file write"];
        let map = NameMap::new(names);
        let wires: BTreeSet<String> = names.iter().map(|n| map.wire(n).into_owned()).collect();
        assert_eq!(wires.len(), 3, "{wires:?}");
        assert_eq!(map.wire("file_write"), "file_write");
        for name in names {
            assert_eq!(map.ours(&map.wire(name)), name);
        }
    }

    #[test]
    fn a_long_name_is_cut_and_found_again() {
        let long = format!("{}.{}", "a".repeat(60), "b".repeat(60));
        let map = NameMap::new([long.as_str()]);
        let wire = map.wire(&long).into_owned();
        assert_eq!(wire.len(), NAME_MAX_CHARS);
        assert_eq!(map.ours(&wire), long);
    }

    #[test]
    fn a_name_nobody_offered_is_left_alone_on_the_way_back() {
        let map = NameMap::new(["file.write"]);
        assert_eq!(map.ours("rm_rf"), "rm_rf");
        assert_eq!(map.wire("old.tool"), "old_tool");
    }
}
